#include "flow/forget.h"

#include "base/check.h"
#include "base/stats.h"
#include "flow/world.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"

/* The part of a range that lies in one unit. */
struct slice {
	struct unit *unit;
	unsigned first, end; /* page indices */
};

/* Steps *at through [.., end) unit by unit, skipping what has no unit. */
static bool next_slice(pc_addr *at, pc_addr end, struct slice *s)
{
	while (*at < end) {
		pc_addr base = unit_floor(*at);
		pc_addr stop = PC_MIN(end, base + PC_UNIT);

		s->unit = range_find(base);
		s->first = page_in_unit(*at);
		s->end = (unsigned)((stop - base) >> PC_PAGE_SHIFT);
		*at = stop;
		if (s->unit)
			return true;
	}
	return false;
}

static void release(unsigned shard, page_word w)
{
	switch (page_state(w)) {
	case PAGE_RESIDENT:
	case PAGE_REMOVING:
		return;
	case PAGE_STAGED:
		staging_release(page_slot(w));
		ADD(shard, pages_staged, -1);
		return;
	case PAGE_PACKED:
		store_free(page_ref(w));
		break;
	case PAGE_SAME:
		ADD(shard, pages_same, -1);
		break;
	case PAGE_LEAVING:
	case PAGE_RETURNING:
		pc_fatal("a page is between states while the gate is closed", w, 0);
	}
	ADD(shard, pages_stored, -1);
	COUNT(shard, pages_dropped);
}

/* Drops whatever the pager holds of the page; what is left is `then`. */
static void drop(unsigned shard, struct unit *u, unsigned page, page_word then)
{
	page_word w = page_load(&u->word[page]);

	release(shard, w);
	page_store(&u->word[page], then);
	unit_count(u, w, then);
}

void forget_unmap(unsigned shard, pc_addr start, pc_addr end)
{
	pc_addr at = start;
	struct slice s;

	while (next_slice(&at, end, &s)) {
		for (unsigned i = s.first; i < s.end; i++)
			if (s.unit->word[i])
				drop(shard, s.unit, i, page_make(PAGE_RESIDENT, 0));
		unit_set_registered(s.unit, s.first, s.end, false);
	}
}

/*
 * What was away has its old bytes dropped here and now: a later touch finds zeros, which is what
 * the discard promises. What is resident is still to be discarded by the program's own thread.
 */
void forget_discard(unsigned shard, pc_addr start, pc_addr end)
{
	pc_addr at = start;
	struct slice s;

	while (next_slice(&at, end, &s)) {
		for (unsigned i = s.first; i < s.end; i++) {
			enum page_state then = page_away(s.unit->word[i]) ? PAGE_RESIDENT
									  : PAGE_REMOVING;

			if (unit_registered(s.unit, i))
				drop(shard, s.unit, i, page_make(then, 0));
		}
	}
}

static void move_page(pc_addr from, pc_addr to)
{
	struct unit *a = range_find(from);
	struct unit *b;
	unsigned i = page_in_unit(from), k = page_in_unit(to);
	page_word w;

	if (!a || !unit_registered(a, i))
		return;
	b = range_ensure(to);
	w = page_load(&a->word[i]);
	/* Without a unit there is nowhere to note where the bytes are, so they would be lost. */
	if (!b && page_away(w))
		pc_fatal("no room to follow a remapped page", from, to);
	if (!b)
		return;
	page_store(&b->word[k], w);
	page_store(&a->word[i], page_make(PAGE_RESIDENT, 0));
	unit_set_registered(b, k, k + 1, true);
	b->dontfork |= a->dontfork;
	if (page_state(w) == PAGE_STAGED)
		staging_rename(page_slot(w), to);
	unit_count(a, w, page_make(PAGE_RESIDENT, 0));
	unit_count(b, page_make(PAGE_RESIDENT, 0), w);
}

/*
 * The old range stays registered and empty (MREMAP_DONTUNMAP) or is reported unmapped next. The new
 * one may overlap nothing of the old: the kernel refuses that.
 */
void forget_remap(pc_addr from, pc_addr to, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += PC_PAGE)
		move_page(from + off, to + off);
}

void forget_adopt(pc_addr page)
{
	struct unit *u = range_ensure(page);
	unsigned i = page_in_unit(page);

	/* A full table only costs the next fault here another look. */
	if (u)
		unit_set_registered(u, i, i + 1, true);
}
