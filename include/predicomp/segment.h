/*
 * segment.h - the shared statistics segment: what a running pager shows, and its mailbox.
 *
 * WHY   Tools must read a process without a system call into it, without stopping it and without
 *       linking its pager, whatever the versions of the two. So the segment describes itself.
 *
 * WHERE A memfd called PC_SEGMENT_NAME, mode 0600, held open by the pager's threads in their own
 *       descriptor table and mapped shared. It dies with the process: nothing can go stale on disk.
 *       Readers find it as  /proc/PID/task/TID/fd/N  where TID's name is PC_THREAD_NAME.
 *       A pager that ends its threads and starts others, as around a fork, goes on in a copy, for the
 *       descriptor went with the threads: then `replaced` is 1 in the old one, and a reader that
 *       held it open finds the new one where it found the first. What was asked through the mailbox
 *       of the old one and not answered there is asked again by who asked.
 *
 * LAYOUT
 *
 *   0        struct pc_segment                       (PC_SEGMENT_HEADER bytes reserved)
 *   entries  struct pc_entry[entry_count]            names, units, kinds
 *   values   shard 0: u64[counter_count]             one shard per writing thread, summed by the
 *            shard 1: ...                            reader; shard_stride apart
 *   hists    shard 0: struct pc_histogram[histogram_count]
 *            shard 1: ...                            hist_stride apart
 *   columns  struct pc_entry[unit_column_count]      of the unit table: names, units, kinds
 *   units    struct pc_unit_row[unit_rows]           unit_stride apart; the first unit_used of
 *                                                    them have ever been written
 *
 *   Entry i of kind COUNTER or GAUGE has its value at index `slot` of every shard's u64 array; an
 *   entry of kind HISTOGRAM at index `slot` of every shard's histogram array. Gauges are two's
 *   complement: shards may hold negative parts, only the sum means something.
 *
 *   The unit table says where in the address space it happened: a row for each 2 MiB unit that pages
 *   ever left. Row 0 is of no address: it stands for all units that found the table full. A unit
 *   that is no longer managed keeps its row until the table has no fresher one to give, and then the
 *   row's `generation` grows. So a reader that comes by now and then takes differences by row and
 *   generation, and sums rows of one address. The table may be absent: unit_rows is 0.
 *
 * INVARIANTS  version changes when the meaning of a byte does; new entries do not change it.
 *             `ready` is stored last, with release order; readers load it with acquire order. In a
 *             copy `magic` is: without it there is no segment yet.
 */
#ifndef PREDICOMP_SEGMENT_H
#define PREDICOMP_SEGMENT_H

#include <stdint.h>

#define PC_SEGMENT_NAME    "predicomp"
#define PC_SEGMENT_MAGIC   0x31706d6f63697072ULL /* "ripcomp1" little endian */
#define PC_SEGMENT_VERSION 1u
#define PC_SEGMENT_HEADER  4096u
#define PC_THREAD_NAME     "predicomp"
#define PC_SHARDS          8u

/*
 * Histogram of nanoseconds: bucket = value below 16, else 16 linear steps in each power of two, up
 * to 2^36 ns; the last bucket takes all above. Worst relative error 1/16.
 */
#define PC_HIST_SUB     16u
#define PC_HIST_POWERS  32u /* 2^4 .. 2^35 */
#define PC_HIST_BUCKETS (PC_HIST_SUB + PC_HIST_POWERS * PC_HIST_SUB)

struct pc_histogram {
	uint64_t count;
	uint64_t sum; /* ns */
	uint64_t max; /* ns */
	uint32_t bucket[PC_HIST_BUCKETS];
	uint32_t pad[2];
};

enum pc_entry_kind { PC_ENTRY_COUNTER = 1, PC_ENTRY_GAUGE = 2, PC_ENTRY_HISTOGRAM = 3 };

struct pc_entry {
	char name[40];
	char unit[12];
	uint32_t kind; /* enum pc_entry_kind */
	uint32_t slot;
	uint32_t reserved;
};

/* A column is value[slot], slot as its entry says, modulo 2^32. */
#define PC_UNIT_ROWS   4096u
#define PC_UNIT_VALUES 12u

struct pc_unit_row {
	uint64_t base; /* address of the unit */
	uint32_t generation;
	uint32_t value[PC_UNIT_VALUES];
	uint32_t reserved;
};

#define PC_OWN_MAX 128u

struct pc_own {
	uint64_t start, end;
};

enum pc_run_state {
	PC_STATE_STARTING, /* nothing is known yet */
	PC_STATE_WAITING,  /* asleep until the process is large enough, or may have threads */
	PC_STATE_ACTIVE,   /* managing memory */
	PC_STATE_DRAINING, /* restoring everything */
	PC_STATE_INERT,    /* leaving the process alone; `inert_reason` says why */
};

/* What a tool may ask for through the mailbox. */
enum pc_command {
	PC_CMD_NONE,
	PC_CMD_RESTORE, /* restore everything and stay inert until PC_CMD_RESUME or PC_CMD_EVICT */
	PC_CMD_RESUME,  /* manage again */
	PC_CMD_EVICT,   /* take and pack all that may be taken, now, whatever its age */
	PC_CMD_SET,     /* option number arg0 (order of options.def) := arg1 (stored form) */
};

struct pc_mailbox {
	uint32_t lock;     /* tools take it by CAS 0 -> pid; see tools/mailbox.c */
	uint32_t command;  /* enum pc_command */
	uint64_t arg[2];
	uint32_t request;  /* a tool adds 1 and wakes it (futex, shared); the pager waits on it */
	uint32_t answered; /* the pager stores the request it has finished and wakes it */
	int32_t result;    /* 0 or -errno of the last answered command */
	uint32_t pad;
	uint64_t done; /* pages restored, taken and packed, or 0 */
};

/*
 * Where the tables lie in the process, for whoever reads its core dump (`predicomp core fix`): what is
 * there is as pagerd/state/ says, and means the same in one version of the library only.
 */
struct pc_tables {
	uint64_t self;	  /* address of the segment; 0: there are no tables */
	uint64_t units;	  /* of struct unit[unit_max] */
	uint64_t staging; /* of slot 0 */
	uint64_t store;
	uint64_t staging_bytes, store_bytes;
	uint32_t unit_bytes; /* sizeof(struct unit) */
	uint32_t unit_max;
};

#define PC_CAPS_MAX    32u
#define PC_OPTIONS_MAX 32u

struct pc_segment {
	uint64_t magic;
	uint32_t version;
	uint32_t ready; /* 1 when everything below may be read */
	uint64_t size;  /* of the whole segment */

	uint32_t entry_count;
	uint32_t entry_offset;
	uint32_t counter_count; /* length of a shard's u64 array */
	uint32_t histogram_count;
	uint32_t shard_count;
	uint32_t shard_stride;
	uint64_t value_offset;
	uint64_t hist_offset;
	uint64_t hist_stride;

	int32_t pid;
	uint32_t library_version; /* major << 16 | minor << 8 | patch */
	uint64_t start_ns;        /* CLOCK_MONOTONIC when the pager started */
	char program[32];

	uint32_t run_state;    /* enum pc_run_state */
	uint32_t inert_reason; /* order of inert.def */
	uint32_t hotness;      /* 1 DAMON, 2 probe, as in use now */
	uint32_t option_count;
	uint64_t option[PC_OPTIONS_MAX]; /* stored form, order of options.def; texts are 0 */
	uint32_t cap_count;
	int8_t cap[PC_CAPS_MAX]; /* order of caps.def: -1 not asked, 0 missing, 1 there */

	struct pc_mailbox mailbox;

	uint32_t unit_column_count;
	uint32_t unit_column_offset;
	uint64_t unit_offset;
	uint32_t unit_stride;
	uint32_t unit_rows; /* room */
	uint32_t unit_used; /* grows */

	/* Where the pager's own memory lies, as of its last start: not the program's, never managed. */
	uint32_t own_count;
	struct pc_own own[PC_OWN_MAX];
	struct pc_tables tables;

	uint32_t replaced; /* 1: nothing is written here or read from here any more */
};

#endif
