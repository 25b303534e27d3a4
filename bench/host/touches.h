/*
 * touches.h - how long each touch took, as the program that touches sees it. Included by hosts.
 *
 * The clock is read once a touch; what that costs is in the figures (tens of ns). A touch that took
 * longer than TOUCHES_STALL had to wait for its page.
 *
 * Number, mean, stalls and the longest are of all touches. Percentiles are too, as long as there is room;
 * of more they are of samples, one a thread, in which each has the same chance, the last as the first.
 */
#ifndef BENCH_TOUCHES_H
#define BENCH_TOUCHES_H

#include "host.h"

#include <inttypes.h>

#define TOUCHES_STALL 400u /* ns */

/* Times of one thread; all memory is touched when it is made, so that recording never faults. */
struct touches {
	uint32_t *ns;
	size_t count, room;
	uint64_t seen, stalls, total, state;
	uint32_t max;
};

static inline void touches_make(struct touches *t, size_t room)
{
	*t = (struct touches){.room = room, .state = 1};
	t->ns = malloc((room ? room : 1) * sizeof(*t->ns));
	if (!t->ns)
		host_die(HOST_FAILED, "no memory for %zu times", room);
	memset(t->ns, 0, room * sizeof(*t->ns));
}

static inline void touches_note(struct touches *t, uint64_t ns)
{
	const uint32_t took = (uint32_t)(ns < UINT32_MAX ? ns : UINT32_MAX);
	uint64_t place = t->seen++;

	t->total += took;
	t->stalls += took > TOUCHES_STALL;
	if (took > t->max)
		t->max = took;
	if (place < t->room)
		t->count++;
	else
		place = host_random(&t->state) % t->seen;
	if (place < t->room)
		t->ns[place] = took;
}

static inline int touches_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct touches_summary {
	uint64_t touches, stalls;
	uint32_t p50, p95, p99, p999, max; /* ns */
	double mean;
};

/* What was noted, of all of `n`; their memory goes. */
static inline struct touches_summary touches_sum(struct touches *all, size_t n)
{
	struct touches_summary s = {0};
	struct touches t;
	size_t noted = 0;
	double total = 0;

	for (size_t i = 0; i < n; i++) {
		noted += all[i].count;
		s.touches += all[i].seen;
		s.stalls += all[i].stalls;
		s.max = all[i].max > s.max ? all[i].max : s.max;
		total += (double)all[i].total;
	}
	if (!noted)
		host_die(HOST_FAILED, "nothing was touched");
	touches_make(&t, noted);
	for (size_t i = 0; i < n; i++) {
		memcpy(t.ns + t.count, all[i].ns, all[i].count * sizeof(*t.ns));
		t.count += all[i].count;
		free(all[i].ns);
		all[i] = (struct touches){0};
	}
	qsort(t.ns, t.count, sizeof(*t.ns), touches_order);
	s.mean = total / (double)s.touches;
	s.p50 = t.ns[t.count / 2];
	s.p95 = t.ns[t.count - 1 - t.count / 20];
	s.p99 = t.ns[t.count - 1 - t.count / 100];
	s.p999 = t.ns[t.count - 1 - t.count / 1000];
	free(t.ns);
	return s;
}

/* Prints name=value words, without an end of line, and forgets everything. */
static inline void touches_print(struct touches *all, size_t n)
{
	struct touches_summary s = touches_sum(all, n);

	printf("touches=%" PRIu64
	       " mean_ns=%.0f p50_ns=%u p95_ns=%u p99_ns=%u p999_ns=%u max_ns=%u "
	       "stalls=%" PRIu64,
	       s.touches, s.mean, s.p50, s.p95, s.p99, s.p999, s.max, s.stalls);
}

/* The numbers 0 to n-1, in random order when `shuffled`. The caller frees them. */
static inline uint32_t *touches_sequence(size_t n, int shuffled)
{
	uint32_t *order = calloc(n, sizeof(*order));
	uint64_t state = 1;

	if (!order)
		host_die(HOST_FAILED, "no memory for the order of touches");
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n - 1; shuffled && i > 0; i--) {
		size_t j = host_random(&state) % (i + 1);
		uint32_t kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	return order;
}

#endif
