#include "flow/forkless.h"

#include "base/atomic.h"
#include "base/lock.h"
#include "base/sys.h"
#include "state/span.h"

#include <sys/mman.h>

#define FORKLESS_MAX 8192u

static struct pc_span spans[FORKLESS_MAX];
static struct span_set set = {.span = spans, .max = FORKLESS_MAX};
static struct lock lock;
static uint32_t lost, overflowed, notes;

void forkless_reset(void)
{
	lock_reset(&lock);
	span_clear(&set);
	lost = overflowed = 0;
}

static bool add(pc_addr start, pc_addr end)
{
	bool ok = span_add(&set, start, end);

	store_release(&notes, notes + 1); /* pairs with forkless_notes */
	if (!ok)
		store_relaxed(&overflowed, 1);
	return ok;
}

uint32_t forkless_notes(void)
{
	return load_acquire(&notes); /* pairs with add */
}

bool forkless_add(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = add(start, end);
	lock_release(&lock);
	return ok;
}

void forkless_remove(pc_addr start, pc_addr end)
{
	lock_take(&lock);
	/* Without room for the two halves the whole stays noted, which is allowed. */
	span_remove(&set, start, end);
	lock_release(&lock);
}

void forkless_gone(pc_addr start, pc_addr end, uint32_t since)
{
	lock_take(&lock);
	if (notes == since)
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

bool forkless_any(void)
{
	return load_relaxed(&set.count) != 0;
}

bool forkless_follow(pc_addr start, pc_addr end, pc_addr to, pc_addr to_end, bool left,
		     uint32_t since)
{
	bool hits, ok = true;

	lock_take(&lock);
	hits = span_hits(&set, start, end);
	if (to != start)
		span_remove(&set, to, to_end);
	if (to != start && !left && notes == since)
		span_remove(&set, start, end);
	if (hits)
		ok = add(to, to_end);
	lock_release(&lock);
	return ok;
}

bool forkless_give(pc_addr start, pc_addr end)
{
	bool given;

	lock_take(&lock);
	given = !span_hits(&set, start, end) && !sys_madvise(start, end - start, MADV_DOFORK);
	lock_release(&lock);
	return given;
}

void forkless_lose(void)
{
	store_relaxed(&lost, 1);
}

bool forkless_lost(void)
{
	return load_relaxed(&lost) && !load_relaxed(&overflowed);
}

void forkless_seek(void)
{
	store_relaxed(&lost, 0);
}
