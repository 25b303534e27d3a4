#include "page_model.h"

#include <stddef.h>

#define WORDS 512u

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static uint64_t word_of(uint64_t seed, unsigned i)
{
	switch (i ? seed >> 1 & 7 : 0) {
	case 0:
		return seed;
	case 1:
		return mix(seed + i);
	case 2:
		return i % 61 ? 0 : seed;
	default:
		return seed * (i >> 5 | 1) ^ (i >> 3);
	}
}

void page_fill(void *at, uint64_t seed)
{
	uint64_t *w = at;

	for (unsigned i = 0; i < WORDS; i++)
		w[i] = word_of(seed, i);
}

bool page_is(const void *at, uint64_t seed)
{
	const volatile uint64_t *w = at;

	for (unsigned i = 0; i < WORDS; i++)
		if (w[i] != word_of(seed, i))
			return false;
	return true;
}

bool page_is_zero(const void *at)
{
	const volatile uint64_t *w = at;

	for (unsigned i = 0; i < WORDS; i++)
		if (w[i])
			return false;
	return true;
}

bool page_agrees(const void *at, struct page_model *p)
{
	if (p->content == CONTENT_SEED)
		return page_is(at, p->seed);
	if (p->content == CONTENT_EITHER && page_is(at, p->seed))
		return true;
	if (!page_is_zero(at))
		return false;
	p->content = CONTENT_ZERO;
	return true;
}
