/*
 * damon.h - owns one kdamond through sysfs: set up, snapshot, tear down.
 *
 * RULES (design decision 3; lab facts of the interface)
 *   - DAMON has no ownership: while any kdamond is on that is not ours, nothing below kdamonds/ is
 *     written, not even a count. damon_start() then returns -EBUSY and has written nothing.
 *   - operations fvaddr where there, else vaddr; regions are written in ascending order always
 *     (an unsorted commit silently stops the kdamond).
 *   - damon_read() asks for update_schemes_tried_regions, which blocks for about one aggregation:
 *     call it from the work thread only.
 *   - ours is known by its index and by the pid of its kdamond: when another one is found in its
 *     place, ours counts as stopped.
 *
 * RETURNS 0 or -errno: -EBUSY someone else's kdamond runs; -ENOENT no DAMON or no virtual address
 *   operations; -EACCES not permitted; -ESRCH ours has stopped (re-arm by damon_start).
 *
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_DAMON_H
#define PC_KERNEL_DAMON_H

#include "base/types.h"

#define DAMON_ROOT	 "/sys/kernel/mm/damon/admin/kdamonds"
#define DAMON_RANGES_MAX 1000u

struct damon {
	char root[128]; /* DAMON_ROOT, or a folder of plain files in tests */
	bool running;
	bool fixed_ranges; /* fvaddr: only our ranges; else the kernel follows all mappings */
	unsigned index;	   /* of our kdamond */
	int kdamond_pid;
	unsigned aggr_ms;
};

struct damon_region {
	pc_addr start, end;
	uint32_t nr_accesses; /* 0 .. samples per aggregation */
	uint32_t age;	      /* aggregations in this state */
};

typedef bool damon_fn(const struct damon_region *region, void *arg); /* false ends */

int damon_probe(const char *root); /* 0 if damon_start may work; reads only */

/*
 * Ranges in any order. -EINVAL when one is empty, two overlap or there is none, -E2BIG for more
 * than DAMON_RANGES_MAX: nothing is written then.
 */
int damon_start(struct damon *d, const char *root, int pid, const struct pc_span *ranges,
		unsigned count);
int damon_retarget(struct damon *d, const struct pc_span *ranges, unsigned count);
int damon_read(struct damon *d, damon_fn *fn, void *arg); /* number of regions or -errno */
int damon_stop(struct damon *d); /* 0 as well when ours has ended by itself */

#endif
