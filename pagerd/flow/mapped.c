#include "flow/mapped.h"

#include "base/atomic.h"
#include "base/lock.h"
#include "base/sys.h"
#include "state/span.h"

#define MAPPED_MAX 8192u
#define HELD_MAX   64u
#define NOTHING	   1ull /* no unit begins there */

struct held {
	uint32_t used;
	struct pc_span span;
};

static struct pc_span spans[MAPPED_MAX];

static struct {
	struct lock lock; /* the set and what is held */
	struct span_set set;
	struct held held[HELD_MAX];
	struct lock taking; /* for as long as `unit` is set */
	uint64_t unit;	    /* being taken, or NOTHING */
} mapped = {.set = {.span = spans, .max = MAPPED_MAX}, .unit = NOTHING};

void mapped_reset(void)
{
	lock_reset(&mapped.lock);
	lock_reset(&mapped.taking);
	if (load_relaxed(&mapped.unit) != NOTHING)
		store_relaxed(&mapped.unit, NOTHING);
	for (unsigned i = 0; i < HELD_MAX; i++)
		if (mapped.held[i].used)
			mapped.held[i].used = 0;
}

void mapped_forget(void)
{
	lock_take(&mapped.lock);
	span_clear(&mapped.set);
	lock_release(&mapped.lock);
}

/* ---- the hooks' side ------------------------------------------------------------------------ */

static void wait_until_not_taken(pc_addr start, pc_addr end)
{
	pc_addr unit;

	fence_seq(); /* Dekker with mapped_claim */
	unit = load_relaxed(&mapped.unit);
	if (unit == NOTHING || !span_overlaps(start, end, unit, unit + PC_UNIT))
		return;
	lock_take(&mapped.taking);
	lock_release(&mapped.taking);
}

void mapped_add(pc_addr start, pc_addr end)
{
	lock_take(&mapped.lock);
	span_add(&mapped.set, start, end);
	lock_release(&mapped.lock);
}

static bool cut(struct span_set *s, pc_addr start, pc_addr end)
{
	uint32_t at = span_after(s, start);

	if (span_remove(s, start, end))
		return true;
	/* No room to keep what is left on both sides: the span that has the hole goes whole. */
	return span_remove(s, s->span[at].start, s->span[at].end);
}

void mapped_remove(pc_addr start, pc_addr end)
{
	lock_take(&mapped.lock);
	cut(&mapped.set, start, end);
	lock_release(&mapped.lock);
	wait_until_not_taken(start, end);
}

static bool covers(pc_addr start, pc_addr end)
{
	uint32_t at = span_after(&mapped.set, start);

	return at < mapped.set.count && mapped.set.span[at].start <= start &&
	       mapped.set.span[at].end >= end;
}

bool mapped_all(pc_addr start, pc_addr end)
{
	bool all;

	lock_take(&mapped.lock);
	all = covers(start, end);
	lock_release(&mapped.lock);
	return all;
}

static bool try_hold(struct held *h, pc_addr start, pc_addr end)
{
	bool free = !h->used;

	if (free)
		*h = (struct held){1, {start, end}};
	return free;
}

static unsigned find_hold(pc_addr start, pc_addr end)
{
	unsigned i = 0;

	lock_take(&mapped.lock);
	while (i < HELD_MAX && !try_hold(&mapped.held[i], start, end))
		i++;
	lock_release(&mapped.lock);
	return i;
}

unsigned mapped_hold(pc_addr start, pc_addr end)
{
	unsigned i = find_hold(start, end);

	for (; i == HELD_MAX; i = find_hold(start, end))
		sys_yield();
	wait_until_not_taken(start, end);
	return i;
}

void mapped_release(unsigned held)
{
	lock_take(&mapped.lock);
	mapped.held[held].used = 0;
	lock_release(&mapped.lock);
}

/* ---- the work thread's side ----------------------------------------------------------------- */

bool mapped_piece(pc_addr *start, pc_addr *end)
{
	uint32_t at;
	bool found;

	lock_take(&mapped.lock);
	at = span_after(&mapped.set, *start);
	found = at < mapped.set.count && mapped.set.span[at].start < *end;
	if (found) {
		*start = PC_MAX(*start, mapped.set.span[at].start);
		*end = PC_MIN(*end, mapped.set.span[at].end);
	}
	lock_release(&mapped.lock);
	return found;
}

void mapped_claim(pc_addr base)
{
	lock_take(&mapped.taking);
	store_relaxed(&mapped.unit, base);
	fence_seq(); /* Dekker with wait_until_not_taken */
}

void mapped_done(void)
{
	store_release(&mapped.unit, NOTHING); /* pairs with wait_until_not_taken */
	lock_release(&mapped.taking);
}

static bool is_held(pc_addr start, pc_addr end)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		const struct held *h = &mapped.held[i];

		if (h->used && span_overlaps(start, end, h->span.start, h->span.end))
			return true;
	}
	return false;
}

bool mapped_takeable(pc_addr start, pc_addr end)
{
	bool yes;

	lock_take(&mapped.lock);
	yes = covers(start, end) && !is_held(start, end);
	lock_release(&mapped.lock);
	return yes;
}

void mapped_freeze(void)
{
	lock_take(&mapped.lock);
}

void mapped_thaw(void)
{
	lock_release(&mapped.lock);
}
