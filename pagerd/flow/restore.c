#include "flow/restore.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/move.h"
#include "flow/reserve.h"
#include "flow/seal.h"
#include "state/codec.h"
#include "state/staging.h"
#include "state/store.h"

#include <errno.h>
#include <sys/mman.h>

#define AROUND_FIRST	4u
#define STREAM_START	16u /* a stream enters a unit within so many pages of its beginning */
#define SENT_BACK_MAX	100000u
#define SENT_BACK_SOON	PC_SEC
#define AROUND_PATIENCE 4u /* faults before the window doubles */
#define RESIDENT_WORD	page_make(PAGE_RESIDENT, 0)
#define RETURN_WORD	page_make(PAGE_RETURNING, 0)

static const uint8_t zeros[PC_PAGE] __attribute__((aligned(4096)));

static pc_addr page_addr(const struct unit *u, unsigned page)
{
	return u->base + (pc_addr)page * PC_PAGE;
}

/* One copy into the program. */
static enum uffd_result copy_once(pc_addr to, const void *from, uint64_t len,
				  enum restore_need need, uint64_t *done)
{
	int error = 0;
	enum uffd_result res =
	    uffd_copy(&world.uffd, to, from, len, need != RESTORE_QUIETLY, done, &error);

	if (res == UFFD_INVALID || res == UFFD_FAILED || res == UFFD_BUSY)
		pc_fatal("a page cannot be restored", to, (uint64_t)-error);
	return res;
}

/* The same for what must come: where memory is short, a page from the reserve. */
static enum uffd_result copy_in(struct restorer *r, pc_addr to, const void *from, uint64_t len,
				uint64_t *done)
{
	enum uffd_result res = copy_once(to, from, len, RESTORE_NEEDED, done);

	return res != UFFD_NOMEM || *done ? res : reserve_restore(r->shard, to, from, done);
}

unsigned restore_ready(struct restorer *r, unsigned pages)
{
	const pc_addr at = (pc_addr)r->page + r->pages * PC_PAGE;

	/* Before Linux 5.14 there is no such advice, and the memory comes when it is touched. */
	if (pages > r->pages &&
	    sys_madvise(at, (pages - r->pages) * PC_PAGE, MADV_POPULATE_WRITE) != -ENOMEM)
		r->pages = pages;
	return PC_MAX(PC_MIN(pages, r->pages), 1u);
}

/*
 * The kernel says that the page is there. What we hold of it is only given up when it is seen: if
 * not, it has gone again with an event, or the kernel said what is not so.
 */
static bool is_there(pc_addr at)
{
	return pagemap_occupied(&world.pagemap, at) > 0;
}

/*
 * Whoever waits there looks again, and finds that it has memory, or none. But one that comes back
 * for the same page for ever is kept by a kernel that says no to both of us.
 */
static void look_again(struct restorer *r, pc_addr at)
{
	const pc_ns now = clock_now();
	const bool soon = time_since(r->sent_at, now) < SENT_BACK_SOON;

	r->sent_back = soon && r->sent_from == at ? r->sent_back + 1 : 0;
	r->sent_from = at;
	r->sent_at = now;
	if (r->sent_back == SENT_BACK_MAX)
		pc_fatal("a fault cannot be answered", at, r->sent_back);
	uffd_wake(&world.uffd, at, at + PC_PAGE);
}

/* ---- what a packed word means ------------------------------------------------------------- */

static void unpack_packed(struct restorer *r, page_word w, pc_addr at, uint8_t *to)
{
	struct store_bytes in = store_peek(page_ref(w), page_tag(w));
	pc_ns t = clock_now();

	if (!in.bytes || codec_unpack(in.bytes, in.len, to))
		pc_fatal("a packed page is corrupt", at, w);
	OBSERVE(r->shard, unpack, clock_since(t));
}

static void unpack_word(struct restorer *r, page_word w, pc_addr at, uint8_t *to)
{
	switch (page_state(w)) {
	case PAGE_PACKED:
		unpack_packed(r, w, at, to);
		return;
	case PAGE_SAME:
		if (!page_same_valid(w))
			pc_fatal("the note of a page of one word is corrupt", at, w);
		codec_fill(to, page_same(w));
		return;
	case PAGE_STAGED:
		memcpy(to, (const void *)staging_slot_addr(page_slot(w)), PC_PAGE);
		return;
	default:
		pc_fatal("a page that is not away was to be unpacked", at, w);
	}
}

/* The page is back: nothing of it may be left with us. */
static void settle(struct restorer *r, struct unit *u, unsigned page, page_word was)
{
	switch (page_state(was)) {
	case PAGE_PACKED:
		store_free(page_ref(was));
		COUNT(r->shard, restore_ok_packed);
		break;
	case PAGE_SAME:
		COUNT(r->shard, restore_ok_same);
		ADD(r->shard, pages_same, -1);
		break;
	case PAGE_STAGED:
		staging_release(page_slot(was));
		COUNT(r->shard, restore_ok_staged);
		ADD(r->shard, pages_staged, -1);
		break;
	default:
		pc_fatal("a page that was not away came back", page_addr(u, page), was);
	}
	if (page_state(was) != PAGE_STAGED) {
		COUNT(r->shard, pages_restored);
		ADD(r->shard, pages_stored, -1);
		UNIT_COUNT(u, restored);
	} else {
		UNIT_COUNT(u, given_back);
	}
	unit_count(u, page, was, RESIDENT_WORD);
	page_store(unit_word(u, page), RESIDENT_WORD);
}

/* ---- a batch: pages [first, end) of a unit, won by this thread ------------------------------ */

struct batch {
	struct unit *unit;
	unsigned first, end;
	enum restore_need need;
	page_word was[AROUND_MAX];
};

static bool win(struct unit *u, unsigned page, page_word *was)
{
	*was = unit_peek(u, page);
	return page_away(*was) && page_swing(unit_word(u, page), *was, RETURN_WORD);
}

/* Wins pages from `page` on, at most up to `end`. */
static void batch_grow(struct batch *b, unsigned end)
{
	while (b->end < end && win(b->unit, b->end, &b->was[b->end - b->first]))
		b->end++;
}

static void batch_undo(struct batch *b, unsigned from)
{
	for (unsigned i = from; i < b->end; i++)
		page_store(unit_word(b->unit, i), b->was[i - b->first]);
}

/*
 * Copies pages [from, to) of the batch in, whose bytes are in r->page. A page that is there already
 * is the truth that the program sees; ours goes.
 */
static enum restore_result batch_copy(struct restorer *r, struct batch *b, unsigned from,
				      unsigned to)
{
	unsigned most = to - from; /* pages in one call */

	while (from < to) {
		pc_addr at = page_addr(b->unit, from);
		const uint8_t *bytes = r->page + (size_t)(from - b->first) * PC_PAGE;
		uint64_t done = 0, len = PC_MIN(to - from, most) * PC_PAGE;
		enum uffd_result res = b->need == RESTORE_NEEDED
					   ? copy_in(r, at, bytes, len, &done)
					   : copy_once(at, bytes, len, b->need, &done);

		for (; done; done -= PC_PAGE, from++)
			settle(r, b->unit, from, b->was[from - b->first]);
		if (from == to || res == UFFD_DONE)
			continue;
		at = page_addr(b->unit, from);
		if (res == UFFD_EXISTS && is_there(at)) {
			uffd_wake(&world.uffd, at, at + PC_PAGE);
			settle(r, b->unit, from, b->was[from - b->first]);
			from++;
		} else if (res == UFFD_GONE && most > 1) {
			/* mprotect() and its like split mappings, and a copy must not cross. */
			most = 1;
		} else {
			/* An event is on the way that explains it. */
			batch_undo(b, from);
			return res == UFFD_NOMEM ? RESTORE_SHORT : RESTORE_AGAIN;
		}
	}
	return RESTORE_DONE;
}

static void batch_unpack(struct restorer *r, const struct batch *b, unsigned from, unsigned to)
{
	const page_word *was = &b->was[from - b->first];

	for (unsigned i = from; i < to; i++, was++) {
		/* What is packed was left long ago: it comes from memory, not from a cache. */
		if (i + 1 < to && page_state(was[1]) == PAGE_PACKED)
			store_prefetch(page_ref(was[1]));
		unpack_word(r, *was, page_addr(b->unit, i),
			    r->page + (size_t)(i - b->first) * PC_PAGE);
	}
}

static enum restore_result batch_restore(struct restorer *r, struct batch *b, unsigned from)
{
	batch_unpack(r, b, from, b->end);
	return batch_copy(r, b, from, b->end);
}

enum restore_result restore_pages(struct restorer *r, struct unit *u, unsigned first, unsigned end,
				  enum restore_need need)
{
	while (first < end) {
		struct batch b = {.unit = u, .first = first, .end = first, .need = need};
		enum restore_result res;

		batch_grow(&b, first + restore_ready(r, PC_MIN(end - first, AROUND_MAX)));
		res = batch_restore(r, &b, b.first);
		if (res != RESTORE_DONE)
			return res;
		first = PC_MAX(b.end, first + 1);
	}
	return RESTORE_DONE;
}

/* ---- from staging, whole ------------------------------------------------------------------- */

/* A run of pages whose slots follow each other, won by this thread. */
static unsigned win_staged_run(struct unit *u, unsigned first, uint32_t *slot, unsigned max)
{
	unsigned n = 0;
	page_word w;

	for (; n < max; n++) {
		w = unit_peek(u, first + n);
		if (page_state(w) != PAGE_STAGED || (n && page_slot(w) != *slot + n))
			break;
		if (!n)
			*slot = page_slot(w);
		if (!page_swing(unit_word(u, first + n), w, RETURN_WORD))
			break;
	}
	return n;
}

static void return_staged(struct restorer *r, struct unit *u, unsigned page, uint32_t slot)
{
	page_word was = page_make(PAGE_STAGED, slot);

	staging_release(slot);
	ADD(r->shard, pages_staged, -1);
	COUNT(r->shard, give_back_pages);
	UNIT_COUNT(u, given_back);
	unit_count(u, page, was, RESIDENT_WORD);
	page_store(unit_word(u, page), RESIDENT_WORD);
}

static enum uffd_result give_back(unsigned shard, pc_addr to, pc_addr from, uint64_t len,
				  uint64_t *done, int *error)
{
	if (world.way == WAY_MOVE)
		return move_pages(shard, MOVE_HOME, to, from, len, done, error);
	return uffd_copy(&world.uffd, to, (const void *)from, len, true, done, error);
}

/*
 * Brings [first, first + n) back; the slots start at `slot`. Returns how many came; *res says what
 * stopped it.
 */
static unsigned move_run(struct restorer *r, struct unit *u, unsigned first, uint32_t slot,
			 unsigned n, enum uffd_result *res)
{
	unsigned i = 0;
	uint64_t done;
	int error = 0;

	do {
		*res = give_back(r->shard, page_addr(u, first + i), staging_slot_addr(slot + i),
				 PC_MIN((n - i) * PC_PAGE, UFFD_MOVE_MAX), &done, &error);
		for (; done; done -= PC_PAGE, i++)
			return_staged(r, u, first + i, slot + i);
		if (*res == UFFD_FAILED)
			pc_fatal("a staged page cannot be given back", page_addr(u, first + i),
				 (uint64_t)-error);
	} while (i < n && *res == UFFD_DONE);
	return i;
}

static enum restore_result give_back_run(struct restorer *r, struct unit *u, unsigned first,
					 uint32_t slot, unsigned n)
{
	/* A remap may have brought the page to where it agrees with its slot mod 2 MiB (hazard N4). */
	bool agree = (page_addr(u, first) - staging_slot_addr(slot)) % PC_UNIT == 0;
	enum uffd_result res = UFFD_INVALID;
	bool movable = !agree && (world.way != WAY_MOVE || seal_open(staging_chunk_of(slot)));
	unsigned came = movable ? move_run(r, u, first, slot, n, &res) : 0;

	for (unsigned k = came; k < n; k++)
		page_store(unit_word(u, first + k), page_make(PAGE_STAGED, slot + k));
	if (came == n)
		return RESTORE_DONE;
	if (res == UFFD_AGAIN || (res == UFFD_GONE && world.way == WAY_MOVE))
		return RESTORE_AGAIN;
	/*
	 * Not writable or locked by now, or that: a move is refused, a copy is not. Two mappings by
	 * now: page by page.
	 */
	return restore_pages(r, u, first + came, first + n, RESTORE_FAVOUR);
}

enum restore_result restore_staged(struct restorer *r, struct unit *u)
{
	unsigned page = 0;

	while (page < PC_UNIT_PAGES && load_relaxed(&u->staged)) {
		uint32_t slot = 0;
		unsigned n = win_staged_run(u, page, &slot, PC_UNIT_PAGES - page);
		enum restore_result res = RESTORE_DONE;

		if (n)
			res = give_back_run(r, u, page, slot, n);
		if (res != RESTORE_DONE)
			return res;
		page += PC_MAX(n, 1u);
	}
	return RESTORE_DONE;
}

/* ---- faults -------------------------------------------------------------------------------- */

static void account_touch(struct restorer *r, const struct unit *u, pc_ns now)
{
	UNIT_COUNT(u, faults);
	if (time_since(u->heat.packed_at, now) >= 10 * world.cold_age)
		return;
	COUNT(r->shard, refaults);
	UNIT_COUNT(u, refaults);
}

/* How many pages to bring: more where faults in this unit have been dense since it was packed. */
static unsigned around(struct unit *u)
{
	unsigned doublings = u->heat.back / AROUND_PATIENCE;

	if (options.fault_around)
		return (unsigned)options.fault_around;
	return PC_MIN(AROUND_FIRST << PC_MIN(doublings, 8u), AROUND_MAX);
}

/*
 * The window of `width` pages, aligned to itself, that holds the page; the batch is the run of away
 * pages in it that the page belongs to.
 */
static void batch_around(struct batch *b, unsigned page, unsigned width)
{
	unsigned low = page / width * width, high = PC_MIN(low + width, PC_UNIT_PAGES);
	page_word mine = b->was[0], was[AROUND_MAX];
	unsigned n = 0;

	while (b->first > low && win(b->unit, b->first - 1, &was[n])) {
		b->first--;
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		b->was[i] = was[n - 1 - i];
	b->was[n] = mine;
	batch_grow(b, high);
}

/* Sets r->rest and r->quiet: the thread of a stream would stop again at the next page that is away. */
static void note_density(struct restorer *r, struct unit *u, unsigned page, pc_ns now)
{
	const struct unit *below = u->base ? range_find(u->base - PC_UNIT) : NULL;
	bool streaming = page < STREAM_START && below && heat_was_dense(&below->heat, now);

	if (options.fault_around || !heat_dense(&u->heat, streaming, now))
		return;
	r->rest = u->base;
	r->quiet = streaming;
	if (streaming)
		COUNT(r->shard, restore_streams);
}

/* Memory was too short for a batch. Who waits looks again if the page has come, or is coming. */
static enum restore_result restore_alone(struct restorer *r, struct unit *u, unsigned page)
{
	struct batch b = {.unit = u, .first = page, .end = page, .need = RESTORE_NEEDED};

	batch_grow(&b, page + 1);
	if (b.end > page)
		return batch_restore(r, &b, page);
	COUNT(r->shard, restore_raced);
	uffd_wake(&world.uffd, page_addr(u, page), page_addr(u, page + 1));
	return RESTORE_DONE;
}

static enum restore_result restore_packed(struct restorer *r, struct unit *u, unsigned page,
					  page_word w, pc_ns now)
{
	struct batch b = {
	    .unit = u,
	    .first = page,
	    .end = page + 1,
	    .need = RESTORE_FAVOUR,
	    .was = {w},
	};
	enum restore_result res;

	batch_around(&b, page, restore_ready(r, around(u)));
	note_density(r, u, page, now);
	if (r->quiet)
		b.need = RESTORE_QUIETLY;
	res = batch_restore(r, &b, b.first);
	if (res == RESTORE_SHORT)
		return restore_alone(r, u, page);
	if (res != RESTORE_DONE)
		return res;
	ADD(r->shard, restore_around, b.end - b.first - 1);
	stats_observe_n(r->shard, PC_H_restore_page, clock_since(now) / (b.end - b.first),
			b.end - b.first);
	return RESTORE_DONE;
}

static enum restore_result restore_one_staged(struct restorer *r, struct unit *u, unsigned page,
					      page_word w, pc_ns now)
{
	struct batch b = {.unit = u, .first = page, .end = page + 1, .was = {w}};
	const uint8_t *bytes = (const void *)staging_slot_addr(page_slot(w));
	enum uffd_result copied;
	uint64_t done;

	copied = copy_in(r, page_addr(u, page), bytes, PC_PAGE, &done);
	if (copied == UFFD_AGAIN || copied == UFFD_GONE || copied == UFFD_NOMEM ||
	    (copied == UFFD_EXISTS && !is_there(page_addr(u, page)))) {
		batch_undo(&b, page);
		return copied == UFFD_NOMEM ? RESTORE_SHORT : RESTORE_AGAIN;
	}
	if (copied == UFFD_EXISTS)
		uffd_wake(&world.uffd, page_addr(u, page), page_addr(u, page) + PC_PAGE);
	settle(r, u, page, w);
	if (heat_fault(&u->heat, now) && load_relaxed(&u->staged)) {
		heat_fail(&u->heat, now, world.cold_age);
		COUNT(r->shard, give_back_units);
		COUNT(r->shard, probe_warm);
		restore_staged(r, u);
	}
	return RESTORE_DONE;
}

/*
 * Never-written memory, or memory that was discarded. Where the fill succeeds the page was absent:
 * whatever discard was reported has been carried out. A page that turns out to be there keeps its
 * word.
 */
static enum restore_result restore_hole(struct restorer *r, struct unit *u, unsigned page,
					page_word w, bool write)
{
	pc_addr at = page_addr(u, page);
	uint64_t done;
	/* A write would fault again on the shared zero page, so it gets a page of its own. */
	enum uffd_result res = write ? copy_in(r, at, zeros, PC_PAGE, &done)
				     : uffd_zero(&world.uffd, at, PC_PAGE);

	page_store(unit_word(u, page), res == UFFD_DONE ? RESIDENT_WORD : w);
	if (res == UFFD_DONE) {
		COUNT(r->shard, zero_fills);
		return RESTORE_DONE;
	}
	if (res == UFFD_NOMEM)
		return RESTORE_SHORT;
	if (res != UFFD_GONE && (res != UFFD_EXISTS || !is_there(at)))
		return RESTORE_AGAIN;
	COUNT(r->shard, restore_raced);
	look_again(r, at);
	return RESTORE_DONE;
}

/* A write to a page that was not taken in the end, or that is not yet known to be back. */
static enum restore_result lift_protection(struct restorer *r, struct unit *u, unsigned page,
					   page_word w)
{
	pc_addr at = page_addr(u, page);
	enum uffd_result res = uffd_unprotect(&world.uffd, at, at + PC_PAGE);

	page_store(unit_word(u, page), w);
	if (res == UFFD_AGAIN)
		return RESTORE_AGAIN;
	if (res != UFFD_DONE) {
		COUNT(r->shard, restore_raced);
		uffd_wake(&world.uffd, at, at + PC_PAGE);
	}
	return RESTORE_DONE;
}

/* A word that no step of ours leaves behind: it was overwritten. */
static void check_kind(const struct unit *u, unsigned page, page_word w)
{
	const enum page_state s = page_state(w);

	if (s > PAGE_RETURNING ||
	    ((s == PAGE_LEAVING || s == PAGE_RETURNING) && w != page_make(s, 0)))
		pc_fatal("the note of where a page is is corrupt", page_addr(u, page), w);
}

/* The word is won: both notes of where the page is must agree (state/range.h). */
static void check_place(const struct unit *u, unsigned page, page_word w)
{
	if (page_away(w) != unit_away(u, page))
		pc_fatal("the notes of where a page is differ", page_addr(u, page), w);
	if (page_state(w) == PAGE_STAGED && staging_owner(page_slot(w)) != page_addr(u, page))
		pc_fatal("the note of a staged page is corrupt", page_addr(u, page), w);
}

static enum restore_result serve(struct restorer *r, struct unit *u, unsigned page,
				 const struct uffd_event *fault, pc_ns now)
{
	page_word w = unit_peek(u, page);
	enum page_state s = page_state(w);

	check_kind(u, page, w);
	if (s == PAGE_LEAVING || s == PAGE_RETURNING ||
	    !page_swing(unit_word(u, page), w, RETURN_WORD)) {
		/* Somebody is at it, inside the gate like us: the thread looks again. */
		COUNT(r->shard, restore_raced);
		uffd_wake(&world.uffd, fault->start, fault->end);
		return RESTORE_DONE;
	}
	check_place(u, page, w);
	if (fault->wp && s == PAGE_RESIDENT)
		return lift_protection(r, u, page, w);
	if (s == PAGE_RESIDENT || s == PAGE_REMOVING)
		return restore_hole(r, u, page, w, fault->write);
	account_touch(r, u, now);
	if (s == PAGE_STAGED)
		return restore_one_staged(r, u, page, w, now);
	heat_returned(&u->heat, now, world.cold_age);
	return restore_packed(r, u, page, w, now);
}

enum restore_result restore_fault(struct restorer *r, const struct uffd_event *fault)
{
	enum restore_result res = RESTORE_UNKNOWN;
	unsigned page = page_in_unit(fault->start);
	struct unit *u;

	r->rest = 0;
	r->quiet = false;
	gate_enter(&world.gate, r->slot);
	u = range_find(fault->start);
	if (u && unit_registered(u, page))
		res = serve(r, u, page, fault, clock_now());
	gate_leave(&world.gate, r->slot);
	if (res != RESTORE_DONE)
		r->rest = 0;
	return res;
}

void restore_rest(struct restorer *r, pc_addr base, unsigned first)
{
	struct unit *u;
	pc_ns start = clock_now();
	unsigned away;

	gate_enter(&world.gate, r->slot);
	u = range_find(base);
	away = u ? load_relaxed(&u->away) : 0;
	/* A favour: what cannot come now comes with its own fault. */
	if (away)
		restore_pages(r, u, first, first + REST_BATCH, RESTORE_QUIETLY);
	gate_leave(&world.gate, r->slot);
	if (!away)
		return;
	ADD(r->shard, restore_around, REST_BATCH);
	stats_observe_n(r->shard, PC_H_restore_page, clock_since(start) / REST_BATCH, REST_BATCH);
}

/* ---- a whole range, for drains ------------------------------------------------------------- */

#define STUCK_TRIES 100000u
#define STUCK_WAIT  (50 * 1000ull)

/* In vain so far: `tries` for a layout event on its way, and while there was no memory at all. */
struct patience {
	unsigned tries, shorts;
	uint64_t restored; /* by anybody, at the last try */
};

/* Outside the gate: what would give memory back may have to be read first. */
static void wait_for_better(struct patience *p, enum restore_result why, pc_addr start, pc_addr end)
{
	const uint64_t restored = stats_get(PC_V_pages_restored);
	const bool is_short = why == RESTORE_SHORT;

	p->shorts = is_short && restored == p->restored ? p->shorts + 1 : 0;
	p->restored = restored;
	if (p->shorts == RESTORE_SHORT_TRIES)
		pc_fatal("no memory to restore a page", start, p->shorts);
	if (!is_short && p->tries++ == STUCK_TRIES)
		pc_fatal("a range cannot be restored", start, end);
	sys_nap(is_short ? RESTORE_SHORT_WAIT : STUCK_WAIT);
}

static enum restore_result restore_unit(struct restorer *r, pc_addr start, pc_addr end)
{
	unsigned first = page_in_unit(start);
	unsigned last = (unsigned)((end - unit_floor(start)) >> PC_PAGE_SHIFT);
	enum restore_result res = RESTORE_DONE;
	struct unit *u;

	gate_enter(&world.gate, r->slot);
	u = range_find(start);
	if (u && load_relaxed(&u->staged) && !first && last == PC_UNIT_PAGES)
		res = restore_staged(r, u);
	/* What could not be moved home and was no more than a favour so far is wanted here. */
	if (u && (res == RESTORE_DONE || res == RESTORE_SHORT) && load_relaxed(&u->away))
		res = restore_pages(r, u, first, last, RESTORE_NEEDED);
	gate_leave(&world.gate, r->slot);
	return res;
}

void restore_range(struct restorer *r, pc_addr start, pc_addr end)
{
	for (pc_addr at = start; at < end; at = unit_floor(at) + PC_UNIT) {
		const pc_addr stop = PC_MIN(end, unit_floor(at) + PC_UNIT);
		struct patience patience = {0};
		enum restore_result res;

		while ((res = restore_unit(r, at, stop)) != RESTORE_DONE)
			wait_for_better(&patience, res, at, stop);
	}
}
