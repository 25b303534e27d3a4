/*
 * demand_zero.h - memory for tables and stores of unit tests: fresh, zero, only what is touched is there.
 *
 * cmocka.h comes before.
 */
#ifndef SUPPORT_DEMAND_ZERO_H
#define SUPPORT_DEMAND_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

static inline void *demand_zero(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

/* Address space that is no memory before commit_some(), which makes at most so many bytes of it, has. */
static inline void *reserved(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static size_t commit_left;

static inline bool commit_some(void *start, size_t bytes)
{
	if (bytes > commit_left)
		return false;
	commit_left -= bytes;
	assert_int_equal(mprotect(start, bytes, PROT_READ | PROT_WRITE), 0);
	return true;
}

/* A store_start() callback for those who do not look at what the store gives back. */
static inline void give_back_nothing(void *start, size_t bytes)
{
	(void)start;
	(void)bytes;
}

#endif
