/*
 * pattern.h - in what order memory is touched, as far as its faults tell. Pure arithmetic.
 *
 * DESIGN  A stream of page numbers of one region, each with the thread that faulted. Steps are
 * taken between a thread's faults, so that threads that work side by side do not look random.
 *
 *           sequential   most steps go to the next page, or back by one; further where faults come
 *                        in blocks, because the kernel or the library maps neighbours along
 *           strided      most steps are of one other length
 *           random       no step is frequent
 *           mixed        none of these
 *
 *         Beside the order: repeated, when most faults hit pages that had faulted before, that is,
 *         memory comes and goes (thrashing). How far apart is the reuse distance: the faults of the
 *         region between two of one page.
 *
 *         The frequent steps are found in one pass by counting down what is rare (Misra and Gries);
 *         their counts are exact where there are at most PATTERN_STEPS different ones, else low by
 *         at most the reported slack.
 */
#ifndef PC_TOOLS_PATTERN_H
#define PC_TOOLS_PATTERN_H

#include "base/types.h"

#define PATTERN_STEPS	16u
#define PATTERN_THREADS 64u
#define PATTERN_ENOUGH	32u	   /* steps below which nothing is claimed */
#define PATTERN_PAGES	(1u << 20) /* whose last fault is remembered, in one region */

enum pattern_order {
	PATTERN_FEW, /* too few faults to tell */
	PATTERN_SEQUENTIAL,
	PATTERN_STRIDED,
	PATTERN_RANDOM,
	PATTERN_MIXED,
};
const char *pattern_name(enum pattern_order order);

struct pattern {
	uint64_t faults, major, steps;
	uint64_t forward; /* steps to the next page */
	uint64_t near;	  /* steps to one of the next `block` pages */
	uint64_t again;	  /* faults of pages that had faulted before */
	uint64_t slack;	  /* steps that may be missing from each count below */
	unsigned block;
	struct {
		int64_t pages;
		uint64_t count;
	} step[PATTERN_STEPS];
	struct {
		uint32_t tid;
		uint64_t page;
	} thread[PATTERN_THREADS];
	uint64_t distance[64]; /* reuses, by the power of two of their distance */
	uint64_t *page;	       /* open addressing: page + 1, then the number of its last fault */
	size_t pages, slots;
	uint64_t
	    forgotten; /* pages beyond PATTERN_PAGES, or beyond memory: their reuse is not seen */
};

/* `block`: pages that one fault may bring along, 1 where it is only its own. */
void pattern_begin(struct pattern *p, unsigned block);
void pattern_end(struct pattern *p);

void pattern_fault(struct pattern *p, uint32_t tid, uint64_t page, bool major);

enum pattern_order pattern_order(const struct pattern *p);
bool pattern_repeated(const struct pattern *p);

/* The most frequent step, and how many of p->steps it made; 0 of none. */
int64_t pattern_step(const struct pattern *p, uint64_t *count);

/* Half of all reuses were no further apart: upper edge of a power of two; 0 without reuse. */
uint64_t pattern_distance(const struct pattern *p);

#endif
