#include "flow/forkless.h"

#include "base/atomic.h"
#include "base/lock.h"
#include "state/span.h"

#define FORKLESS_MAX 8192u

static struct pc_span spans[FORKLESS_MAX];
static struct span_set set = {.span = spans, .max = FORKLESS_MAX};
static struct lock lock;
static uint32_t lost, overflowed;

void forkless_reset(void)
{
	lock_reset(&lock);
}

bool forkless_add(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = span_add(&set, start, end);
	lock_release(&lock);
	if (!ok)
		store_relaxed(&overflowed, 1);
	return ok;
}

void forkless_remove(pc_addr start, pc_addr end)
{
	lock_take(&lock);
	/* Without room for the two halves the whole stays noted, which is allowed. */
	span_remove(&set, start, end);
	lock_release(&lock);
}

bool forkless_hits(pc_addr start, pc_addr end)
{
	bool hits;

	lock_take(&lock);
	hits = span_hits(&set, start, end);
	lock_release(&lock);
	return hits;
}

void forkless_lose(void)
{
	store_relaxed(&lost, 1);
}

bool forkless_lost(void)
{
	return load_relaxed(&lost) && !load_relaxed(&overflowed);
}

void forkless_found(void)
{
	store_relaxed(&lost, 0);
}
