/*
 * demand_zero.h - memory for tables and stores of unit tests: fresh, zero, only what is touched is there.
 *
 * cmocka.h comes before.
 */
#ifndef SUPPORT_DEMAND_ZERO_H
#define SUPPORT_DEMAND_ZERO_H

#include <stddef.h>
#include <sys/mman.h>

static inline void *demand_zero(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

/* A store_start() callback for those who do not look at what the store gives back. */
static inline void give_back_nothing(void *start, size_t bytes)
{
	(void)start;
	(void)bytes;
}

#endif
