/*
 * timing.h - the clock and the order of times that the programs of this folder share.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <time.h>

#include "base/types.h"

static inline uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * PC_SEC + (uint64_t)t.tv_nsec;
}

/* For qsort() of uint64_t. */
static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

#endif
