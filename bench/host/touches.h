/*
 * touches.h - how long each touch took, as the program that touches sees it. Included by hosts.
 *
 * The clock is read once a touch; what that costs is in the figures (tens of ns). A touch that took
 * longer than TOUCHES_STALL had to wait for its page.
 */
#ifndef BENCH_TOUCHES_H
#define BENCH_TOUCHES_H

#include "host.h"

#define TOUCHES_STALL 400u /* ns */

/* Times of one thread; all memory is touched when it is made, so that recording never faults. */
struct touches {
	uint32_t *ns;
	size_t count, room;
};

static inline void touches_make(struct touches *t, size_t room)
{
	t->count = 0;
	t->room = room;
	t->ns = malloc((room ? room : 1) * sizeof(*t->ns));
	if (!t->ns)
		host_die(HOST_FAILED, "no memory for %zu times", room);
	memset(t->ns, 0, room * sizeof(*t->ns));
}

static inline void touches_note(struct touches *t, uint64_t ns)
{
	if (t->count < t->room)
		t->ns[t->count++] = (uint32_t)(ns < UINT32_MAX ? ns : UINT32_MAX);
}

static inline void touches_add(struct touches *to, const struct touches *from)
{
	for (size_t i = 0; i < from->count; i++)
		touches_note(to, from->ns[i]);
}

static inline int touches_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct touches_summary {
	size_t touches, stalls;
	uint32_t p50, p95, p99, p999, max; /* ns */
	double mean;
};

/* What was noted, of all of `n`; their memory goes. */
static inline struct touches_summary touches_sum(struct touches *all, size_t n)
{
	struct touches_summary s = {0};
	struct touches t;
	double total = 0;

	for (size_t i = 0; i < n; i++)
		s.touches += all[i].count;
	if (!s.touches)
		host_die(HOST_FAILED, "nothing was touched");
	touches_make(&t, s.touches);
	for (size_t i = 0; i < n; i++) {
		touches_add(&t, &all[i]);
		free(all[i].ns);
		all[i] = (struct touches){0};
	}
	qsort(t.ns, t.count, sizeof(*t.ns), touches_order);
	for (size_t i = 0; i < t.count; i++) {
		total += t.ns[i];
		s.stalls += t.ns[i] > TOUCHES_STALL;
	}
	s.mean = total / (double)t.count;
	s.p50 = t.ns[t.count / 2];
	s.p95 = t.ns[t.count - 1 - t.count / 20];
	s.p99 = t.ns[t.count - 1 - t.count / 100];
	s.p999 = t.ns[t.count - 1 - t.count / 1000];
	s.max = t.ns[t.count - 1];
	free(t.ns);
	return s;
}

/* Prints name=value words, without an end of line, and forgets everything. */
static inline void touches_print(struct touches *all, size_t n)
{
	struct touches_summary s = touches_sum(all, n);

	printf("touches=%zu mean_ns=%.0f p50_ns=%u p95_ns=%u p99_ns=%u p999_ns=%u max_ns=%u "
	       "stalls=%zu",
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
