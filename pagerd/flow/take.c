#include "flow/take.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/exclude.h"
#include "flow/forget.h"
#include "flow/forkless.h"
#include "flow/mapped.h"
#include "flow/move.h"
#include "flow/seal.h"
#include "flow/shed.h"
#include "flow/world.h"
#include "kernel/pagemap.h"
#include "kernel/vma.h"
#include "state/staging.h"
#include "state/thread.h"

#include <sys/mman.h>

/* Holes up to this are registered along rather than splitting a mapping. */
#define RUN_GAP_MAX 16u
/* Pages refused as busy before the unit is left alone for a while. */
#define BUSY_MAX   8u
#define PIECES_MAX 64u
#define SHARD	   0u

/* One attempt on one unit. */
struct take {
	struct unit *unit;
	struct chunk *chunk;
	const uint64_t *managed; /* pages that may be considered */
	uint64_t present[UNIT_MAP_WORDS];
	uint64_t kept[UNIT_MAP_WORDS]; /* thread control blocks, and what hooks excluded */
	uint64_t runs[UNIT_MAP_WORDS]; /* worth a registration */
	uint64_t used[UNIT_MAP_WORDS]; /* slots that something was moved to: law of flow/move.h */
	struct piece {
		unsigned first, end;
	} piece[PIECES_MAX]; /* of runs, each in one mapping, registered */
	unsigned pieces;
	unsigned taken;
	unsigned busy;
	bool stop; /* a layout event is pending, or the kernel will not have it */
};

static bool bit(const uint64_t *map, unsigned i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static pc_addr addr_of(const struct take *t, unsigned page)
{
	return t->unit->base + (pc_addr)page * PC_PAGE;
}

static int look(struct take *t)
{
	return pagemap_present(&world.pagemap, t->unit->base, t->unit->base + PC_UNIT, t->present);
}

/* A page that is there, is the program's, and is not known to be hopeless. */
static bool wanted(const struct take *t, unsigned page, page_word w, pc_ns now)
{
	if (!bit(t->present, page) || !bit(t->managed, page) || bit(t->kept, page))
		return false;
	if (page_state(w) == PAGE_REMOVING) {
		COUNT(SHARD, take_removing);
		return false;
	}
	if (w & PAGE_POOR && now < t->unit->heat.poor_until) {
		COUNT(SHARD, compress_skips_backoff);
		return false;
	}
	return page_state(w) == PAGE_RESIDENT;
}

/*
 * Which runs are worth registering: wanted pages, small holes between them included, nothing that
 * is not managed or must stay: a hook that has excluded memory counts on its being one mapping.
 * Returns the number of wanted pages.
 */
static unsigned choose_runs(struct take *t, pc_ns now)
{
	const unsigned least = world.everything ? 1 : TAKE_RUN_MIN;
	unsigned run = 0, last = 0, in_run = 0, sum = 0;

	for (unsigned i = 0; i <= PC_UNIT_PAGES; i++) {
		bool end = i == PC_UNIT_PAGES || !bit(t->managed, i) || bit(t->kept, i);
		bool want = !end && wanted(t, i, unit_peek(t->unit, i), now);

		if (in_run && (end || (want && i - last > RUN_GAP_MAX))) {
			if (in_run >= least) {
				map_set_run(t->runs, run, last);
				sum += in_run;
			}
			in_run = 0;
		}
		if (!want)
			continue;
		if (!in_run++)
			run = i;
		last = i + 1;
	}
	return sum;
}

/* The mapping at `at` may be taken from: private anonymous, read-write, nothing else. */
static bool mapping_ok(pc_addr at, pc_addr *end)
{
	struct vma v;

	if (world.mapping_at(world.maps, at, &v))
		return false;
	*end = v.end;
	return v.start <= at && v.read && v.write && !v.exec && vma_private(&v);
}

/* Which of the pages [first, end) the program has not kept from its children itself. */
static void find_guardable(const struct unit *u, unsigned first, unsigned end,
			   uint64_t map[UNIT_MAP_WORDS])
{
	pc_addr at = u->base + (pc_addr)first * PC_PAGE;
	bool some = forkless_hits(at, u->base + (pc_addr)end * PC_PAGE);

	memset(map, 0, UNIT_MAP_WORDS * sizeof(*map));
	for (unsigned i = first; i < end; i++, at += PC_PAGE)
		if (!some || unit_dontfork(u, i) || !forkless_hits(at, at + PC_PAGE))
			map_set_run(map, i, i + 1);
}

static void take_back_guard(const struct unit *u, unsigned first, unsigned end)
{
	uint64_t home[UNIT_MAP_WORDS] = {0};
	unsigned run = first, stop;

	for (unsigned i = first; i < end; i++)
		if (!unit_away(u, i))
			map_set_run(home, i, i + 1);
	for (; map_next_run(home, &run, &stop); run = stop)
		sys_madvise(u->base + (pc_addr)run * PC_PAGE, (stop - run) * PC_PAGE, MADV_DOFORK);
}

/*
 * A child of a fork that we did not see must crash on these pages, not read zeros (hazard F5), so
 * this comes before the first of them leaves. With nothing pending afterwards, what was there was
 * what we registered, and the flag goes when it goes. Else it may lie on a mapping that the table
 * does not know, whose children would miss it: it is taken back. Not where a page is away, or on its
 * way home, which had it before it left; should that mapping have gone meanwhile, forget_unmap() takes
 * it back. Refused with nothing pending it lies on what is registered and noted, if anywhere.
 */
static bool guard_run(struct unit *u, unsigned first, unsigned end)
{
	const pc_addr start = u->base + (pc_addr)first * PC_PAGE;
	const uint64_t len = (end - first) * PC_PAGE;

	unit_set_dontfork(u, first, end);
	if (!uffd_pending(&world.uffd)) {
		bool set = !sys_madvise(start, len, MADV_DONTFORK);

		if (uffd_pending(&world.uffd)) {
			forkless_lose();
			take_back_guard(u, first, end);
		} else if (set) {
			return true;
		}
	}
	u->unguarded = 1;
	return false;
}

static bool guard(struct unit *u, const uint64_t *map)
{
	unsigned first = 0, end;

	for (; map_next_run(map, &first, &end); first = end)
		if (!guard_run(u, first, end))
			return false;
	return true;
}

static bool all_guarded(const struct unit *u, unsigned first, unsigned end)
{
	while (first < end && unit_dontfork(u, first))
		first++;
	return first == end;
}

/* Who keeps a piece from children by MADV_DONTFORK. */
enum keeper {
	KEEPER_PROGRAM,
	KEEPER_PAGER,
	KEEPER_NONE,
	KEEPER_UNKNOWN,
};

/*
 * What was noted of the piece may be older than its mapping, and only smaps shows the flag. But
 * setting it on a part of a mapping cuts the mapping in two, unless it was set already. The piece
 * is registered and lies in one mapping.
 */
static enum keeper find_keeper(const struct unit *u, unsigned first, unsigned end)
{
	const pc_addr start = u->base + (pc_addr)first * PC_PAGE;
	pc_addr stop = u->base + (pc_addr)end * PC_PAGE;
	struct vma whole, part;
	long err;

	if (world.mapping_at(world.maps, start, &whole))
		return KEEPER_UNKNOWN;
	stop = PC_MIN(stop, whole.end - PC_PAGE);
	if (start >= stop || uffd_pending(&world.uffd))
		return KEEPER_UNKNOWN;
	err = sys_madvise(start, stop - start, MADV_DONTFORK);
	if (uffd_pending(&world.uffd))
		forkless_lose();
	if (err || world.mapping_at(world.maps, start, &part) || part.end != whole.end)
		return KEEPER_NONE;
	return KEEPER_PROGRAM;
}

/*
 * All of the piece was noted as the program's to keep from its children, or nothing of it was. What
 * is noted as ours is noted before it is tried, so in a unit where that failed it proves nothing.
 * KEEPER_NONE: it could not be guarded.
 */
static enum keeper guard_piece(struct unit *u, unsigned first, unsigned end)
{
	const pc_addr start = u->base + (pc_addr)first * PC_PAGE;
	const pc_addr stop = u->base + (pc_addr)end * PC_PAGE;
	const bool noted = all_guarded(u, first, end);
	enum keeper keeper = KEEPER_NONE;

	if (noted && !u->unguarded)
		return KEEPER_PAGER;
	if (!noted && forkless_hits(start, stop)) {
		/* Of a part, so the program is about to set the flag there. */
		keeper = forkless_hits(start, start + PC_PAGE) ? find_keeper(u, first, end)
							       : KEEPER_UNKNOWN;
		if (keeper != KEEPER_NONE)
			return keeper;
		forkless_remove(start, stop);
	}
	return guard_run(u, first, end) ? KEEPER_PAGER : KEEPER_NONE;
}

/* Up to where pages are forkless as the first is: the flag cuts mappings in two. */
static unsigned end_of_kind(const struct take *t, unsigned first, unsigned end)
{
	bool forkless = forkless_hits(addr_of(t, first), addr_of(t, first + 1));
	unsigned i = first + 1;

	if (!forkless_hits(addr_of(t, first), addr_of(t, end)))
		return end;
	while (i < end && forkless_hits(addr_of(t, i), addr_of(t, i + 1)) == forkless)
		i++;
	return i;
}

static bool is_known(pc_addr page)
{
	const struct unit *u = range_find(page);

	return u && unit_registered(u, page_in_unit(page));
}

/*
 * A mapping that grew in place took its registration and MADV_DONTFORK along, beyond what the table
 * knows: up to the end of the mapping, or to the next page that the table has as registered.
 */
static pc_addr end_of_run(const struct unit *u, unsigned end)
{
	pc_addr stop = u->base + (pc_addr)end * PC_PAGE;
	struct vma v;

	if (world.mapping_at(world.maps, stop - PC_PAGE, &v) || v.start >= stop)
		return stop;
	while (stop < v.end && !is_known(stop))
		stop += PC_PAGE;
	return stop;
}

/*
 * What grew may have lost its beginning since, and be known again only from where it was touched. To
 * leave the rest registered would cut the mapping.
 */
static pc_addr start_of_run(const struct unit *u, unsigned first)
{
	pc_addr start = u->base + (pc_addr)first * PC_PAGE;
	struct vma v;

	if (world.mapping_at(world.maps, start, &v))
		return start;
	while (start > v.start && !is_known(start - PC_PAGE))
		start -= PC_PAGE;
	return start;
}

/*
 * Left as it is, the program's children would miss it, and mremap() meet two mappings. What had
 * gone from the run before it was registered is no failure.
 */
static bool give_to_children(pc_addr start, pc_addr stop)
{
	if (!sys_madvise(start, stop - start, MADV_DOFORK))
		return true;
	for (; start < stop; start += PC_PAGE)
		if (sys_madvise(start, PC_PAGE, MADV_DOFORK) &&
		    vma_covers(world.mapping_at, world.maps, start))
			return false;
	return true;
}

/*
 * Not noted as the pager's to keep from children, where a layout event was pending: the note may be of
 * other memory. Nor is any of it the program's.
 */
static bool is_nobodys(const struct unit *u, pc_addr start, pc_addr stop)
{
	return u->unguarded && !forkless_hits(start, stop);
}

/* What may have grown along, with the flag of what it grew from: a refusal says that it did not. */
static void release_tail(pc_addr start, pc_addr stop, bool give)
{
	if (start == stop)
		return;
	if (give)
		sys_madvise(start, stop - start, MADV_DOFORK);
	uffd_unregister(&world.uffd, start, stop);
}

/* From now on the table knows of all that it is, more than it knew before. */
static void register_again(pc_addr start, pc_addr stop)
{
	if (start == stop)
		return;
	uffd_register(&world.uffd, start, stop);
	for (; start < stop; start += PC_PAGE)
		forget_adopt(start);
}

/*
 * The kernel unregisters whatever lies there, events pending or not. That may be memory with pages
 * of ours, remapped to where another mapping has just gone: then it is registered again at once,
 * and guarded when nothing is pending. False in that case; refused without an event, nothing of the
 * kind is mapped there any more.
 */
static bool release_run(struct unit *u, unsigned first, unsigned end, bool guarded)
{
	pc_addr start = start_of_run(u, first);
	pc_addr stop = end_of_run(u, end), tail;
	const bool give = guarded || is_nobodys(u, start, stop);

	if (uffd_pending(&world.uffd))
		return false;
	if (give && !give_to_children(start, stop))
		return false;
	if (uffd_unregister(&world.uffd, start, stop))
		COUNT(SHARD, register_failed);
	/* Only now can it grow no more with what is to be released. */
	tail = forget_tail(stop);
	release_tail(stop, tail, give);
	if (uffd_pending(&world.uffd)) {
		forkless_lose();
		register_again(start, stop);
		register_again(stop, tail);
		return false;
	}
	unit_set_registered(u, first, end, false);
	COUNT(SHARD, ranges_removed);
	return true;
}

static bool is_own(const struct take *t, unsigned page)
{
	uint64_t own[UNIT_MAP_WORDS];

	return pagemap_unshared(&world.pagemap, addr_of(t, page), addr_of(t, page + 1), own) > 0;
}

static bool owns_ends(const struct take *t, unsigned first, unsigned end)
{
	return is_own(t, first) && is_own(t, end - 1);
}

/*
 * A mapping has been cut here that was never written to, or may be: it becomes whole again. It may have
 * grown to here from one with a guard, after an unmap that a pager has read and waits to carry out.
 */
static void let_go(struct take *t, unsigned first, unsigned end)
{
	const uint32_t unguarded = t->unit->unguarded;

	COUNT(SHARD, take_lost_race);
	t->unit->unguarded = 1;
	if (release_run(t->unit, first, end, false))
		t->unit->unguarded = unguarded;
}

static bool register_piece(struct take *t, unsigned first, unsigned end)
{
	bool fresh = !unit_registered(t->unit, first);
	enum keeper keeper;

	/* What is mapped here may have taken the place of what is in the table, and nothing can leave. */
	if (uffd_pending(&world.uffd)) {
		COUNT(SHARD, take_again);
		t->stop = true;
		return false;
	}
	if (uffd_register(&world.uffd, addr_of(t, first), addr_of(t, end))) {
		COUNT(SHARD, register_failed);
		return false;
	}
	unit_set_registered(t->unit, first, end, true);
	/* What was asked before may have gone without an event, and what came has no page there yet. */
	if (fresh && !owns_ends(t, first, end)) {
		let_go(t, first, end);
		return true;
	}
	keeper = guard_piece(t->unit, first, end);
	if (keeper == KEEPER_NONE) {
		COUNT(SHARD, register_failed);
		return false;
	}
	if (keeper == KEEPER_UNKNOWN) {
		t->unit->unguarded = 1;
		return true;
	}
	t->piece[t->pieces++] = (struct piece){first, end};
	if (fresh)
		COUNT(SHARD, ranges_added);
	return true;
}

/*
 * Of the pages [first, end) of one mapping those from the first that is the program's own to the
 * last. That they were there when the run was chosen is not enough: they may have gone since, or be
 * zeros that were only read. A mapping that has never been written to has no anon_vma yet; cut, each
 * part of it would get one of its own, and they would stay mappings of their own for good.
 */
static bool register_own(struct take *t, unsigned first, unsigned end)
{
	uint64_t own[UNIT_MAP_WORDS];
	unsigned low = 0, high = end - first;

	/* Most are, and to look at all would take longer than to register them. */
	if (owns_ends(t, first, end))
		return register_piece(t, first, end);
	if (pagemap_unshared(&world.pagemap, addr_of(t, first), addr_of(t, end), own) <= 0)
		return true;
	while (!bit(own, low))
		low++;
	while (!bit(own, high - 1))
		high--;
	return register_piece(t, first + low, first + high);
}

/* Cuts a run at the ends of mappings, and of what is forkless, and registers the pieces. */
static void register_run(struct take *t, unsigned first, unsigned end)
{
	while (first < end && t->pieces < PIECES_MAX) {
		unsigned stop = end;
		pc_addr vma_end;

		if (!mapping_ok(addr_of(t, first), &vma_end)) {
			COUNT(SHARD, take_invalid);
			return;
		}
		if (vma_end < addr_of(t, end))
			stop = (unsigned)((vma_end - t->unit->base) >> PC_PAGE_SHIFT);
		stop = end_of_kind(t, first, stop);
		if (!register_own(t, first, stop))
			return;
		first = stop;
	}
}

/*
 * The kernel moves from memory that is not registered as gladly, and registers what is mapped while
 * skipping what is not. A piece could so have been unmapped before and mapped again after we
 * registered it, without an event. But a mapping that we registered and one that we did not never
 * merge: when one mapping covers the whole piece now, it is either the one we registered, or that
 * one has been unmapped since, with an event, which keeps the kernel from moving anything.
 */
static bool still_whole(const struct take *t, const struct piece *p)
{
	pc_addr end;

	return mapping_ok(addr_of(t, p->first), &end) && end >= addr_of(t, p->end);
}

/*
 * A discard that was reported has been carried out where the page is gone. One that the kernel is
 * just moving elsewhere is neither present nor gone. Inside the gate.
 */
static void settle_discards(struct unit *u)
{
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		page_word w = unit_peek(u, i);

		if (page_state(w) == PAGE_REMOVING &&
		    pagemap_occupied(&world.pagemap, u->base + i * PC_PAGE) == 0)
			page_swing(unit_word(u, i), w, page_make(PAGE_RESIDENT, 0));
	}
}

static void staged_one(struct take *t, unsigned page)
{
	uint32_t slot = staging_slot(t->chunk, page);
	page_word w = page_make(PAGE_STAGED, slot);

	staging_hold(slot, addr_of(t, page));
	map_set_run(t->used, page, page + 1);
	UNIT_COUNT(t->unit, taken);
	unit_count(t->unit, page, page_make(PAGE_RESIDENT, 0), w);
	page_store(unit_word(t->unit, page), w);
	t->taken++;
}

static void leave_alone(struct take *t, unsigned page)
{
	page_store(unit_word(t->unit, page), page_make(PAGE_RESIDENT, 0));
}

/* What stopped the move: that page is skipped, and for most causes all of the unit stops. */
static void note_refusal(struct take *t, enum uffd_result res)
{
	switch (res) {
	case UFFD_BUSY:
		COUNT(SHARD, take_busy);
		t->stop = ++t->busy >= BUSY_MAX;
		return;
	case UFFD_GONE:
	case UFFD_EXISTS:
		COUNT(SHARD, take_lost_race);
		return;
	case UFFD_INVALID:
		COUNT(SHARD, take_invalid);
		t->stop = true;
		return;
	case UFFD_AGAIN:
		COUNT(SHARD, take_again);
		t->stop = true;
		return;
	case UFFD_DONE:
	case UFFD_NOMEM:
	case UFFD_FAILED:
		t->stop = true;
		return;
	}
}

/* Pages [i, end) are LEAVING. Moves what the kernel lets go. */
static void move_out(struct take *t, unsigned i, unsigned end)
{
	while (i < end && !t->stop) {
		uint64_t done, len = PC_MIN((end - i) * PC_PAGE, UFFD_MOVE_MAX);
		pc_ns start = clock_now();
		enum uffd_result res;
		int error;

		res = move_pages(SHARD, MOVE_OUT, staging_slot_addr(staging_slot(t->chunk, i)),
				 addr_of(t, i), len, &done, &error);
		OBSERVE(SHARD, take_call, clock_since(start));
		COUNT(SHARD, take_calls);
		ADD(SHARD, take_pages, done / PC_PAGE);
		ADD(SHARD, pages_staged, done / PC_PAGE);
		for (uint64_t n = done; n; n -= PC_PAGE)
			staged_one(t, i++);
		if (res != UFFD_DONE && !done) {
			note_refusal(t, res);
			leave_alone(t, i++);
		}
	}
	for (; i < end; i++)
		leave_alone(t, i);
}

/* What has left and come back meanwhile left its old bytes in its slot. */
static bool win_leaving(struct take *t, unsigned page, pc_ns now)
{
	page_word w = unit_peek(t->unit, page);

	return wanted(t, page, w, now) && !bit(t->used, page) &&
	       page_swing(unit_word(t->unit, page), w, page_make(PAGE_LEAVING, 0));
}

/* Wins the wanted pages of [i, end) run by run and moves them. */
static void take_pages(struct take *t, unsigned i, unsigned end, pc_ns now)
{
	while (i < end && !t->stop) {
		unsigned run = i;

		while (i < end && i - run < UFFD_MOVE_MAX / PC_PAGE && win_leaving(t, i, now))
			i++;
		if (i > run)
			move_out(t, run, i);
		else
			i++;
	}
}

static void keep_excluded(struct take *t)
{
	if (!exclude_hits(t->unit->base, t->unit->base + PC_UNIT))
		return;
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		if (exclude_hits(addr_of(t, i), addr_of(t, i + 1)))
			map_set_run(t->kept, i, i + 1);
}

/* True: until thread_take_end() no thread is born that is not marked here. */
static bool begin_taking(struct take *t)
{
	if (!thread_take_begin((int)sys_gettid()))
		return false;
	thread_mark(t->unit->base, t->kept);
	keep_excluded(t);
	return true;
}

static void take_inside(struct take *t, pc_ns now)
{
	pc_addr chunk = staging_chunk_addr(t->chunk);
	unsigned first = 0, end;

	for (; map_next_run(t->runs, &first, &end); first = end)
		register_run(t, first, end);
	settle_discards(t->unit);
	if (look(t) <= 0)
		return;
	unit_list(t->unit);
	if (uffd_register(&world.uffd, chunk, chunk + PC_UNIT))
		return;
	for (unsigned i = 0; i < t->pieces && !t->stop; i++)
		if (still_whole(t, &t->piece[i]))
			take_pages(t, t->piece[i].first, t->piece[i].end, now);
	if (uffd_unregister(&world.uffd, chunk, chunk + PC_UNIT))
		pc_fatal("staging cannot be unregistered", chunk, 0);
}

/*
 * The kernel will not move a page that a child shares, nor go back on that once the child has gone:
 * only a write makes the page the program's own again. Nobody writes to cold memory, so the pager
 * asks for one that changes no byte. Pages that a living child still maps are left alone, for they
 * would be copied. Outside the gate: an absent page is a fault that a pager must answer.
 */
static unsigned own_again(const struct take *t)
{
	uint64_t own[UNIT_MAP_WORDS];
	unsigned first = 0, end, pages = 0;

	if (!t->busy ||
	    pagemap_unshared(&world.pagemap, t->unit->base, t->unit->base + PC_UNIT, own) <= 0)
		return 0;
	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
		own[i] &= t->present[i] & t->managed[i] & ~t->kept[i];
	for (; map_next_run(own, &first, &end); first = end)
		if (!sys_madvise(addr_of(t, first), (end - first) * PC_PAGE, MADV_POPULATE_WRITE))
			pages += end - first;
	ADD(SHARD, take_owned_again, pages);
	return pages;
}

/* ---- without UFFDIO_MOVE: see flow/shed.h ---------------------------------------------------- */

/* What is not in the set any more, or about to be discarded by the program. */
static void keep_unmapped(struct take *t)
{
	if (mapped_takeable(t->unit->base, t->unit->base + PC_UNIT))
		return;
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		if (!mapped_takeable(addr_of(t, i), addr_of(t, i + 1)))
			map_set_run(t->kept, i, i + 1);
}

/* The pieces that could not be protected are none. */
static void protect_inside(struct take *t)
{
	unsigned first = 0, end, n = 0;

	for (; map_next_run(t->runs, &first, &end); first = end)
		register_run(t, first, end);
	for (unsigned i = 0; i < t->pieces; i++)
		if (shed_protect(t->unit, t->piece[i].first, t->piece[i].end))
			t->piece[n++] = t->piece[i];
	t->pieces = n;
	if (n)
		shed_see_writers_off(t->chunk);
	unit_list(t->unit);
}

static void stage_gone(struct take *t, unsigned first, unsigned end, const uint64_t *gone)
{
	for (unsigned i = first; i < end; i++) {
		if (!bit(gone, i)) {
			leave_alone(t, i);
			continue;
		}
		staged_one(t, i);
		COUNT(SHARD, take_madvise_pages);
		ADD(SHARD, pages_staged, 1);
	}
}

/* Pages [i, end), a batch: runs of those that can be won leave. */
static void collect_inside(struct take *t, unsigned i, unsigned end, pc_ns now)
{
	while (i < end && !t->stop) {
		uint64_t gone[UNIT_MAP_WORDS] = {0};
		unsigned first = i;
		pc_ns start = clock_now();

		while (i < end && win_leaving(t, i, now))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		t->stop = !shed_collect(t->unit, t->chunk, first, i, gone);
		stage_gone(t, first, i, gone);
		OBSERVE(SHARD, take_call, clock_since(start));
	}
}

static void collect_piece(struct take *t, const struct piece *p, pc_ns now)
{
	for (unsigned i = p->first; i < p->end && !t->stop; i += SHED_BATCH) {
		gate_enter(&world.gate, GATE_WORK);
		if (begin_taking(t)) {
			collect_inside(t, i, PC_MIN(i + SHED_BATCH, p->end), now);
			thread_take_end();
		}
		gate_leave(&world.gate, GATE_WORK);
	}
}

static void finish(struct take *t, pc_ns now, pc_ns wait)
{
	if (!t->taken) {
		staging_free(t->chunk);
		heat_empty(&t->unit->heat, now, world.cold_age);
		return;
	}
	seal_chunk(t->chunk);
	t->chunk->since = now;
	t->chunk->wait = wait;
	t->chunk->unit = t->unit->base;
	store_release(&t->chunk->state, CHUNK_WAITING);
	heat_begin(&t->unit->heat);
	COUNT(SHARD, probe_trials);
	ADD(SHARD, pages_cold_marked, t->taken);
}

static void attempt(struct take *t, pc_ns now)
{
	t->pieces = 0;
	t->busy = 0;
	t->stop = false;
	gate_enter(&world.gate, GATE_WORK);
	if (begin_taking(t)) {
		take_inside(t, now);
		thread_take_end();
	}
	gate_leave(&world.gate, GATE_WORK);
}

/* What leaves may be chosen, and there is room for it. What must stay is asked again in the gate. */
static bool prepare(struct take *t, pc_ns now)
{
	keep_excluded(t);
	/* One that is reported between the look and the note would be taken for the one looked at. */
	gate_enter(&world.gate, GATE_WORK);
	settle_discards(t->unit);
	gate_leave(&world.gate, GATE_WORK);
	if (look(t) <= 0 || !choose_runs(t, now)) {
		heat_empty(&t->unit->heat, now, world.cold_age);
		return false;
	}
	t->chunk = staging_open();
	if (t->chunk && !seal_break(t->chunk)) {
		staging_free(t->chunk);
		t->chunk = NULL;
	}
	return t->chunk != NULL;
}

static void move_unit(struct take *t, pc_ns now, pc_ns wait)
{
	if (!prepare(t, now))
		return;
	attempt(t, now);
	if (own_again(t))
		attempt(t, now);
	finish(t, now, wait);
}

static bool protect_pages(struct take *t, pc_ns now)
{
	bool ready;

	mapped_claim(t->unit->base);
	keep_unmapped(t);
	ready = prepare(t, now);
	gate_enter(&world.gate, GATE_WORK);
	if (ready && begin_taking(t)) {
		protect_inside(t);
		thread_take_end();
	}
	gate_leave(&world.gate, GATE_WORK);
	mapped_done();
	return ready;
}

static void collect_pages(struct take *t, pc_ns now)
{
	mapped_claim(t->unit->base);
	keep_unmapped(t);
	for (unsigned i = 0; i < t->pieces; i++)
		collect_piece(t, &t->piece[i], now);
	mapped_done();
}

/* The claim is dropped for the look at the descriptors, which may be many: hooks wait for it. */
static void shed_unit(struct take *t, pc_ns now, pc_ns wait)
{
	if (!protect_pages(t, now))
		return;
	if (t->pieces && shed_no_pins())
		collect_pages(t, now);
	gate_enter(&world.gate, GATE_WORK);
	for (unsigned i = 0; i < t->pieces; i++)
		shed_unprotect(t->unit, t->piece[i].first, t->piece[i].end);
	gate_leave(&world.gate, GATE_WORK);
	/* What was copied and then not discarded. */
	if (!t->taken)
		pool_empty((void *)staging_chunk_addr(t->chunk), PC_UNIT);
	finish(t, now, wait);
}

unsigned take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait)
{
	struct take t = {.managed = managed};
	unsigned runs;

	t.unit = range_find(base);
	if (!t.unit || t.unit->staged || stats_get(PC_V_ranges_registered) >= world.max_runs)
		return 0;
	runs = unit_runs(t.unit);
	if (world.way == WAY_MOVE)
		move_unit(&t, now, wait);
	else
		shed_unit(&t, now, wait);
	/* Counted anew by each tick, between two of which any number of units may be taken. */
	ADD(SHARD, ranges_registered, (int64_t)unit_runs(t.unit) - runs);
	return t.taken;
}

/* Of the pages of `map` those whose MADV_DONTFORK is ours, or those where it is the program's own. */
static bool release_runs(struct unit *u, const uint64_t *map, bool guarded)
{
	uint64_t runs[UNIT_MAP_WORDS];
	unsigned first = 0, end;

	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
		runs[i] = u->registered[i] & map[i] & (guarded ? u->dontfork[i] : ~u->dontfork[i]);
	for (; map_next_run(runs, &first, &end); first = end)
		if (!release_run(u, first, end, guarded))
			return false;
	return true;
}

/* All that is not with the pager, nor on its way back: a pager may be at it. */
static bool release_home(struct unit *u)
{
	uint64_t home[UNIT_MAP_WORDS];

	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
		home[i] = ~load_acquire(&u->elsewhere[i]);
	return release_runs(u, home, true) && release_runs(u, home, false);
}

bool release_unit(struct unit *u)
{
	bool released;

	gate_enter(&world.gate, GATE_WORK);
	/* Once it is filled again unseen, nothing shows any more that a discard was carried out. */
	if (!load_relaxed(&u->away))
		settle_discards(u);
	released = !load_relaxed(&u->away) && release_home(u);
	if (released)
		u->unguarded = 0;
	gate_leave(&world.gate, GATE_WORK);
	return released;
}

void guard_unit(struct unit *u)
{
	uint64_t map[UNIT_MAP_WORDS];

	gate_enter(&world.gate, GATE_WORK);
	if (release_home(u)) {
		find_guardable(u, 0, PC_UNIT_PAGES, map);
		for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
			map[i] &= u->registered[i];
		if (!uffd_pending(&world.uffd) && guard(u, map))
			u->unguarded = 0;
	}
	gate_leave(&world.gate, GATE_WORK);
}
