#include "flow/forget.h"

#include "base/check.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/forkless.h"
#include "flow/world.h"
#include "kernel/vma.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"

#include <sys/mman.h>

#define TAIL_PIECES 8u /* mappings that a tail may have been cut into */

/* The part of a range that lies in one unit. */
struct slice {
	struct unit *unit;
	unsigned first, end; /* page indices */
};

/* The part of [*at, end) in the unit of *at; *at steps on. The unit may not exist. */
static struct slice cut_slice(pc_addr *at, pc_addr end)
{
	pc_addr base = unit_floor(*at);
	pc_addr stop = PC_MIN(end, base + PC_UNIT);
	struct slice s = {
	    .unit = range_find(base),
	    .first = page_in_unit(*at),
	    .end = (unsigned)((stop - base) >> PC_PAGE_SHIFT),
	};

	*at = stop;
	return s;
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
	page_word w = unit_peek(u, page);

	release(shard, w);
	if (page_away(w))
		UNIT_COUNT(u, dropped);
	page_store(unit_word(u, page), then);
	unit_count(u, page, w, then);
}

/*
 * Threads change the layout one after the other but report it each in their own time. A report of an
 * unmap may so be older than the remap that brought packed pages to the same place, and nothing in
 * it tells. Where something is mapped there now, it cannot be told whether those pages are alive.
 * Once nothing has been left to report, all that was older than the remap has come in.
 */
static struct {
	uint32_t number; /* in the units that remaps led to since then */
	bool open;
} remaps = {.number = 1};

bool forget_unsettled(void)
{
	return load_relaxed(&remaps.open);
}

void forget_settled(void)
{
	remaps.number += remaps.open;
	store_relaxed(&remaps.open, false);
}

static void check_order(const struct unit *u, unsigned page)
{
	pc_addr at = u->base + (pc_addr)page * PC_PAGE;

	if (u->remapped == remaps.number && page_away(unit_peek(u, page)) &&
	    vma_covers(world.mapping_at, world.maps, at))
		pc_fatal("an unmap and a remap of packed memory crossed; which came first is unknown",
			 at, unit_peek(u, page));
}

/* Where what nobody knows of ends, at `end` at the latest. */
static pc_addr unknown_until(pc_addr start, pc_addr end)
{
	while (start < end) {
		const struct unit *u = range_find(start);
		pc_addr next = PC_MIN(end, unit_floor(start) + PC_UNIT);

		if (u && unit_any_registered(u))
			next = start + PC_PAGE;
		if (forkless_hits(start, next) || (u && unit_registered(u, page_in_unit(start))))
			break;
		start = next;
	}
	return start;
}

static bool may_have_grown(const struct vma *v)
{
	return vma_private(v) && !pool_owns(v->start, v->end);
}

pc_addr forget_tail(pc_addr start)
{
	pc_addr stop = start;
	struct vma v = {.end = start};

	for (unsigned i = 0; i < TAIL_PIECES && stop == v.end; i++) {
		if (world.mapping_at(world.maps, stop, &v) || v.start != stop ||
		    !may_have_grown(&v))
			break;
		stop = unknown_until(stop, v.end);
	}
	return stop;
}

/* [start, end) lies in one unit. False: there is no room for it. */
static bool adopt(pc_addr start, pc_addr end)
{
	struct unit *u = range_ensure(start);
	const unsigned first = page_in_unit(start);
	const unsigned stop = first + (unsigned)((end - start) >> PC_PAGE_SHIFT);

	if (!u)
		return false;
	unit_set_registered(u, first, stop, true);
	/* A mapping that grew took MADV_DONTFORK along, if it had it. */
	if (!forkless_hits(start, end))
		unit_set_dontfork(u, first, stop);
	u->unguarded = 1;
	return true;
}

/* Where there is something else, the call changes nothing, and a failure is that of what has gone. */
static void give(pc_addr start, pc_addr stop)
{
	if (stop > start)
		sys_madvise(start, stop - start, MADV_DOFORK);
}

/* Where the mapping begins that goes on at `stop` with what the table knows of; `stop`: nothing does. */
static pc_addr known_from(pc_addr stop)
{
	const struct unit *u = range_find(stop);
	struct vma v;

	if (!u || !unit_registered(u, page_in_unit(stop)) ||
	    world.mapping_at(world.maps, stop, &v) || v.start > stop)
		return stop;
	return v.start;
}

/*
 * To give a part of a mapping would cut it in two, and who releases the rest that is known would see only
 * that: so the table knows all of it from now on.
 */
static void free_tail(pc_addr start)
{
	const pc_addr stop = forget_tail(start);
	pc_addr known, next;

	if (stop == start)
		return;
	known = PC_MAX(start, known_from(stop));
	give(start, known);
	for (pc_addr at = known; at < stop; at = next) {
		next = PC_MIN(stop, unit_floor(at) + PC_UNIT);
		if (!adopt(at, next))
			give(at, next);
	}
}

/*
 * Where a layout event was pending when the pager registered, what it registered may be the mapping
 * that came after, kept from children. It stays noted, for nobody else would ever release it: see
 * guard_unit().
 */
static void free_slice(const struct slice *s)
{
	for (unsigned i = s->first; i < s->end; i++) {
		pc_addr at = s->unit->base + (pc_addr)i * PC_PAGE;

		if (unit_dontfork(s->unit, i) && !forkless_hits(at, at + PC_PAGE))
			sys_madvise(at, PC_PAGE, MADV_DOFORK);
	}
}

void forget_unmap(unsigned shard, pc_addr start, pc_addr end)
{
	for (pc_addr at = start; at < end;) {
		struct slice s = cut_slice(&at, end);

		for (unsigned i = s.first; s.unit && i < s.end; i++) {
			if (!unit_peek(s.unit, i))
				continue;
			check_order(s.unit, i);
			drop(shard, s.unit, i, page_make(PAGE_RESIDENT, 0));
		}
		if (s.unit && s.unit->unguarded)
			free_slice(&s);
		else if (s.unit)
			unit_set_registered(s.unit, s.first, s.end, false);
	}
	free_tail(end);
}

/*
 * What was away has its old bytes dropped here and now: a later touch finds zeros, which is what
 * the discard promises. What is resident is still to be discarded by the program's own thread. The
 * report says that the kernel has the range registered, whatever the table thinks.
 */
void forget_discard(unsigned shard, pc_addr start, pc_addr end)
{
	for (pc_addr at = start; at < end;) {
		pc_addr from = at;
		struct slice s = cut_slice(&at, end);

		if (!s.unit)
			s.unit = range_ensure(from);
		if (!s.unit)
			pc_fatal("no room to note a discard", from, at);
		unit_words(s.unit, s.first, s.end);
		for (unsigned i = s.first; i < s.end; i++) {
			bool away = page_away(unit_peek(s.unit, i));

			drop(shard, s.unit, i, page_make(away ? PAGE_RESIDENT : PAGE_REMOVING, 0));
		}
	}
}

void forget_away(unsigned shard, pc_addr start, pc_addr end)
{
	const page_word home = page_make(PAGE_RESIDENT, 0);

	for (pc_addr at = start; at < end;) {
		struct slice s = cut_slice(&at, end);

		for (unsigned i = s.first; s.unit && i < s.end; i++)
			if (page_away(unit_peek(s.unit, i)))
				drop(shard, s.unit, i, home);
	}
}

static void move_page(unsigned shard, pc_addr from, pc_addr to)
{
	struct unit *a = range_find(from);
	unsigned i = page_in_unit(from), k = page_in_unit(to);
	struct unit *b;
	page_word w;

	if (!a || !unit_peek(a, i))
		return;
	b = range_ensure(to);
	/* Without a unit there is nowhere to note where the bytes are, so they would be lost. */
	if (!b)
		pc_fatal("no room to follow a remapped page", from, to);
	unit_list(b);
	unit_words(b, k, k + 1);
	w = unit_peek(a, i);
	/* What the table has at the target was unmapped before: its own report is still to come. */
	drop(shard, b, k, w);
	unit_count(a, i, w, page_make(PAGE_RESIDENT, 0));
	page_store(unit_word(a, i), page_make(PAGE_RESIDENT, 0));
	if (page_state(w) == PAGE_STAGED)
		staging_rename(page_slot(w), to);
	if (page_away(w)) {
		b->remapped = remaps.number;
		store_relaxed(&remaps.open, true);
	}
	b->unguarded |= page_away(w);
}

/*
 * With it goes MADV_DONTFORK, and whose it is. What moves is registered, known or not: a mapping
 * that grew took both along, or just the first, where guarding it had failed.
 */
static void move_registration(pc_addr from, pc_addr to)
{
	const struct unit *a = range_find(from);
	const bool known = a && unit_registered(a, page_in_unit(from));
	struct unit *b = range_ensure(to);
	unsigned k = page_in_unit(to);

	if (!b)
		return;
	/* Where something is known there, its unmap is still to be reported, and is not of what came. */
	b->unguarded |= !known || a->unguarded || unit_registered(b, k);
	unit_set_registered(b, k, k + 1, true);
	if (known ? unit_dontfork(a, page_in_unit(from)) : !forkless_hits(from, from + PC_PAGE))
		unit_set_dontfork(b, k, k + 1);
	else
		forkless_follow(from, from + PC_PAGE, to, to + PC_PAGE, true, forkless_notes());
}

/*
 * The old range stays registered and empty (MREMAP_DONTUNMAP) or is reported unmapped next. The new
 * one overlaps nothing of the old: the kernel refuses that.
 */
void forget_remap(unsigned shard, pc_addr from, pc_addr to, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += PC_PAGE) {
		move_registration(from + off, to + off);
		move_page(shard, from + off, to + off);
	}
}

void forget_adopt(pc_addr page)
{
	/* A full table only costs the next fault here another look. */
	(void)adopt(page, page + PC_PAGE);
}
