#include "flow/exclude.h"

#include "base/lock.h"
#include "kernel/vma.h"
#include "state/span.h"

#define EXCLUDE_MAX 4096u
#define HOLDS_MAX   64u
#define LOOKS_MAX   (2 * EXCLUDE_MAX + 64) /* enough for a page of each */

struct hold {
	uint32_t number; /* 0: not in use */
	struct pc_span span;
};

static struct pc_span spans[EXCLUDE_MAX];
static struct span_set set = {.span = spans, .max = EXCLUDE_MAX};
static struct hold holds[HOLDS_MAX];
/* Not set back: a number from before a fork must mean nothing after it. */
static uint32_t last_number;
static struct lock lock; /* all of this */

void exclude_reset(void)
{
	lock_reset(&lock);
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (holds[i].number)
			holds[i].number = 0;
}

/* Halves what is mapped in part, down to pages. Where a hole has no room it stays in. */
static void drop_unmapped(pc_addr start, pc_addr end, unsigned *looks)
{
	const pc_addr middle = page_floor(start + (end - start) / 2);

	if (!*looks)
		return;
	--*looks;
	if (vma_mapped(start, end))
		return;
	if (middle == start) {
		span_remove(&set, start, end);
		return;
	}
	drop_unmapped(start, middle, looks);
	drop_unmapped(middle, end, looks);
}

/* Nobody adds meanwhile: what is found unmapped is not what another call is about to work on. */
static void prune(void)
{
	unsigned looks = LOOKS_MAX;
	pc_addr at = 0;
	uint32_t i;

	while (looks && (i = span_after(&set, at)) < set.count) {
		at = set.span[i].end;
		drop_unmapped(set.span[i].start, at, &looks);
	}
}

void exclude_prune(void)
{
	lock_take(&lock);
	prune();
	lock_release(&lock);
}

bool exclude_add(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = span_add(&set, page_floor(start), page_ceil(end));
	if (!ok) {
		prune();
		ok = span_add(&set, page_floor(start), page_ceil(end));
	}
	lock_release(&lock);
	return ok;
}

bool exclude_remove(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = span_remove(&set, page_floor(start), page_ceil(end));
	lock_release(&lock);
	return ok;
}

static struct hold *find(uint32_t number)
{
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (holds[i].number == number)
			return &holds[i];
	return NULL;
}

uint32_t exclude_hold(pc_addr start, pc_addr end)
{
	struct hold *h;
	uint32_t number = 0;

	lock_take(&lock);
	h = find(0);
	if (h) {
		last_number += last_number == UINT32_MAX ? 2 : 1;
		number = last_number;
		*h = (struct hold){number, {page_floor(start), page_ceil(end)}};
	}
	lock_release(&lock);
	return number;
}

void exclude_release(uint32_t hold)
{
	struct hold *h;

	lock_take(&lock);
	h = hold ? find(hold) : NULL;
	if (h)
		h->number = 0;
	lock_release(&lock);
}

static bool is_held(pc_addr start, pc_addr end)
{
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (holds[i].number &&
		    span_overlaps(start, end, holds[i].span.start, holds[i].span.end))
			return true;
	return false;
}

bool exclude_hits(pc_addr start, pc_addr end)
{
	bool hits;

	lock_take(&lock);
	hits = span_hits(&set, start, end) || is_held(start, end);
	lock_release(&lock);
	return hits;
}
