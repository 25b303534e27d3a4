/*
 * What is registered, and what is not. A mapping that the pager cuts must become one again, for
 * mremap() wants one: so nothing is cut that a hook has asked to be left whole, nor what has not been
 * written to yet; and what was registered while the layout changed stays noted until it is released.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/stats.h"
#include "base/sys.h"
#include "flow/exclude.h"
#include "flow/forkless.h"
#include "flow/take.h"
#include "flow/world.h"
#include "kernel/pagemap.h"
#include "kernel/uapi.h"
#include "state/range.h"
#include "state/staging.h"
#include "support/demand_zero.h"

#include <errno.h>
#include <sys/mman.h>

#define START	 0x7d0000000000ull
#define AT(page) (START + (page)*PC_PAGE)
#define UNITS	 4u
#define LOG	 512

static uint8_t *table;
static struct unit *unit;
static struct {
	char log[LOG];
	uint64_t present[UNIT_MAP_WORDS];  /* when the run is chosen */
	uint64_t borrowed[UNIT_MAP_WORDS]; /* of those: gone since, or zeros that were only read */
	uint64_t moving[UNIT_MAP_WORDS];   /* not present, but the page table has an entry */
	uint64_t moved[UNIT_MAP_WORDS];	   /* slots of the chunk that something was moved to */
	struct vma mapping[2];
	unsigned quiet; /* questions to which no event is pending; then one is */
	bool forgets;	/* that it has moved what it has: flow/move.h */
	bool busy;	/* page 4, once; meanwhile page 2 comes back */
	bool sealed;	/* where it moves to, when it does */
	bool replaced;	/* registered is what was mapped in the place of what was chosen */
	bool refuses;	/* to keep anything from children */
	bool keeps;	/* pages 4 and 5 from children, from when they are registered on */
	unsigned grown;	/* up to where what is released has grown, just before */
	bool taking;	/* a thread that is made now waits */
	bool births;	/* one is being made */
	unsigned takes;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
bool __wrap_thread_take_begin(int tid);
void __wrap_thread_take_end(void);
int __wrap_pagemap_present(const struct pagemap *pm, pc_addr start, pc_addr end,
			   uint64_t present[PC_UNIT_PAGES / 64]);
int __wrap_pagemap_unshared(const struct pagemap *pm, pc_addr start, pc_addr end,
			    uint64_t unshared[PC_UNIT_PAGES / 64]);
int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page);

static bool in_unit(pc_addr at)
{
	return at >= START && at < START + PC_UNIT;
}

static void note(const char *what, pc_addr start, uint64_t len)
{
	size_t n = strlen(played.log);

	if (in_unit(start))
		snprintf(played.log + n, LOG - n, "%s%s %u-%u", n ? ", " : "", what,
			 (unsigned)((start - START) / PC_PAGE),
			 (unsigned)((start + len - START) / PC_PAGE));
}

static struct vma plain(unsigned first, unsigned end)
{
	return (struct vma){
	    .start = AT(first), .end = AT(end), .read = true, .write = true, .kind = VMA_ANON};
}

static void set(uint64_t *map, unsigned first, unsigned end)
{
	for (; first < end; first++)
		map[first / 64] |= 1ull << (first % 64);
}

static void set_moved(const struct uffdio_move *m, uint64_t pages)
{
	unsigned slot = (unsigned)((m->dst - staging_slot_addr(0)) / PC_PAGE);

	set(played.moved, slot, slot + (unsigned)pages);
}

static long play_busy(struct uffdio_move *m)
{
	const unsigned before = (unsigned)((AT(4) - m->src) / PC_PAGE);

	set_moved(m, before);
	m->move = before ? (int64_t)(before * PC_PAGE) : -EBUSY;
	return before ? -EAGAIN : -EBUSY;
}

static void come_back(unsigned page)
{
	page_word w = unit_peek(unit, page);

	staging_release(page_slot(w));
	unit_count(unit, page, w, page_make(PAGE_RESIDENT, 0));
	page_store(unit_word(unit, page), page_make(PAGE_RESIDENT, 0));
}

static long play_ioctl(unsigned long request, void *arg)
{
	struct uffdio_register *r = arg;
	struct uffdio_move *m = arg;

	switch (request) {
	case UFFDIO_REGISTER:
		note("register", r->range.start, r->range.len);
		if (played.keeps)
			forkless_add(AT(4), AT(6));
		if (played.replaced)
			memset(played.present, 0, sizeof(played.present));
		return 0;
	case UFFDIO_UNREGISTER:
		note("release", r->range.start, r->range.len);
		if (played.grown)
			played.mapping[1] = plain(page_in_unit(r->range.start + r->range.len),
						  played.grown);
		played.grown = 0;
		return 0;
	case UFFDIO_ZEROPAGE:
		if (!played.quiet)
			return -EAGAIN;
		played.quiet--;
		return -EINVAL;
	case UFFDIO_MOVE:
		assert_true(played.taking);
		note("move", m->src, m->len);
		played.sealed = staging_chunk_at(m->dst)->sealed;
		if (played.busy)
			return play_busy(m);
		set_moved(m, m->len / PC_PAGE);
		m->move = played.forgets ? -EEXIST : (int64_t)m->len;
		return played.forgets ? -EEXIST : 0;
	case UFFDIO_WAKE:
		return 0;
	}
	fail_msg("ioctl %#lx", request);
	return -ENOSYS;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_ioctl)
		return play_ioctl((unsigned long)b, (void *)c);
	if (nr != __NR_madvise || !in_unit((pc_addr)a))
		return __real_sys_call(nr, a, b, c, d, e, f);
	if (c == MADV_POPULATE_WRITE && played.busy) {
		played.busy = false;
		come_back(2);
	}
	if (c == MADV_DONTFORK && played.refuses)
		return -ENOMEM;
	note(c == MADV_DONTFORK ? "guard"
	     : c == MADV_DOFORK ? "give"
				: "advise",
	     (pc_addr)a, (uint64_t)b);
	return 0;
}

int __wrap_pagemap_present(const struct pagemap *pm, pc_addr start, pc_addr end,
			   uint64_t present[PC_UNIT_PAGES / 64])
{
	int count = 0;

	(void)pm;
	assert_true(start == START && end == START + PC_UNIT);
	memcpy(present, played.present, sizeof(played.present));
	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
		count += __builtin_popcountll(present[i]);
	return count;
}

static bool is_own(unsigned page)
{
	return (played.present[page / 64] & ~played.borrowed[page / 64]) >> (page % 64) & 1;
}

int __wrap_pagemap_unshared(const struct pagemap *pm, pc_addr start, pc_addr end,
			    uint64_t unshared[PC_UNIT_PAGES / 64])
{
	unsigned first = (unsigned)((start - START) / PC_PAGE);
	int count = 0;

	(void)pm;
	memset(unshared, 0, PC_UNIT_PAGES / 8);
	for (unsigned i = 0; i < (end - start) / PC_PAGE; i++) {
		if (!is_own(first + i))
			continue;
		unshared[i / 64] |= 1ull << (i % 64);
		count++;
	}
	return count;
}

int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page)
{
	const bool here = in_unit(page);
	unsigned i = (unsigned)((page - (here ? START : staging_slot_addr(0))) / PC_PAGE);

	(void)pm;
	assert_true(world.gate.slot[GATE_WORK].inside);
	if (!here)
		return played.moved[i / 64] >> (i % 64) & 1;
	if (played.forgets)
		return 0;
	return (played.present[i / 64] | played.moving[i / 64]) >> (i % 64) & 1;
}

static int mapping_at(int fd, pc_addr addr, struct vma *v)
{
	(void)fd;
	for (unsigned i = 0; i < 2; i++) {
		if (played.mapping[i].end <= addr)
			continue;
		*v = played.mapping[i];
		return 0;
	}
	return -ENOENT;
}

bool __wrap_thread_take_begin(int tid)
{
	assert_int_equal(tid, sys_gettid());
	assert_false(played.taking);
	played.taking = !played.births;
	played.takes += played.taking;
	return played.taking;
}

void __wrap_thread_take_end(void)
{
	assert_true(played.taking);
	played.taking = false;
}

static void present(unsigned first, unsigned end)
{
	set(played.present, first, end);
}

static unsigned take_at(pc_addr base)
{
	uint64_t managed[UNIT_MAP_WORDS];

	memset(managed, 0xff, sizeof(managed));
	return take_unit(base, managed, PC_SEC, PC_SEC);
}

static unsigned take(void)
{
	return take_at(START);
}

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	SET(ranges_registered, 0);
	memset(table, 0, range_table_bytes(UNITS));
	assert_true(range_start(table, UNITS, NULL));
	played.mapping[0] = plain(0, PC_UNIT_PAGES);
	played.quiet = 1000;
	world.mapping_at = mapping_at;
	world.everything = true;
	world.way = WAY_MOVE;
	world.max_runs = 1000;
	gate_reset(&world.gate, 1);
	exclude_reset();
	exclude_remove(0, PC_ADDR_MAX);
	forkless_seek();
	unit = range_ensure(START);
	return unit ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	assert_false(played.taking);
	for (uint32_t i = 0; i < staging_limit(); i++) {
		for (unsigned k = 0; k < PC_UNIT_PAGES; k++)
			if (page_state(unit_peek(unit, k)) == PAGE_STAGED)
				staging_release(page_slot(unit_peek(unit, k)));
		staging_free(staging_at(i));
	}
	return 0;
}

static void what_is_there_leaves(void **state)
{
	(void)state;
	present(2, 6);
	assert_int_equal(take(), 4);
	assert_string_equal(played.log, "register 2-6, guard 2-6, move 2-6");
}

/* Its stack may be what is to be taken, and is not known yet. */
static void while_a_thread_is_made_nothing_leaves(void **state)
{
	(void)state;
	present(2, 6);
	played.births = true;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "");
	played.births = false;
	assert_int_equal(take(), 4);
	assert_int_equal(played.takes, 1);
}

static void what_has_left_is_sealed_until_more_is_to_leave(void **state)
{
	(void)state;
	present(2, 6);
	assert_int_equal(take(), 4);
	assert_true(staging_at(0)->sealed);
	end(state);
	begin(state);
	present(2, 6);
	assert_int_equal(take(), 4);
	assert_false(played.sealed);
}

static void no_more_is_cut_than_the_process_may_have_mappings(void **state)
{
	(void)state;
	world.max_runs = 2;
	present(2, 3);
	present(100, 101);
	assert_int_equal(take(), 2);
	assert_int_equal(stats_get(PC_V_ranges_registered), 2);
	assert_non_null(range_ensure(START + PC_UNIT));
	assert_int_equal(take_at(START + PC_UNIT), 0);
}

static void a_small_hole_goes_along(void **state)
{
	(void)state;
	present(2, 4);
	present(6, 8);
	assert_int_equal(take(), 4);
	assert_string_equal(played.log, "register 2-8, guard 2-8, move 2-4, move 6-8");
}

/* mremap() may be about to look at it, or to leave it empty. */
static void what_is_held_does_not_go_along(void **state)
{
	uint32_t hold = exclude_hold(AT(4), AT(6));

	(void)state;
	present(2, 4);
	present(6, 8);
	assert_int_equal(take(), 4);
	assert_string_equal(played.log,
			    "register 2-4, guard 2-4, register 6-8, guard 6-8, move 2-4, move 6-8");
	exclude_release(hold);
}

static void what_was_never_written_to_is_not_cut(void **state)
{
	(void)state;
	present(2, 6);
	set(played.borrowed, 2, 6);
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "");
}

static void a_piece_begins_and_ends_with_a_page_of_its_own(void **state)
{
	(void)state;
	present(2, 12);
	set(played.borrowed, 2, 4);
	set(played.borrowed, 6, 7);
	set(played.borrowed, 9, 12);
	take();
	assert_string_equal(played.log, "register 4-9, guard 4-9, move 4-9");
}

/*
 * What was mapped there since has not been written to, and what it is cut into would stay so. It may have
 * grown from what is guarded, and have the flag.
 */
static void another_mapping_is_let_go(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 6);
	present(2, 6);
	played.replaced = true;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6, give 2-6, release 2-6");
	assert_false(unit_any_registered(unit));
	assert_false(unit->unguarded);
}

static void another_mapping_that_the_program_keeps_stays_kept(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 6);
	present(2, 6);
	played.replaced = true;
	assert_true(forkless_add(AT(2), AT(6)));
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6, release 2-6");
	forkless_remove(AT(2), AT(6));
}

static void nothing_is_cut_where_no_page_is(void **state)
{
	(void)state;
	played.mapping[0] = plain(0, 6);
	played.mapping[1] = plain(6, 64);
	present(2, 3);
	present(10, 12);
	assert_int_equal(take(), 3);
	assert_string_equal(played.log, "register 2-3, guard 2-3, register 10-12, guard 10-12, "
					"move 2-3, move 10-12");
}

static void nothing_is_registered_while_the_layout_changes(void **state)
{
	(void)state;
	present(2, 6);
	played.quiet = 0;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "");
	assert_false(unit_any_registered(unit));
}

/* What was registered may be kept from children by nobody: the mapping may be another. */
static void nothing_is_guarded_while_the_layout_changes(void **state)
{
	(void)state;
	present(2, 6);
	played.quiet = 1;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6");
	assert_true(unit_registered(unit, 2) && unit_registered(unit, 5));
	assert_true(unit->unguarded);
}

static void what_is_registered_again_is_noted(void **state)
{
	(void)state;
	unit_set_registered(unit, 2, 4, true);
	unit_set_dontfork(unit, 2, 4);
	played.mapping[0] = plain(2, 10);
	played.quiet = 1;
	assert_false(release_unit(unit));
	assert_string_equal(played.log, "give 2-10, release 2-10, register 2-10");
	for (unsigned i = 2; i < 10; i++)
		assert_true(unit_registered(unit, i));
	assert_true(unit->unguarded);
}

/* It grew unseen, its beginning was unmapped, and a fault made two pages of the rest known. */
static void what_lost_its_beginning_is_released_whole(void **state)
{
	(void)state;
	played.mapping[0] = plain(4, 10);
	unit_set_registered(unit, 6, 8, true);
	unit_set_dontfork(unit, 6, 8);
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "give 4-10, release 4-10");
}

static void what_grows_while_it_is_released_is_released_too(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 6);
	unit_set_registered(unit, 2, 6, true);
	unit_set_dontfork(unit, 2, 6);
	played.grown = 9;
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "give 2-6, release 2-6, give 6-9, release 6-9");
}

static void what_grows_where_nothing_is_certain_is_given_too(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 6);
	unit_set_registered(unit, 2, 6, true);
	unit->unguarded = 1;
	played.grown = 9;
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "give 2-6, release 2-6, give 6-9, release 6-9");
}

/* Its note may be still to come. */
static void what_grows_with_what_the_program_keeps_is_not_given(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 6);
	unit_set_registered(unit, 2, 6, true);
	assert_true(forkless_add(AT(2), AT(6)));
	played.grown = 9;
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "release 2-6, release 6-9");
	forkless_remove(AT(2), AT(6));
}

/* The program keeps it from its children, but where a layout event was pending, unless that is noted. */
static void what_nobody_keeps_is_given_where_nothing_is_certain(void **state)
{
	(void)state;
	played.mapping[0] = plain(2, 5);
	unit_set_registered(unit, 2, 5, true);
	assert_true(release_unit(unit));
	unit_set_registered(unit, 2, 5, true);
	unit->unguarded = 1;
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "release 2-5, give 2-5, release 2-5");
	assert_true(forkless_add(AT(4), AT(5)));
	unit_set_registered(unit, 2, 5, true);
	unit->unguarded = 1;
	assert_true(release_unit(unit));
	assert_string_equal(played.log, "release 2-5, give 2-5, release 2-5, release 2-5");
	forkless_remove(AT(4), AT(5));
}

/* A guard around page 4, which is not at home and whose word is `w`, is taken back from the others. */
static void take_back_around(page_word w)
{
	present(2, 4);
	present(5, 6);
	unit_words(unit, 4, 5);
	unit_count(unit, 4, page_make(PAGE_RESIDENT, 0), page_make_same(7));
	page_store(unit_word(unit, 4), w);
	played.quiet = 2;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6, guard 2-6, give 2-4, give 5-6");
}

/* It had its guard before it left, and nothing else comes to lie there unreported. */
static void what_is_away_keeps_its_guard(void **state)
{
	(void)state;
	take_back_around(page_make_same(7));
}

/* A pager is at it; should the kernel refuse, it stays away. */
static void so_does_what_is_on_its_way_home(void **state)
{
	(void)state;
	take_back_around(page_make(PAGE_RETURNING, 0));
}

/* Noted by a hook, which sets the flag next: then it is not the pager's to take away. */
static void what_the_program_is_about_to_keep_is_not_guarded(void **state)
{
	(void)state;
	present(2, 6);
	played.keeps = true;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6");
	assert_true(forkless_hits(AT(4), AT(6)));
	forkless_remove(AT(4), AT(6));
}

/* Nothing is pending, so nothing can have moved: it is no more than tried again. */
static void a_guard_that_is_refused_is_not_lost(void **state)
{
	(void)state;
	present(2, 6);
	played.refuses = true;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6");
	assert_true(unit->unguarded);
	assert_false(forkless_lost());
}

/* What was guarded may have been another mapping, which has moved on since. */
static void a_guard_beside_a_change_may_be_lost(void **state)
{
	(void)state;
	present(2, 6);
	played.quiet = 2;
	assert_int_equal(take(), 0);
	assert_string_equal(played.log, "register 2-6, guard 2-6, give 2-6");
	assert_true(forkless_lost());
}

static enum page_state state_of(unsigned page)
{
	return page_state(unit_peek(unit, page));
}

/* What is left of it would survive the discard in staging, and come back. */
static void a_discard_is_over_when_the_page_is_gone(void **state)
{
	(void)state;
	present(2, 6);
	set(played.moving, 7, 8);
	unit_words(unit, 4, 9);
	for (unsigned i = 5; i < 9; i++)
		page_store(unit_word(unit, i), page_make(PAGE_REMOVING, 0));
	assert_int_equal(take(), 3);
	assert_int_equal(state_of(5), PAGE_REMOVING);
	assert_int_equal(state_of(6), PAGE_RESIDENT);
	assert_int_equal(state_of(7), PAGE_REMOVING);
	assert_int_equal(state_of(8), PAGE_RESIDENT);
}

/* Also where nothing is to leave; filled again unseen, nothing would show it any more. */
static void a_discard_is_over_in_a_unit_that_is_let_go(void **state)
{
	(void)state;
	unit_set_registered(unit, 2, 4, true);
	page_store(unit_word(unit, 2), page_make(PAGE_REMOVING, 0));
	assert_int_equal(take(), 0);
	assert_int_equal(state_of(2), PAGE_RESIDENT);
	page_store(unit_word(unit, 3), page_make(PAGE_REMOVING, 0));
	assert_true(release_unit(unit));
	assert_int_equal(state_of(3), PAGE_RESIDENT);
}

/* It is in staging, whatever the kernel says: taken for resident it would be read as zeros. */
static void what_the_kernel_forgot_has_left(void **state)
{
	(void)state;
	present(2, 6);
	played.forgets = true;
	assert_int_equal(take(), 4);
	assert_string_equal(played.log, "register 2-6, guard 2-6, move 2-6");
	for (unsigned i = 2; i < 6; i++)
		assert_int_equal(state_of(i), PAGE_STAGED);
}

/* Its old bytes lie in the slot: with a hole in its place it would look like a page that has moved. */
static void what_came_back_does_not_leave_again_at_once(void **state)
{
	(void)state;
	present(2, 5);
	played.busy = true;
	assert_int_equal(take(), 3);
	assert_string_equal(played.log, "register 2-5, guard 2-5, move 2-5, move 4-5, advise 2-5, "
					"register 2-5, move 4-5");
	assert_int_equal(state_of(2), PAGE_RESIDENT);
	assert_int_equal(state_of(4), PAGE_STAGED);
}

/* Noted as registered, it may be what nobody registered: a flag there would stay for good. */
static void only_what_is_away_is_guarded_again(void **state)
{
	const page_word away = page_make(PAGE_SAME, 0);

	(void)state;
	unit_set_registered(unit, 2, 10, true);
	unit_set_dontfork(unit, 2, 10);
	page_store(unit_word(unit, 4), away);
	unit_count(unit, 4, page_make(PAGE_RESIDENT, 0), away);
	unit->unguarded = 1;
	guard_unit(unit);
	assert_string_equal(played.log,
			    "give 0-4, release 0-4, give 5-512, release 5-512, guard 4-5");
	assert_true(unit_registered(unit, 4));
	assert_false(unit_registered(unit, 3) || unit_registered(unit, 5));
	assert_false(unit->unguarded);
	page_store(unit_word(unit, 4), page_make(PAGE_RESIDENT, 0));
	unit_count(unit, 4, away, page_make(PAGE_RESIDENT, 0));
}

static int begin_all(void **state)
{
	(void)state;
	table = demand_zero(range_table_bytes(UNITS));
	assert_true(staging_start(demand_zero(staging_space_bytes(1)),
				  demand_zero(staging_table_bytes(1)), 1, NULL));
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_is_there_leaves),
	    CASE(while_a_thread_is_made_nothing_leaves),
	    CASE(what_has_left_is_sealed_until_more_is_to_leave),
	    CASE(no_more_is_cut_than_the_process_may_have_mappings),
	    CASE(a_small_hole_goes_along),
	    CASE(what_is_held_does_not_go_along),
	    CASE(what_was_never_written_to_is_not_cut),
	    CASE(a_piece_begins_and_ends_with_a_page_of_its_own),
	    CASE(another_mapping_is_let_go),
	    CASE(another_mapping_that_the_program_keeps_stays_kept),
	    CASE(nothing_is_cut_where_no_page_is),
	    CASE(nothing_is_registered_while_the_layout_changes),
	    CASE(nothing_is_guarded_while_the_layout_changes),
	    CASE(what_is_registered_again_is_noted),
	    CASE(what_lost_its_beginning_is_released_whole),
	    CASE(what_grows_while_it_is_released_is_released_too),
	    CASE(what_grows_where_nothing_is_certain_is_given_too),
	    CASE(what_grows_with_what_the_program_keeps_is_not_given),
	    CASE(what_nobody_keeps_is_given_where_nothing_is_certain),
	    CASE(a_guard_that_is_refused_is_not_lost),
	    CASE(what_is_away_keeps_its_guard),
	    CASE(so_does_what_is_on_its_way_home),
	    CASE(what_the_program_is_about_to_keep_is_not_guarded),
	    CASE(a_guard_beside_a_change_may_be_lost),
	    CASE(a_discard_is_over_when_the_page_is_gone),
	    CASE(a_discard_is_over_in_a_unit_that_is_let_go),
	    CASE(what_the_kernel_forgot_has_left),
	    CASE(what_came_back_does_not_leave_again_at_once),
	    CASE(only_what_is_away_is_guarded_again),
	};

	return cmocka_run_group_tests(tests, begin_all, NULL);
}
