/*
 * tracepoint.h - what one thread of the kernel says at one tracepoint, without waiting for it.
 *
 * WHY   DAMON tells its regions in two ways: by files, four a region, after a request that blocks
 *       for an aggregation; or at each aggregation at the tracepoint damon:damon_aggregated, to
 *       whoever may listen. Listening to our own kdamond costs a few stores a region.
 * DESIGN  perf_event_open() on that thread alone, records into a ring that both sides map. What
 *       comes while the ring is full is lost and counted: the reader wants to know what was in use,
 *       and what is in use comes again. Places of fields are learnt from the event's format file.
 *       Needs CAP_PERFMON and a tracefs mounted where it always is; else the caller asks by files.
 * RETURNS 0 or -errno.
 * THREADS one reader.
 */
#ifndef PC_KERNEL_TRACEPOINT_H
#define PC_KERNEL_TRACEPOINT_H

#include "base/types.h"

#define TRACEPOINT_ROOT	      "/sys/kernel/tracing/events"
#define TRACEPOINT_FIELDS     4u
#define TRACEPOINT_RING_PAGES 128u /* a power of two */

struct tracepoint_field {
	const char *name;
	uint32_t offset, size; /* found by tracepoint_open() */
};

struct tracepoint {
	int fd;
	void *ring; /* NULL when closed: a header page, then TRACEPOINT_RING_PAGES */
	struct tracepoint_field field[TRACEPOINT_FIELDS];
};

/* The fields of one record, in the order of their names. */
typedef void tracepoint_fn(const uint64_t value[TRACEPOINT_FIELDS], void *arg);

/* `event` as "damon/damon_aggregated" below `root`; every name must be a field of it. */
int tracepoint_open(struct tracepoint *t, const char *root, const char *event, int tid,
		    const char *const names[TRACEPOINT_FIELDS]);
/* All that was said since the last call: the number of records. *lost is those that were lost. */
unsigned tracepoint_read(struct tracepoint *t, tracepoint_fn *fn, void *arg, uint64_t *lost);
void tracepoint_close(struct tracepoint *t);

static inline bool tracepoint_is_open(const struct tracepoint *t)
{
	return t->ring != NULL;
}

#endif
