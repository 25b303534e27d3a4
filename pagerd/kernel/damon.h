/*
 * damon.h - owns one kdamond through sysfs: set up, snapshot, tear down.
 *
 * RULES (design decision 3; lab facts of the interface)
 *   - DAMON has no ownership: while any kdamond is on that is not ours, nothing below kdamonds/ is
 *     written, not even a count. damon_start() then returns -EBUSY and has written nothing.
 *   - operations fvaddr where there, else vaddr; regions are written in ascending order always
 *     (an unsorted commit silently stops the kdamond).
 *   - among processes that carry this library, the one that holds a lock on nr_kdamonds uses it:
 * two that start at once cannot mix their settings. The lock ends with its owner, however that
 * ends.
 *   - what we set up carries a mark (an odd update interval). A kdamond with the mark that watches
 *     this very process, while the lock is to be had, is left from before an exec: switched off.
 *     One whose process was killed stops by itself, and its settings make way for the next user's.
 *   - damon_read() takes what the kdamond said at its tracepoint, which waits for nothing. Where
 *     that may not be heard it asks for update_schemes_tried_regions, which blocks for about one
 *     aggregation: call it from the work thread only.
 *   - ours is known by its index and by the pid of its kdamond: when another one is found in its
 *     place, ours counts as stopped. What stops gives everything back: an idle kdamond of ours is
 *     taken away too.
 *
 * RETURNS 0 or -errno: -EBUSY someone else's kdamond runs; -ENOENT no DAMON or no virtual address
 *   operations; -EACCES not permitted; -ESRCH ours has stopped (re-arm by damon_start).
 *
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_DAMON_H
#define PC_KERNEL_DAMON_H

#include "base/types.h"
#include "kernel/tracepoint.h"

#define DAMON_ROOT	 "/sys/kernel/mm/damon/admin/kdamonds"
#define DAMON_RANGES_MAX 1000u

#define DAMON_SAMPLES	  10u
#define DAMON_REGIONS_MIN 10u
#define DAMON_REGIONS_MAX 1000u

struct damon {
	char root[128]; /* DAMON_ROOT, or a folder of plain files in tests */
	bool running;
	bool fixed_ranges; /* fvaddr: only our ranges; else the kernel follows all mappings */
	unsigned index;	   /* of our kdamond */
	int kdamond_pid;
	int lock; /* descriptor; -1 when not held */
	unsigned aggr_ms;
	uint64_t lost; /* records that came while nobody read */
	struct tracepoint said;
};

/*
 * One page a region is watched for one sample. So the share of a region that is in use must not be
 * too small to be met, and the time between two uses of a page not too long against a sample:
 * regions as fine as the decisions that are made from them, samples as long as they can be.
 */
struct damon_detail {
	uint32_t sample_ms; /* DAMON_SAMPLES of them are an aggregation */
	uint32_t regions;   /* at least; DAMON_REGIONS_MIN .. DAMON_REGIONS_MAX / 2 */
};

struct damon_region {
	pc_addr start, end;
	uint32_t nr_accesses; /* 0 .. samples per aggregation */
	uint32_t age;	      /* aggregations in this state */
};

typedef bool damon_fn(const struct damon_region *region, void *arg); /* false ends */

int damon_probe(const char *root); /* 0 if damon_start may work; writes nothing */

/*
 * Ranges in any order. -EINVAL when one is empty, two overlap or there is none, -E2BIG for more
 * than DAMON_RANGES_MAX: nothing is written then.
 */
int damon_start(struct damon *d, const char *root, int pid, const struct damon_detail *detail,
		const struct pc_span *ranges, unsigned count);
int damon_retarget(struct damon *d, const struct damon_detail *detail, const struct pc_span *ranges,
		   unsigned count);
int damon_read(struct damon *d, damon_fn *fn, void *arg); /* number of regions or -errno */
int damon_stop(struct damon *d); /* 0 as well when ours has ended by itself */

#endif
