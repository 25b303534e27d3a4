/*
 * types.h - the words everything else is written in.
 *
 * A host address is a pc_addr: an integer. The pager never dereferences one; bytes of the program
 * cross by userfaultfd (kernel/uffd.h), and leave by /proc for EVICT=madvise (kernel/peek.h). Ranges
 * are half open: [start, end).
 */
#ifndef PC_BASE_TYPES_H
#define PC_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t pc_addr; /* an address of the program; never dereferenced */
typedef uint64_t pc_ns;   /* nanoseconds, CLOCK_MONOTONIC */

#define PC_PAGE_SHIFT 12
#define PC_PAGE       4096ull
#define PC_UNIT_SHIFT 21
#define PC_UNIT       (1ull << PC_UNIT_SHIFT)
#define PC_UNIT_PAGES 512u
#define PC_ADDR_BITS  47 /* above lies only what a program asked for by address: left alone */
#define PC_ADDR_MAX   (1ull << PC_ADDR_BITS)

#define PC_MS  1000000ull
#define PC_SEC 1000000000ull

#define PC_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define PC_MAX(a, b)    ((a) > (b) ? (a) : (b))
#define PC_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct pc_span {
	pc_addr start, end;
};

/* None, where another thread or another clock was a little ahead. */
static inline pc_ns time_since(pc_ns then, pc_ns now)
{
	return now > then ? now - then : 0;
}

static inline pc_addr page_floor(pc_addr a)
{
	return a & ~(PC_PAGE - 1);
}

static inline pc_addr page_ceil(pc_addr a)
{
	return (a + PC_PAGE - 1) & ~(PC_PAGE - 1);
}

/* The whole pages that hold these bytes, as the kernel sees them; nothing beyond PC_ADDR_MAX. */
static inline struct pc_span pages_of(const void *at, size_t len)
{
	pc_addr start = PC_MIN((pc_addr)at, PC_ADDR_MAX);

	return (struct pc_span){page_floor(start),
				page_ceil(start + PC_MIN(len, PC_ADDR_MAX - start))};
}

static inline pc_addr unit_floor(pc_addr a)
{
	return a & ~(PC_UNIT - 1);
}

static inline unsigned page_in_unit(pc_addr a)
{
	return (a >> PC_PAGE_SHIFT) & (PC_UNIT_PAGES - 1);
}

static inline bool span_overlaps(pc_addr a0, pc_addr a1, pc_addr b0, pc_addr b1)
{
	return a0 < b1 && b0 < a1;
}

#endif
