/*
 * The pager in a world of its own: program threads that map, move, discard and touch memory, the
 * work thread that takes and packs it, and the pagers that bring it back, interleaved at every
 * atomic operation and every system call by a seed, over a kernel that does all that kernels may.
 *
 * Whatever a program thread reads must be what was last written there. `written` says what that is;
 * while a discard is under way, zeros are right as well.
 *
 *   TEST_SEEDS=N    how many seeds (10000)
 *   TEST_SEED=N     the first one (1)
 *   test_simulator --seed N  that seed alone, with a trace of every call
 *   test_simulator --seeds N FIRST  the N seeds from FIRST on, and nothing else
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "support/actors.h"
#include "support/demand_zero.h"
#include "support/model_kernel.h"

#include "base/check.h"
#include "base/options.h"
#include "base/stats.h"
#include "flow/discover.h"
#include "flow/exclude.h"
#include "flow/fault.h"
#include "flow/forget.h"
#include "flow/forkless.h"
#include "flow/mapped.h"
#include "flow/reserve.h"
#include "flow/sample.h"
#include "flow/work.h"
#include "kernel/pins.h"
#include "kernel/task.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"
#include "state/thread.h"

#define SKIP	       77 /* exit status */
#define SEEDS	       10000u
#define SEEDS_SABOTAGE 3000u
#define SPOILT_SHARE   100u /* one seed in so many may meet it: see model_spoilt() */
#define CROSSED_SHARE  50u
#define GIVEN_SHARE    2500u
#define CROWD_SHARE    3u
#define STREAM_SHARE   25u
#define FORGETS	       8u
#define LATE_PAUSE     2000
#define STREAM_SPAN    200u
#define STREAM_BEFORE  64u /* enough for five faults, though each brings neighbours along */
#define STREAM_BEYOND  20u
#define STREAM_STRIDE  3u
#define FAMINE_SHARE   4u
#define FAMINE	       8u  /* pages at most; the reserve has twice as many */
#define CROWD_PAGES    17u /* fewer are not worth a look at their flags: flow/discover.c */
#define PROGRAMS_MAX   3u
#define PAGERS	       2u
#define UNITS	       64u
#define CHUNKS	       8u
#define STORE_BYTES    (16ull << 20)
#define RUN_MAX	       96u  /* pages that one call of the program is about */
#define MADVISE_SHARE  3u   /* one seed in so many takes pages as EVICT=madvise does */
#define REPACK_SHARE   5u   /* one seed in so many packs pages again, which get half as long by it */
#define THREAD	       2000 /* of the program, as the kernel numbers it */

/* ---- what the program wrote ----------------------------------------------------------------- */

struct written {
	uint64_t stamp; /* 0: zeros */
	uint64_t at;	/* number of the act that made it so */
	bool or_zeros;	/* a discard of it ran beside the write */
	uint8_t owner;	/* number of the program that mapped it + 1, 0 none */
	bool unseen;	/* mapped by a call that passed no hook, as libc's own are */
	bool kept;	/* from children, by the program */
	bool followed;	/* that came with what was remapped, or grew, before the hook could note it */
};

struct program {
	unsigned number;
	unsigned acts;
	bool unseen; /* the call under way passes no hook */
	bool discarding;
	unsigned first, end, done; /* the discard: pages [done, end) are still to be discarded */
	uint64_t since;
};

struct request {
	bool open, served;
	pc_addr start, end;
};

struct mood;

static struct {
	uint64_t seed;
	struct written page[MODEL_PAGES];
	uint64_t act;
	unsigned programs, ended;
	struct program program[PROGRAMS_MAX];
	unsigned pager_actor[PAGERS];
	unsigned late_actor;
	bool is_late; /* there is one, see late_main() */
	unsigned pagers;
	struct fault_thread pager[PAGERS];
	struct work work;
	uint32_t stop;
	bool closes_early, closed;
	struct request request; /* of a program to the work thread: bring this home */
	unsigned unhooked;	/* one remap in so many is not seen before it happens; 0 none */
	unsigned rogue;		/* the same for what maps and unmaps; see passes_no_hook() */
	unsigned transfers;	/* devices write to memory, in one act of 't' of so many; 0 never */
	unsigned descriptors;	/* through which one does */
	struct lock host;	/* as pager.c's */
	const struct mood *mood;
	unsigned low, span; /* the pages that the program is about */
	pc_ns pause;	    /* longest rest */
} sim;

static const unsigned spans[] = {12, 40, 150, 600, MODEL_PAGES};
static const enum model_prot prots[] = {MODEL_RW, MODEL_RW, MODEL_READ, MODEL_NONE};
static const pc_ns ages[] = {0, 0, 2 * PC_MS, 20 * PC_MS, 200 * PC_MS};
static const unsigned unhooked[] = {0, 0, 1, 4};
static const unsigned rogues[] = {0, 0, 0, 4};
static const unsigned arounds[] = {0, 0, 1, 4, 9, 16, 64};
static const uint8_t zeros[PC_PAGE];
static const pc_ns pauses[] = {20000, 200000, 2 * PC_MS};

static uint8_t scratch[PC_PAGE];
static uint8_t restore_buffer[PAGERS + 2][AROUND_MAX * PC_PAGE];
static void *range_memory, *staging_space, *staging_table, *store_space, *store_table, *segment;

enum kind_of_bytes { SAME_WORDS, TEXT, NOISE, SPARSE, KINDS_OF_BYTES };

/* The page that a stamp stands for. */
static void expand(uint64_t stamp, uint8_t *to)
{
	uint64_t word = stamp * 0x9e3779b97f4a7c15ull, *at = (uint64_t *)to;

	memset(to, 0, PC_PAGE);
	if (!stamp)
		return;
	switch (stamp % KINDS_OF_BYTES) {
	case SAME_WORDS:
		for (unsigned i = 0; i < PC_PAGE / 8; i++)
			at[i] = (stamp & 0xffffffff) * 0x100000001ull;
		return;
	case TEXT:
		for (unsigned i = 0; i < PC_PAGE / 8; i++)
			at[i] = word + i % 8 + (options.repack ? i * i % 31 << 16 : 0);
		return;
	case NOISE:
		for (unsigned i = 0; i < PC_PAGE / 8; i++)
			at[i] = word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9ull + i;
		return;
	case SPARSE:
		at[stamp % 512] = word;
		at[511] = stamp;
		return;
	}
}

static bool is_stamp(uint64_t stamp, const uint8_t *bytes)
{
	expand(stamp, scratch);
	return !memcmp(scratch, bytes, PC_PAGE);
}

static uint64_t first_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static bool being_discarded(unsigned page)
{
	for (unsigned i = 0; i < sim.programs; i++) {
		const struct program *p = &sim.program[i];

		if (p->discarding && page >= PC_MAX(p->first, p->done) && page < p->end)
			return true;
	}
	return false;
}

/* Began before the write? Then its discard may come before or after it, as far as anyone knows. */
static bool written_beside_discard(unsigned page)
{
	for (unsigned i = 0; i < sim.programs; i++) {
		const struct program *p = &sim.program[i];

		if (p->discarding && page >= PC_MAX(p->first, p->done) && page < p->end &&
		    sim.page[page].at > p->since)
			return true;
	}
	return false;
}

/* A page was read: it must be what was written last. */
static void observe(unsigned page, const uint8_t *bytes)
{
	struct written *w = &sim.page[page];
	bool open = being_discarded(page);

	if (is_stamp(w->stamp, bytes)) {
		w->or_zeros &= open;
		return;
	}
	if ((w->or_zeros || open) && is_stamp(0, bytes)) {
		w->stamp = 0;
		w->or_zeros = false;
		return;
	}
	actor_fail("page %u reads %#lx, written was %#lx", page, (long)first_word(bytes),
		   (long)w->stamp);
}

static void set_written(unsigned page, uint64_t stamp, bool or_zeros)
{
	sim.page[page].stamp = stamp;
	sim.page[page].at = ++sim.act;
	sim.page[page].or_zeros = or_zeros;
}

/* The actors of the programs come first, so that their numbers agree. */
static uint8_t own_number(void)
{
	return (uint8_t)(actor_self() + 1);
}

/* Threads of one program leave each other's mappings alone; what is free is anybody's. */
static bool on_question(unsigned first, unsigned end)
{
	for (; first < end; first++)
		if (sim.page[first].owner && sim.page[first].owner != own_number())
			return false;
	return true;
}

static void on_mapped(unsigned first, unsigned end)
{
	for (; first < end; first++) {
		set_written(first, 0, false);
		sim.page[first].owner = own_number();
		sim.page[first].unseen = sim.program[actor_self()].unseen;
		sim.page[first].kept = sim.page[first].followed = false;
	}
}

static void on_unmapped(unsigned first, unsigned end)
{
	for (; first < end; first++)
		sim.page[first] = (struct written){0};
}

static void on_moved(unsigned from, unsigned to, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) {
		set_written(to + i, sim.page[from + i].stamp,
			    sim.page[from + i].or_zeros || being_discarded(from + i));
		sim.page[to + i].owner = own_number();
		sim.page[to + i].unseen = sim.page[from + i].unseen;
		sim.page[to + i].kept = sim.page[from + i].kept;
		sim.page[to + i].followed = true;
	}
}

static void on_discarded(unsigned page)
{
	struct written *w = &sim.page[page];

	if (written_beside_discard(page))
		w->or_zeros = true;
	else
		w->stamp = w->or_zeros = 0;
}

static const struct model_watch watch = {on_question, on_mapped, on_unmapped, on_moved,
					 on_discarded};

/* ---- the program's threads ------------------------------------------------------------------ */

static unsigned some_page(void)
{
	return sim.low + (unsigned)actors_roll(sim.span);
}

/* A page of some mapping, if luck will have it. */
static unsigned some_mapped_page(void)
{
	unsigned page = some_page();

	for (unsigned tries = 0; tries < 8 && !model_mapped(page); tries++)
		page = some_page();
	return page;
}

struct run {
	unsigned first, end;
};

static struct run some_run(unsigned first)
{
	unsigned pages = 1 + (unsigned)actors_roll(actors_chance(3) ? RUN_MAX : 8);

	return (struct run){first, PC_MIN(first + pages, sim.low + sim.span)};
}

/* ---- the hooks, as preload/ has them --------------------------------------------------------- */

static bool request_free(const void *arg)
{
	(void)arg;
	return sim.closed || !sim.request.open;
}

static bool holds_some(pc_addr start, pc_addr end)
{
	bool held = gate_closed(&world.gate);

	for (pc_addr at = unit_floor(start); at < end; at += PC_UNIT) {
		const struct unit *u = range_find(at);

		held |= u && unit_any_registered(u);
	}
	return held && !sim.closed;
}

/* pager_hold() */
static uint32_t bring_home(pc_addr start, pc_addr end)
{
	uint32_t hold = sim.closed ? 0 : exclude_hold(start, end);

	if (!hold)
		return 0;
	actor_wait(request_free, NULL, 0);
	sim.request = (struct request){.open = true, .start = start, .end = end};
	actor_wait(request_free, NULL, 0);
	return hold;
}

static bool follows(void)
{
	return world.way == WAY_MADVISE;
}

static bool all_unseen(struct run r)
{
	for (unsigned i = r.first; i < r.end; i++)
		if (sim.page[i].owner && !sim.page[i].unseen)
			return false;
	return true;
}

/* Libc changes its own memory behind the hooks; a rogue does so with any. */
static bool passes_no_hook(struct run r)
{
	return follows() && (actors_chance(sim.rogue) || (all_unseen(r) && actors_chance(2)));
}

static bool is_known(struct run r)
{
	return follows() && mapped_all(model_addr(r.first), model_addr(r.end));
}

static void strike(struct run r)
{
	if (follows())
		mapped_remove(model_addr(r.first), model_addr(r.end));
}

static void note(struct run r)
{
	if (follows())
		mapped_add(model_addr(r.first), model_addr(r.end));
}

static void gone(struct run r)
{
	forkless_remove(model_addr(r.first), model_addr(r.end));
}

static int map(struct run r, unsigned kind)
{
	struct program *p = &sim.program[actor_self()];
	int err;

	p->unseen = passes_no_hook(r);
	if (!p->unseen)
		strike(r);
	err = model_mmap(r.first, r.end, kind);
	if (err || p->unseen)
		return err;
	gone(r);
	note(r);
	return 0;
}

static void unmap(struct run r)
{
	bool seen = !passes_no_hook(r);

	if (seen)
		strike(r);
	if (!model_munmap(r.first, r.end) && seen)
		gone(r);
}

/* pager_forget() */
static void forget(pc_addr start, pc_addr end)
{
	if (!holds_some(start, end))
		return;
	lock_take(&sim.host);
	gate_close(&world.gate);
	forget_away(0, start, end);
	gate_open(&world.gate);
	lock_release(&sim.host);
}

/* layout_discard() */
static void discard_seen(struct run r, unsigned *done)
{
	const pc_addr start = model_addr(r.first), end = model_addr(r.end);
	unsigned held = mapped_hold(start, end);
	uint32_t hold = 0;

	if (is_known(r))
		forget(start, end);
	else if (holds_some(start, end))
		hold = bring_home(start, end);
	model_discard(r.first, r.end, done);
	exclude_release(hold);
	mapped_release(held);
}

/* What a rogue leaves in the table of mappings is wrong: its discards go by the hooks. */
static void discard(struct run r, unsigned *done)
{
	if (follows() && (sim.rogue || !passes_no_hook(r)))
		discard_seen(r, done);
	else
		model_discard(r.first, r.end, done);
}

static void set_kept(struct run r, bool on)
{
	for (; r.first < r.end; r.first++) {
		sim.page[r.first].kept = on;
		sim.page[r.first].followed = false;
	}
}

/* What the mapping that ends at `end` grew by is as its last page was. */
static void keep_grown(unsigned end, unsigned pages)
{
	for (unsigned i = end; i < end + pages; i++) {
		sim.page[i].kept = sim.page[end - 1].kept;
		sim.page[i].followed = true;
	}
}

/* And what was left behind is as what went. */
static void keep_moved(struct run r, unsigned to, unsigned pages, bool keep_old)
{
	const unsigned old_pages = r.end - r.first;

	keep_grown(to + old_pages, pages - old_pages);
	for (unsigned i = 0; keep_old && i < old_pages; i++) {
		sim.page[r.first + i].kept = sim.page[to + i].kept;
		sim.page[r.first + i].followed = true;
	}
}

/* advise_forkless() */
static void keep(struct run r, bool on)
{
	const pc_addr start = model_addr(r.first), end = model_addr(r.end);
	uint32_t hold;
	int err;

	strike(r);
	hold = bring_home(start, end);
	if (on)
		forkless_add(start, end);
	err = model_keep(r.first, r.end, on);
	if (!on && !err)
		forkless_remove(start, end);
	if (!err)
		set_kept(r, on);
	exclude_release(hold);
}

static int remap_seen(struct run r, unsigned to, unsigned pages, bool keep_old)
{
	const pc_addr start = model_addr(r.first), end = model_addr(r.end);
	bool seen = !actors_chance(sim.unhooked);
	uint32_t hold = seen ? bring_home(start, end) : 0;
	int err = model_mremap(r.first, r.end, to, pages, keep_old);

	if (seen && err == -EFAULT && model_is_cut(r.first, r.end))
		actor_fail("pages %u to %u, one mapping, are cut when they are remapped", r.first,
			   r.end);
	exclude_release(hold);
	if (seen && !err)
		forkless_follow(start, end, model_addr(to), model_addr(to + pages), keep_old,
				forkless_notes());
	return err;
}

static int remap(struct run r, unsigned to, unsigned pages, bool keep_old)
{
	const struct run target = {to, to + pages}, both[] = {r, target};
	struct program *p = &sim.program[actor_self()];
	bool known = is_known(r);
	int err;

	p->unseen = !known;
	if (passes_no_hook(both[0]) && passes_no_hook(both[1])) {
		err = model_mremap(r.first, r.end, to, pages, keep_old);
		if (!err)
			keep_moved(r, to, pages, keep_old);
		return err;
	}
	strike(r);
	strike(target);
	err = remap_seen(r, to, pages, keep_old);
	if (!err)
		keep_moved(r, to, pages, keep_old);
	if (known && !err)
		note(target);
	if (known && (err || keep_old))
		note(r);
	return err;
}

static int grow(struct run r, unsigned pages)
{
	bool known = is_known(r);
	int err;

	sim.program[actor_self()].unseen = !known;
	strike(r);
	err = model_grow(r.end, pages);
	if (!err)
		keep_grown(r.end, pages);
	if (known)
		note((struct run){r.first, err ? r.end : r.end + pages});
	return err;
}

/* ---- what they do --------------------------------------------------------------------------- */

static void read_page(unsigned page)
{
	const uint8_t *bytes = model_touch(page, false);

	if (bytes)
		observe(page, bytes);
}

static uint64_t new_stamp(void)
{
	uint64_t stamp = ++sim.act << 8 | sim.seed % 61;

	if (actors_chance(8))
		return 0;
	return stamp - stamp % KINDS_OF_BYTES + actors_roll(KINDS_OF_BYTES);
}

/* What a program writes is part of a page, so what was there counts as well. */
static void write_page(unsigned page)
{
	uint8_t *bytes = model_touch(page, true);

	if (!bytes)
		return;
	observe(page, bytes);
	set_written(page, new_stamp(), false);
	expand(sim.page[page].stamp, bytes);
}

static void act_read(void)
{
	struct run r = some_run(some_mapped_page());

	for (unsigned i = r.first; i < r.end; i++)
		read_page(i);
}

static void act_write(void)
{
	struct run r = some_run(some_mapped_page());

	for (unsigned i = r.first; i < r.end; i++)
		write_page(i);
}

/* From one unit into the next, a few pages at a time, which is noticed and then expected. */
static void act_stream(void)
{
	unsigned border = (some_page() + PC_UNIT_PAGES / 2) / PC_UNIT_PAGES * PC_UNIT_PAGES;
	unsigned end = PC_MIN(border + STREAM_BEYOND, sim.low + sim.span);
	unsigned page = border - PC_MIN(border, STREAM_BEFORE);

	for (page = PC_MAX(page, sim.low); page < end; page += STREAM_STRIDE)
		if (model_mapped(page))
			read_page(page);
}

static void act_map(void)
{
	struct run r = some_run(some_page());

	if (!on_question(r.first, r.end) || map(r, (unsigned)actors_roll(3)))
		return;
	for (unsigned i = r.first; i < r.end; i++)
		write_page(i);
}

static void act_map_over(void)
{
	struct run r = some_run(some_mapped_page());

	if (on_question(r.first, r.end))
		map(r, (unsigned)actors_roll(3));
	if (actors_chance(2))
		write_page(r.first);
}

static void act_unmap(void)
{
	struct run r = some_run(some_mapped_page());

	if (on_question(r.first, r.end))
		unmap(r);
}

/* Up to the first page that another thread may have plans for. */
static struct run own_part(struct run r)
{
	unsigned end = r.first;

	while (end < r.end && sim.page[end].owner == own_number())
		end++;
	return (struct run){r.first, end};
}

static void act_discard(struct program *p)
{
	struct run r = own_part(some_run(some_mapped_page()));

	p->first = p->done = r.first;
	p->end = r.end;
	p->since = ++sim.act;
	p->discarding = true;
	discard(r, &p->done);
	p->discarding = false;
	if (actors_chance(2))
		read_page(r.first);
}

static void act_remap(void)
{
	unsigned page = some_mapped_page(), pages, to;
	struct run r = some_run(page), whole;

	if (!model_mapped(page))
		return;
	model_mapping(page, &whole.first, &whole.end);
	if (actors_chance(3))
		r.first = whole.first;
	r.end = PC_MIN(r.end, whole.end);
	if (r.end - r.first > 2 * RUN_MAX)
		r.end = r.first + 2 * RUN_MAX;
	pages = r.end - r.first + (actors_chance(4) ? (unsigned)actors_roll(8) : 0);
	to = some_page();
	/* There a page agrees with its slot in staging, mod 2 MiB. */
	if (actors_chance(3))
		to = r.first + 1 + (unsigned)actors_roll(2) * PC_UNIT_PAGES;
	to = PC_MIN(to, MODEL_PAGES - pages);
	if (on_question(r.first, r.end) && on_question(to, to + pages))
		remap(r, to, pages, actors_chance(3));
	if (actors_chance(2))
		read_page(to);
}

static void act_grow(void)
{
	unsigned page = some_mapped_page();
	struct run whole, r;

	if (!model_mapped(page))
		return;
	model_mapping(page, &whole.first, &whole.end);
	r = (struct run){whole.end, whole.end};
	while (r.first > whole.first && sim.page[r.first - 1].owner == own_number())
		r.first--;
	if (r.first < r.end && !grow(r, 1 + (unsigned)actors_roll(16)))
		write_page(r.end);
}

static void act_protect(void)
{
	struct run r = some_run(some_mapped_page());

	model_mprotect(r.first, r.end, prots[actors_roll(PC_ARRAY_LEN(prots))]);
}

static void act_keep(void)
{
	struct run r = own_part(some_run(some_mapped_page()));

	if (r.first < r.end)
		keep(r, !actors_chance(3));
}

static void act_pin(void)
{
	unsigned page = some_mapped_page();

	read_page(page);
	model_pin(page, actors_roll(4 * sim.pause));
}

/* Bytes come to the frame that a page was in: nobody sees them if it has another one by now. */
static void arrive(unsigned page, uint64_t frame)
{
	uint64_t stamp = new_stamp();

	set_written(page, stamp, false);
	if (model_frame(page) == frame)
		expand(stamp, model_poke(page));
	actor_trace("%#lx arrives in page %u%s", (long)stamp, page,
		    model_frame(page) == frame ? "" : ", which is elsewhere");
}

/* A device writes to a page of this program's, which it has pinned through a descriptor. */
static void act_transfer(void)
{
	unsigned page = some_mapped_page();
	uint8_t *bytes;
	uint64_t frame;

	sim.descriptors++;
	bytes = model_touch(page, true);
	if (bytes && sim.page[page].owner == own_number()) {
		observe(page, bytes);
		frame = model_frame(page);
		model_pin(page, 1000 * PC_SEC);
		actor_sleep(actors_roll(4 * sim.pause));
		arrive(page, frame);
		model_unpin(page);
	}
	sim.descriptors--;
}

/* To the program's own memory, as debuggers do: mappings stay meanwhile, protection may come. */
static void act_write_mem(void)
{
	unsigned page = some_mapped_page();
	uint64_t frame = sim.page[page].owner == own_number() ? model_mem_begin(page) : 0;

	if (!frame)
		return;
	observe(page, model_peek(page));
	for (uint64_t n = actors_roll(actors_chance(2) ? 400 : 20); n; n--)
		actor_yield();
	arrive(page, frame);
	model_mem_end();
}

/* May the page be zeros by what the program did? */
static bool zeros_are_right(unsigned page)
{
	return !sim.page[page].stamp || sim.page[page].or_zeros || being_discarded(page);
}

/* The child has no userfaultfd: what is absent, and not kept from it, is zeros there. */
static void act_fork_unseen(void)
{
	for (unsigned i = sim.low; i < sim.low + sim.span; i++)
		if (!model_present(i) && !zeros_are_right(i) && model_child_has(i) &&
		    !model_spoilt())
			actor_fail("the child of an unseen fork reads zeros in page %u", i);
}

/* What the threads of a run do; act_discard needs to know who does it. */
struct mood {
	const char *acts;   /* one letter an act; more of a letter, more of the act */
	unsigned evictions; /* of 16 rounds of work, how many take all that can be taken */
};

static const struct mood moods[] = {
    {"rrwwRRWmoudddxxgpttkf", 2}, /* a bit of all */
    {"rrrwwRWtkf", 12},		  /* touching, while memory leaves as fast as it can */
    {"rwRWddddt", 10},		  /* discarding */
    {"rrRWmoudxxxgptff", 8},	  /* the layout in motion */
    {"rrrrrwwd", 15},		  /* a crowd, see begin_crowd() */
};
static const struct mood keepers = {"rwRWmoudnnnxxgttf", 8}; /* see begin_keepers() */
static const struct mood streams = {"ssswWrt", 12}; /* from unit to unit, see begin_streams() */

static void act(struct program *p, char letter)
{
	switch (letter) {
	case 'r':
		read_page(some_mapped_page());
		return;
	case 'w':
		write_page(some_mapped_page());
		return;
	case 'R':
		act_read();
		return;
	case 'W':
		act_write();
		return;
	case 's':
		act_stream();
		return;
	case 'm':
		act_map();
		return;
	case 'o':
		act_map_over();
		return;
	case 'u':
		act_unmap();
		return;
	case 'd':
		act_discard(p);
		return;
	case 'x':
		act_remap();
		return;
	case 'g':
		act_grow();
		return;
	case 'p':
		act_protect();
		return;
	case 'n':
		act_keep();
		return;
	case 'f':
		act_fork_unseen();
		return;
	case 't':
		if (actors_chance(sim.transfers))
			act_transfer();
		else
			act_pin();
		actor_sleep(actors_roll(sim.pause));
		return;
	case 'k':
		/* What is moved takes its frame along, to where the model does not follow. */
		if (follows())
			act_write_mem();
		return;
	}
	actor_fail("no act is called %c", letter);
}

static void program_main(void *arg)
{
	struct program *p = arg;

	if (sim.span == CROWD_PAGES)
		map((struct run){sim.low, sim.low + sim.span}, 0);
	for (unsigned i = 0; i < 4; i++)
		act_map();
	for (unsigned i = 0; i < p->acts; i++)
		act(p, sim.mood->acts[actors_roll(strlen(sim.mood->acts))]);
	sim.ended++;
}

/* ---- the work thread ------------------------------------------------------------------------ */

static void check(bool right, const char *what)
{
	if (!right)
		actor_fail("%s", what);
}

static void check_unit(const struct unit *u)
{
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		page_word w = unit_peek(u, i);
		pc_addr at = u->base + i * PC_PAGE;

		check(page_state(w) != PAGE_STAGED || staging_owner(page_slot(w)) == at,
		      "a slot does not know whose page is in it");
	}
}

static uint32_t sum_rows(enum pc_unit_column column)
{
	const struct pc_segment *s = segment;
	const struct pc_unit_row *row = (const void *)((const char *)segment + s->unit_offset);
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->unit_used; i++)
		sum += row[i].value[column];
	return sum;
}

/* What tools see of the units says the same as the pager's own table. */
static void check_rows(void)
{
	uint32_t away = 0, staged = 0;

	for (uint32_t i = 0; i < range_limit(); i++) {
		away += range_at(i) ? range_at(i)->away : 0;
		staged += range_at(i) ? range_at(i)->staged : 0;
	}
	check(sum_rows(PC_U_away) == away, "the unit table has another count of pages away");
	check(sum_rows(PC_U_staged) == staged, "the unit table has another count of pages staged");
	check(sum_rows(PC_U_taken) - sum_rows(PC_U_given_back) - sum_rows(PC_U_restored) -
		      sum_rows(PC_U_dropped) ==
		  away,
	      "the unit table does not close");
}

/* With the gate closed, the tables must agree with each other at any time. */
static void check_tables(void)
{
	gate_close(&world.gate);
	check(range_valid(), "a unit's counts are wrong, or a page is between states");
	for (uint32_t i = 0; i < range_limit(); i++)
		if (range_at(i))
			check_unit(range_at(i));
	check_rows();
	gate_open(&world.gate);
}

static void check_books(void)
{
	check(range_valid(), "the table does not add up");
	check(store_valid(), "the store is not valid");
	check(!store_totals().entries, "entries are left in the store");
	check(!stats_get(PC_V_pages_stored), "pages_stored is not 0");
	check(!stats_get(PC_V_pages_staged), "pages_staged is not 0");
	check(!stats_get(PC_V_pages_same), "pages_same is not 0");
	check(sum_rows(PC_U_taken) ==
		      stats_get(PC_V_take_pages) + stats_get(PC_V_take_madvise_pages) &&
		  sum_rows(PC_U_packed) == stats_get(PC_V_pages_evicted) &&
		  sum_rows(PC_U_restored) == stats_get(PC_V_pages_restored) &&
		  sum_rows(PC_U_refaults) == stats_get(PC_V_refaults),
	      "the unit table says otherwise than the counters");
	check(stats_get(PC_V_pages_evicted) ==
		  stats_get(PC_V_pages_restored) + stats_get(PC_V_pages_dropped),
	      "evicted is not restored and dropped");
	for (uint32_t i = 0; i < staging_limit(); i++)
		check(staging_at(i)->state == CHUNK_FREE, "a chunk is not free");
	for (uint32_t i = 0; i < range_limit(); i++)
		check(!range_at(i) || !range_at(i)->away, "a unit has pages away");
}

static void serve_request(void)
{
	/* Called in between by what it does itself. */
	if (!sim.request.open || sim.request.served)
		return;
	sim.request.served = true;
	work_return(&sim.work, sim.request.start, sim.request.end);
	sim.request.served = false;
	sim.request.open = false;
}

static void rarer_work(void)
{
	struct run r = some_run(some_page());

	switch (actors_roll(4)) {
	case 0:
		work_evict_all(&sim.work, model_addr(r.first), model_addr(r.end));
		return;
	case 1:
		work_return(&sim.work, model_addr(r.first), model_addr(r.end));
		return;
	case 2:
		work_new_phase(&sim.work);
		return;
	case 3:
		if (actors_chance(4))
			work_drain(&sim.work);
		return;
	}
}

static void some_work(void)
{
	unsigned n = (unsigned)actors_roll(16);
	pc_ns rest = 0;

	if (n < sim.mood->evictions)
		work_evict_all(&sim.work, 0, PC_ADDR_MAX);
	else if (n < 13)
		rest = work_tick(&sim.work, actors_now());
	else if (n == 13)
		rarer_work();
	else
		check_tables();
	actor_sleep(1 + actors_roll(PC_MIN(rest, sim.pause) + 1));
}

static bool pagers_ended(const void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < sim.pagers; i++)
		if (!actors_ended(sim.pager_actor[i]))
			return false;
	return !sim.is_late || actors_ended(sim.late_actor);
}

static bool programs_ended(const void *arg)
{
	(void)arg;
	return sim.ended == sim.programs;
}

/* Drains, sends the pagers home and closes the userfaultfd, as pager.c does. */
static void deactivate(void)
{
	work_drain(&sim.work);
	for (unsigned i = 0; i < sim.pagers; i++)
		fault_stop(&sim.pager[i]);
	actor_wait(pagers_ended, NULL, 0);
	check_books();
	model_close();
	reserve_stop();
	sim.closed = true;
}

/* By a bare call to where notes are of what was kept there before, or were not made: flow/forkless.h. */
static bool came_unseen(unsigned page)
{
	return sim.page[page].followed && (sim.unhooked || sim.rogue);
}

/*
 * Where a call moved what is kept to, or let it grow, nothing was noted at first, or never, if no hook saw
 * it.
 */
static bool surely_kept(unsigned page)
{
	return sim.page[page].kept && !sim.page[page].followed && !sim.unhooked && !sim.rogue;
}

static bool surely_given(unsigned page)
{
	return !sim.page[page].kept && !(came_unseen(page) && sim.mood == &keepers);
}

/* Nothing is kept from children any more either, but what the program asked for. */
static void check_pages(void)
{
	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		if (!model_mapped(i))
			continue;
		observe(i, model_present(i) ? model_peek(i) : zeros);
		if (!model_child_has(i) && surely_given(i) && !model_spoilt())
			actor_fail("children will never have page %u", i);
		if (model_child_has(i) && surely_kept(i) && !model_spoilt())
			actor_fail("children get page %u, which the program keeps from them", i);
	}
}

static void work_main(void *arg)
{
	unsigned rounds = (unsigned)actors_roll(40);

	(void)arg;
	reserve_start();
	while (!programs_ended(NULL) && !world.pinned && (!sim.closes_early || rounds--)) {
		serve_request();
		some_work();
	}
	deactivate();
	actor_wait(programs_ended, NULL, 0);
	check_pages();
}

static void pager_main(void *arg)
{
	fault_loop(arg);
}

/*
 * A pager that read its reports long ago: whoever asked has been answered since, by another one that had
 * a second thread's report of the same page.
 */
static void late_main(void *arg)
{
	struct restorer r = {.slot = GATE_PAGER0 + sim.pagers, .page = restore_buffer[PAGERS + 1]};

	(void)arg;
	while (!load_acquire(&sim.pager[0].stop)) {
		const pc_addr at = model_addr(some_page());
		const struct uffd_event report = {
		    .kind = UFFD_FAULT,
		    .start = at,
		    .end = at + PC_PAGE,
		    .write = actors_chance(2),
		    .wp = world.way == WAY_MADVISE && actors_chance(2),
		};

		restore_fault(&r, &report);
		if (r.quiet)
			uffd_wake(&world.uffd, r.rest, r.rest + PC_UNIT);
		actor_sleep(1 + actors_roll(LATE_PAUSE));
	}
}

/* ---- what has no part in it ----------------------------------------------------------------- */

_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2);
int __wrap_pins_held(int tid);
int __wrap_task_each(task_fn *fn, void *arg);
bool __wrap_task_is_kernel_made(int tid);
bool __wrap_task_is_zombie(int tid);
bool __wrap_task_alive(int tid);
int __wrap_task_cpu(int tid);
int64_t __wrap_pressure_anon(const struct pressure *p);
int __wrap_pagemap_dirtied(const struct pagemap *pm, pc_addr page);

_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2)
{
	actor_fail("%s (%#lx, %#lx)", what, (long)fact1, (long)fact2);
	abort();
}

/* Descriptors are looked at one after the other. */
int __wrap_pins_held(int tid)
{
	bool held = sim.descriptors;

	actor_yield();
	if (actors_chance(sim.descriptors ? 2 : 100))
		return -ENOENT;
	return (held || sim.descriptors) + (tid & 0);
}

/* The program's threads, of which one is enough, keep their control blocks elsewhere. */
int __wrap_task_each(task_fn *fn, void *arg)
{
	fn(THREAD, arg);
	return 0;
}

bool __wrap_task_is_kernel_made(int tid)
{
	return tid != THREAD;
}

bool __wrap_task_is_zombie(int tid)
{
	return tid != THREAD;
}

bool __wrap_task_alive(int tid)
{
	return tid != 0;
}

int __wrap_task_cpu(int tid)
{
	return (int)actors_roll(PAGERS + 1) + (tid & 0);
}

/* Nobody clears such bits. The page asked about is the pager's own, which the model does not have. */
int __wrap_pagemap_dirtied(const struct pagemap *pm, pc_addr page)
{
	(void)pm;
	(void)page;
	return 1;
}

int64_t __wrap_pressure_anon(const struct pressure *p)
{
	int64_t pages = 0;

	(void)p;
	for (unsigned i = 0; i < MODEL_PAGES; i++)
		pages += model_present(i);
	return pages * (int64_t)PC_PAGE;
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void forget_bytes(void *start, size_t n)
{
	memset(start, 0xdd, n);
}

static void zero_again(void *at, size_t bytes)
{
	if (madvise(at, bytes, MADV_DONTNEED))
		abort();
}

static void begin_tables(void)
{
	zero_again(range_memory, range_table_bytes(UNITS));
	zero_again(staging_space, staging_space_bytes(CHUNKS));
	zero_again(staging_table, staging_table_bytes(CHUNKS));
	zero_again(store_table, store_table_bytes(STORE_BYTES));
	memset(segment, 0, stats_segment_bytes());
	assert_true(range_start(range_memory, UNITS, NULL));
	assert_true(staging_start(staging_space, staging_table, CHUNKS, NULL));
	assert_true(store_start(store_space, STORE_BYTES, store_table, forget_bytes, NULL));
	stats_start(segment, 1000, "simulator", actors_now());
	thread_reset();
	forkless_reset();
	forkless_remove(0, PC_ADDR_MAX);
	exclude_reset();
	exclude_remove(0, PC_ADDR_MAX);
	mapped_reset();
	mapped_forget();
	thread_add(THREAD, PC_PAGE, PC_PAGE);
}

static void begin_options(void)
{
	options_defaults(&options);
	options.cold_age = ages[actors_roll(PC_ARRAY_LEN(ages))];
	options.fault_around = arounds[actors_roll(PC_ARRAY_LEN(arounds))];
	options.verify = actors_roll(3);
	options.hotness = HOTNESS_PROBE;
	options.max_cpu = 100;
	options.repack = sim.seed % REPACK_SHARE == 1;
}

static void begin_world(void)
{
	memset(&world, 0, sizeof(world));
	world.way = actors_chance(MADVISE_SHARE) ? WAY_MADVISE : WAY_MOVE;
	world.uffd = (struct uffd){
	    .fd = MODEL_UFFD, .thread_id = true, .protects = world.way == WAY_MADVISE};
	world.silent.fd = -1;
	world.pagemap.fd = MODEL_MAP;
	world.pagemap.way = actors_chance(3) ? PAGEMAP_READ : PAGEMAP_SCANNED;
	world.maps = MODEL_MAPS;
	world.mem = MODEL_MEM;
	world.mapping_at = actors_chance(16) ? vma_search : vma_query;
	world.smaps = MODEL_SMAPS;
	world.cold_age = options.cold_age;
	world.everything = !options.cold_age;
	world.keep_below = codec_keep_below((unsigned)options.min_savings);
	world.max_runs = actors_chance(8) ? 3 : 1000;
	gate_reset(&world.gate, GATE_PAGER0 + sim.pagers + sim.is_late);
	discover_forget();
	forget_settled();
	sample_start(1000);
	SET(soft_cap_bytes, actors_chance(3) ? actors_roll(MODEL_PAGES) * PC_PAGE : 0);
}

/* Who is seen with a device's descriptor is left alone from then on: that ends most of a run. */
static void begin_way(void)
{
	sim.rogue = follows() ? rogues[actors_roll(PC_ARRAY_LEN(rogues))] : 0;
	sim.transfers = follows() && !actors_chance(4) ? 0 : 4;
}

static void begin_crew(void)
{
	memset(sim.pager, 0, sizeof(sim.pager));
	for (unsigned i = 0; i < sim.pagers; i++) {
		struct fault_thread *t = &sim.pager[i];

		t->index = t->cpu = i;
		t->restorer = (struct restorer){
		    .slot = GATE_PAGER0 + i, .shard = 1 + i, .page = restore_buffer[i]};
		t->nudge = MODEL_NUDGE + (int)i;
	}
	fault_set(sim.pager, sim.pagers);
	sim.stop = 0;
	sim.work.restorer = (struct restorer){.slot = GATE_WORK, .page = restore_buffer[PAGERS]};
	sim.work.stop = &sim.stop;
	sim.work.serve = serve_request;
	work_start(&sim.work, actors_now());
}

static struct model_odds some_odds(void)
{
	struct model_odds o = {.interrupt = 8, .gap = actors_chance(2) ? 100 : 4};

	if (actors_chance(4))
		o.nomem = 40;
	if (actors_chance(3))
		o.partial = 12;
	if (actors_chance(4))
		o.busy = 30;
	if (actors_chance(3))
		o.linger = 1 + (unsigned)actors_roll(4);
	return o;
}

static void spawn_all(void)
{
	for (unsigned i = 0; i < sim.programs; i++) {
		sim.program[i] = (struct program){.number = i};
		sim.program[i].acts = 20 + (unsigned)actors_roll(250);
		actors_spawn("program", program_main, &sim.program[i]);
	}
	for (unsigned i = 0; i < sim.pagers; i++)
		sim.pager_actor[i] = actors_spawn("pager", pager_main, &sim.pager[i]);
	if (sim.is_late)
		sim.late_actor = actors_spawn("late pager", late_main, NULL);
	actors_spawn("work", work_main, NULL);
}

/* Where the program lives: few pages make for many meetings, the border of units for their own. */
static void begin_program(void)
{
	sim.span = spans[actors_roll(PC_ARRAY_LEN(spans))];
	sim.low = (MODEL_PAGES - sim.span) / 2;
	if (actors_chance(3))
		sim.low = (unsigned)actors_roll(MODEL_PAGES - sim.span + 1);
	sim.mood = &moods[actors_roll(PC_ARRAY_LEN(moods))];
	sim.pause = pauses[actors_roll(PC_ARRAY_LEN(pauses))];
}

/*
 * Everybody at the same few pages, which leave at once and are discarded while two pagers have
 * faults on them: what one of them read has often become untrue before it looks further.
 */
static void begin_crowd(struct model_odds *odds)
{
	sim.programs = PROGRAMS_MAX;
	sim.pagers = PAGERS;
	sim.span = CROWD_PAGES;
	sim.low = (unsigned)actors_roll(MODEL_PAGES - sim.span);
	sim.mood = &moods[PC_ARRAY_LEN(moods) - 1];
	sim.pause = pauses[0];
	options.cold_age = 0;
	if (actors_chance(2))
		actors_restless();
	actor_trace("a crowd");
	*odds = (struct model_odds){.interrupt = 8, .gap = 100, .linger = 1};
}

/*
 * The border of units is inside, and the pager free to bring back what it will. By the seed's number:
 * drawn, it would have changed what all the other seeds show.
 */
static void begin_streams(void)
{
	if (sim.seed % STREAM_SHARE)
		return;
	sim.span = STREAM_SPAN;
	sim.low = (MODEL_PAGES - sim.span) / 2;
	sim.mood = &streams;
	options.fault_around = 0;
}

/* The pages are few, for it is on one that all must meet. By number, too. */
static void begin_late(void)
{
	sim.is_late = sim.seed % STREAM_SHARE == 1;
	if (!sim.is_late)
		return;
	sim.span = CROWD_PAGES;
	sim.low = PC_MIN(sim.low, MODEL_PAGES - sim.span);
	sim.mood = &moods[1];
}

/* What the program keeps from its children, beside what the pager does. By number, too. */
static void begin_keepers(void)
{
	if (sim.seed % STREAM_SHARE == 3)
		sim.mood = &keepers;
}

/* By number, too. */
static void begin_forgetful(struct model_odds *odds)
{
	if (sim.seed % STREAM_SHARE == 2)
		odds->forgets = FORGETS;
}

/* NULL, or what went wrong. */
static const char *run_seed(uint64_t seed, enum model_law broken, bool trace)
{
	struct model_odds odds;

	actors_begin(seed, trace);
	memset(sim.page, 0, sizeof(sim.page));
	sim.seed = seed;
	sim.act = 0;
	sim.ended = 0;
	sim.programs = 1 + (unsigned)actors_roll(PROGRAMS_MAX);
	sim.pagers = 1 + (unsigned)actors_roll(PAGERS);
	sim.closes_early = actors_chance(4);
	sim.closed = false;
	sim.request.open = false;
	sim.unhooked = unhooked[actors_roll(PC_ARRAY_LEN(unhooked))];
	sim.descriptors = 0;
	lock_reset(&sim.host);
	begin_program();
	odds = some_odds();
	begin_options();
	begin_streams();
	begin_late();
	if (actors_chance(CROWD_SHARE))
		begin_crowd(&odds);
	begin_forgetful(&odds);
	begin_keepers();
	assert_true(sim.low + sim.span <= MODEL_PAGES);
	if (actors_chance(FAMINE_SHARE))
		odds.famine = 1 + (unsigned)actors_roll(FAMINE);
	begin_tables();
	begin_world();
	begin_crew();
	begin_way();
	model_begin(staging_space, staging_space_bytes(CHUNKS), &watch, &odds, broken);
	if (follows())
		model_open_protecting();
	spawn_all();
	return actors_run();
}

/* ---- the tests ------------------------------------------------------------------------------ */

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static int start(void **unused)
{
	(void)unused;
	range_memory = demand_zero(range_table_bytes(UNITS));
	staging_space = demand_zero(staging_space_bytes(CHUNKS));
	staging_table = demand_zero(staging_table_bytes(CHUNKS));
	store_space = demand_zero(STORE_BYTES);
	store_table = demand_zero(store_table_bytes(STORE_BYTES));
	segment = demand_zero(stats_segment_bytes());
	/* What is found out on first use takes steps of its own, which belong to no seed. */
	codec_sum(0, zeros, PC_PAGE);
	return discover_start();
}

/* The pager ended the process since it could not tell. Allowed, if rare: it is no wrong answer. */
static bool is_crossing(const char *wrong)
{
	return strstr(wrong, "crossed") != NULL;
}

/*
 * Where another thread changes the mapping while it is asked whose flag is there, the pager takes it for
 * its own: in doubt children get more, never less. In one such seed of 1 500.
 */
static bool is_given(const char *wrong)
{
	return strstr(wrong, "which the program keeps") != NULL;
}

/* What a run of thousands of seeds must have met, or it shows little. */
static const enum pc_value_id met[] = {
    PC_V_pages_evicted,
    PC_V_repacked,
    PC_V_pages_restored,
    PC_V_pages_dropped,
    PC_V_take_busy,
    PC_V_take_owned_again,
    PC_V_take_again,
    PC_V_take_invalid,
    PC_V_take_lost_race,
    PC_V_take_removing,
    PC_V_take_madvise_pages,
    PC_V_moves_recounted,
    PC_V_faults_wp,
    PC_V_give_back_pages,
    PC_V_give_back_units,
    PC_V_compress_same,
    PC_V_compress_skips_poor,
    PC_V_compress_skips_wanted,
    PC_V_compress_skips_backoff,
    PC_V_faults_write,
    PC_V_faults_unexpected,
    PC_V_restore_ok_packed,
    PC_V_restore_ok_same,
    PC_V_restore_ok_staged,
    PC_V_restore_around,
    PC_V_restore_streams,
    PC_V_restore_raced,
    PC_V_restore_again,
    PC_V_restore_reserve,
    PC_V_zero_fills,
    PC_V_refaults,
    PC_V_events_unmap,
    PC_V_events_remap,
    PC_V_events_remove,
    PC_V_register_failed,
    PC_V_ranges_removed,
    PC_V_probe_warm,
};
static uint64_t meetings[PC_ARRAY_LEN(met)];

static void count_meetings(void)
{
	for (unsigned i = 0; i < PC_ARRAY_LEN(met); i++)
		meetings[i] += stats_get(met[i]);
}

static const char *name_of(enum pc_value_id id)
{
	const struct pc_segment *s = stats_segment();
	const struct pc_entry *e = (const void *)((const char *)s + s->entry_offset);

	while (e->kind == PC_ENTRY_HISTOGRAM || e->slot != (uint32_t)id)
		e++;
	return e->name;
}

static void check_meetings(void)
{
	for (unsigned i = 0; i < PC_ARRAY_LEN(met); i++) {
		printf("%s %lu%s", name_of(met[i]), (long)meetings[i], i % 5 == 4 ? "\n" : ", ");
		if (!meetings[i])
			fail_msg("no seed has met %s", name_of(met[i]));
	}
	printf("\n");
}

/* Seeds beyond the first SEEDS that failed. Each shows what it was kept for until the steps change. */
static const uint64_t once_failed[] = {
    708983263,	     /* COPY without memory from a slot of staging that agrees with where it goes */
    225735956977078, /* a guarded mapping grows to where a unit is let go that never was guarded */
    1795517902042584, /* a part of a mapping that grew is given, and the rest released alone */
};

static void test_what_once_failed(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < PC_ARRAY_LEN(once_failed); i++) {
		const char *wrong = run_seed(once_failed[i], LAW_NONE, false);

		if (wrong)
			fail_msg("seed %lu: %s", (long)once_failed[i], wrong);
	}
}

static void test_every_read_is_what_was_written(void **unused)
{
	uint64_t first = from_environment("TEST_SEED", 1);
	uint64_t seeds = from_environment("TEST_SEEDS", SEEDS);
	uint64_t spoilt = 0, crossed = 0, given = 0;

	(void)unused;
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		const char *wrong = run_seed(seed, LAW_NONE, false);

		spoilt += model_spoilt();
		crossed += wrong && is_crossing(wrong);
		given += wrong && is_given(wrong);
		if (wrong && !model_spoilt() && !is_crossing(wrong) && !is_given(wrong))
			fail_msg("seed %lu: %s\nreplay with --seed %lu", (long)seed, wrong,
				 (long)seed);
		count_meetings();
	}
	printf("%lu seeds; %lu spoilt; %lu ended because reports may have crossed; "
	       "%lu with a page that children get and should not\n",
	       (long)seeds, (long)spoilt, (long)crossed, (long)given);
	if (seeds < SEEDS)
		return;
	assert_true(spoilt <= seeds / SPOILT_SHARE);
	assert_true(crossed <= seeds / CROSSED_SHARE);
	assert_true(given <= seeds / GIVEN_SHARE);
	check_meetings();
}

/* A kernel that breaks one of its laws must be found out: else the simulator proves nothing. */
static void test_lawless_kernels_are_noticed(void **unused)
{
	(void)unused;
	for (int law = LAW_NONE + 1; law < LAW_COUNT; law++) {
		const char *wrong = NULL;
		uint64_t seed = 0;

		while (!wrong && seed < SEEDS_SABOTAGE) {
			wrong = run_seed(++seed, (enum model_law)law, false);
			if (wrong && (is_crossing(wrong) || model_spoilt()))
				wrong = NULL;
		}
		printf("law %d, seed %lu: %s\n", law, (long)seed, wrong ? wrong : "not noticed");
		assert_non_null(wrong);
	}
}

static int replay(uint64_t seed)
{
	const char *wrong;

	start(NULL);
	wrong = run_seed(seed, LAW_NONE, true);
	printf("seed %lu: %s\n", (long)seed, wrong ? wrong : "nothing wrong");
	return wrong != NULL;
}

/* That many seeds and nothing else: for tests/sabotage/run. */
static int run_seeds(uint64_t seeds, uint64_t first)
{
	start(NULL);
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		const char *wrong = run_seed(seed, LAW_NONE, false);

		if (wrong && !model_spoilt() && !is_crossing(wrong) && !is_given(wrong)) {
			printf("FAIL: seed %lu: %s\n", (long)seed, wrong);
			return 1;
		}
	}
	return 0;
}

/* One OS thread has no races for ThreadSanitizer to find, and it does not know our stacks. */
#ifdef __SANITIZE_THREAD__
static const bool pointless = true;
#else
static const bool pointless = false;
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_once_failed),
	    cmocka_unit_test(test_every_read_is_what_was_written),
	    cmocka_unit_test(test_lawless_kernels_are_noticed),
	};

	if (pointless)
		return SKIP;
	if (argc == 3 && !strcmp(argv[1], "--seed"))
		return replay(strtoull(argv[2], NULL, 0));
	if (argc == 4 && !strcmp(argv[1], "--seeds"))
		return run_seeds(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	return cmocka_run_group_tests(tests, start, NULL);
}
