/*
 * report.h - reading a statistics segment: the other half of base/stats.h.
 *
 * WHY   The shim at exit and the tools beside it say the same things about a process. Both read
 *       them here, so that a number has one name and one meaning wherever it is shown.
 *
 * DESIGN  report_open() checks a segment once and copies every offset and count out of it; nothing
 *       after that follows a number that the segment holds. report_each() turns all of it into one
 *       flat list of items; CSV, JSON and text are walks over that list.
 *
 *       A segment of another process is hostile input: tools pass a private copy (tools/attach.h),
 *       so that what was checked is what is read. The shim passes a copy of one moment; its
 *       own, live, where there is no memory for that.
 *
 *       Entries come from the segment, for it may be of another version; what an entry means
 *       (help) and the ratios come from the counters.def this file was compiled with.
 *
 * ISLAND  No malloc, no stdio, no floating point, no system calls: runs in a destructor.
 */
#ifndef PC_REPORT_REPORT_H
#define PC_REPORT_REPORT_H

#include "base/types.h"
#include "predicomp/segment.h"

/* Why a segment is refused; the text completes "the segment ...". */
#define REPORT_FAULTS(X)                                                                           \
	X(OK, "is sound")                                                                          \
	X(SHORT, "is smaller than its header")                                                     \
	X(MAGIC, "is not one of predicomp")                                                        \
	X(NEWER, "is of a newer version than this program understands")                            \
	X(OLDER, "is of an older version than this program understands")                           \
	X(NOT_READY, "is still being filled")                                                      \
	X(SIZE, "says that it is larger than it is")                                               \
	X(ENTRIES, "has a table of names that lies outside of it")                                 \
	X(VALUES, "has values that lie outside of it")                                             \
	X(HISTOGRAMS, "has histograms that lie outside of it")                                     \
	X(COUNTS, "has more options or capabilities than fit")                                     \
	X(NAME, "has a name or unit that is not plain text")                                       \
	X(SLOT, "has an entry of unknown kind or outside its table")                               \
	X(UNITS, "has a unit table that lies outside of it")

enum report_fault {
#define X(id, text) REPORT_FAULT_##id,
	REPORT_FAULTS(X)
#undef X
};

const char *report_fault_text(enum report_fault fault);

/* The columns of units.def. */
enum report_unit_column {
#define PC_UNIT_COUNTER(name, unit, help) REPORT_UNIT_##name,
#define PC_UNIT_GAUGE(name, unit, help)	  REPORT_UNIT_##name,
#include "predicomp/units.def"
#undef PC_UNIT_COUNTER
#undef PC_UNIT_GAUGE
	REPORT_UNIT_COLUMNS
};

/* Far above what any pager has; they bound the work that a hostile segment can ask for. */
#define REPORT_ENTRIES_MAX 512u
#define REPORT_UNITS_MAX   (1u << 20)
#define REPORT_SHARDS_MAX  64u

struct report {
	const struct pc_segment *segment;
	const struct pc_entry *entries;
	const unsigned char *values;	 /* shard 0 */
	const unsigned char *histograms; /* shard 0 */
	uint64_t value_stride;
	uint64_t hist_stride;
	uint32_t entry_count;
	uint32_t shard_count;
	uint32_t option_count; /* no more than this build knows */
	uint32_t cap_count;    /* the same */
	const unsigned char *units; /* row 0 of the unit table */
	uint32_t unit_count;	    /* rows that may have been written; 0 where there is no table */
	uint32_t unit_stride;
	uint8_t unit_slot[REPORT_UNIT_COLUMNS]; /* in a row; PC_UNIT_VALUES where it is not there */
	pc_ns now;	       /* CLOCK_MONOTONIC */
};

/*
 * Checks `size` bytes at `memory` (8-byte aligned) and makes *r a view of them. On any other answer
 * than REPORT_FAULT_OK *r must not be used. `now` is what uptime is measured to.
 */
enum report_fault report_open(struct report *r, const void *memory, size_t size, pc_ns now);

/* A counter or gauge by name, summed over shards; 0 when the segment does not have it. */
uint64_t report_value(const struct report *r, const char *name);

/* Quantiles are the upper edge of their bucket, at most 1/16 too high, and never above max. */
struct report_latency {
	uint64_t count, mean, p50, p95, p99, max;
};
/* All zero when the segment does not have a histogram of that name. */
struct report_latency report_latency(const struct report *r, const char *name);

/*
 * What the process would occupy, what it does, and the difference: packed pages against the store
 * and the pager's tables. `saved` is below zero while the tables cost more than packing gains.
 */
struct report_memory {
	uint64_t before, now;
	int64_t saved;
	uint64_t ratio; /* thousandths: before / now */
};
struct report_memory report_memory(const struct report *r);

/* a / b in thousandths; 0 where b is 0. */
uint64_t report_thousandths(uint64_t a, uint64_t b);

const char *report_state(const struct report *r);   /* active, waiting, ... */
const char *report_reason(const struct report *r);  /* text of inert.def */
const char *report_hotness(const struct report *r); /* DAMON, probe, none */

#define REPORT_PROGRAM_BYTES 33u
/* The program's name with all that is not printable ASCII replaced: fit for a terminal. */
void report_program(const struct report *r, char out[REPORT_PROGRAM_BYTES]);

/* One row of the unit table; see segment.h. */
struct report_unit {
	uint64_t base; /* 0: row 0, or a row that was being handed out */
	uint32_t generation;
	uint32_t value[REPORT_UNIT_COLUMNS]; /* 0 where the segment has no such column */
};

/* Where the pager's own memory lies; how many spans of at most PC_OWN_MAX were written. */
uint32_t report_own(const struct report *r, struct pc_span *out);

/* Row `row` of r->unit_count. */
struct report_unit report_unit(const struct report *r, uint32_t row);

enum report_group {
	REPORT_IDENTITY,   /* pid, program, state, ... */
	REPORT_OPTION,	   /* as in force now, stored form; names of options.def */
	REPORT_CAPABILITY, /* 1 there, 0 missing, -1 not asked; names are the ids of caps.def */
	REPORT_MEMORY,	   /* struct report_memory */
	REPORT_COUNTER,
	REPORT_GAUGE,
	REPORT_HISTOGRAM, /* one item for each `field` */
	REPORT_RATIO,	  /* thousandths */
};

/* Valid during the call only. */
struct report_item {
	enum report_group group;
	const char *name;
	const char *field; /* of a histogram: count, mean, p50, ...; else NULL */
	const char *unit;  /* "" where there is none */
	const char *help;  /* NULL where this build does not know the entry */
	const char *text;  /* the value of items that are words; else NULL */
	int64_t value;
};

typedef void report_item_fn(void *arg, const struct report_item *item);

/* Every item, grouped in the order of enum report_group but for entries, which keep their own. */
void report_each(const struct report *r, report_item_fn *fn, void *arg);

#endif
