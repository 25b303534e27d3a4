/*
 * The table of units: any address leads to its unit and to no other; counts follow words; a freed
 * unit leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/stats.h"
#include "state/range.h"
#include "support/demand_zero.h"

#define UNITS	  40u
#define ADDRESSES 64u
#define OPS	  100000u

static void *memory;

static int start(void **unused)
{
	(void)unused;
	memory = mmap(NULL, range_table_bytes(UNITS), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(memory != MAP_FAILED);
	assert_true(range_start(memory, UNITS, NULL));
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	return munmap(memory, range_table_bytes(UNITS));
}

static void test_an_address_leads_to_its_unit(void **unused)
{
	const pc_addr at = 0x7f1234600000;
	struct unit *u;

	(void)unused;
	assert_null(range_find(at));
	u = range_ensure(at + 5000);
	assert_non_null(u);
	assert_int_equal(u->base, at);
	assert_ptr_equal(range_find(at), u);
	assert_ptr_equal(range_find(at + PC_UNIT - 1), u);
	assert_null(range_find(at + PC_UNIT));
	assert_null(range_find(at - 1));
	assert_ptr_equal(range_ensure(at), u);
	assert_ptr_equal(range_at(0), u);
	assert_int_equal(range_limit(), 1);
}

static void test_the_ends_of_the_address_space(void **unused)
{
	(void)unused;
	assert_non_null(range_ensure(0));
	assert_non_null(range_ensure(PC_ADDR_MAX - 1));
	assert_int_equal(range_find(PC_ADDR_MAX - 1)->base, PC_ADDR_MAX - PC_UNIT);
	assert_null(range_ensure(PC_ADDR_MAX));
	assert_null(range_find(PC_ADDR_MAX));
	assert_null(range_find(~0ull));
}

static void test_a_full_table_says_so(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < UNITS; i++)
		assert_non_null(range_ensure(i * PC_UNIT));
	assert_null(range_ensure(UNITS * PC_UNIT));
	range_free(range_find(3 * PC_UNIT));
	assert_non_null(range_ensure(UNITS * PC_UNIT));
}

static void test_a_freed_unit_is_gone(void **unused)
{
	struct unit *u = range_ensure(PC_UNIT);

	(void)unused;
	unit_words(u, 0, PC_UNIT_PAGES);
	page_store(unit_word(u, 7), page_make(PAGE_RESIDENT, 1));
	u->heat.fails = 3;
	range_free(u);
	assert_null(range_find(PC_UNIT));
	assert_null(range_at(0));
	u = range_ensure(9 * PC_UNIT);
	assert_ptr_equal(range_at(0), u);
	assert_int_equal(u->base, 9 * PC_UNIT);
	assert_int_equal(unit_peek(u, 7), 0);
	unit_words(u, 0, PC_UNIT_PAGES);
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		assert_int_equal(unit_peek(u, i), 0);
	assert_int_equal(u->heat.fails, 0);
}

/* A heap in lone pieces of 256 KiB pays for the words of those alone. */
static void test_words_exist_by_the_group(void **unused)
{
	size_t before = range_resident_bytes();
	struct unit *u;

	(void)unused;
	for (unsigned i = 0; i < UNITS; i++) {
		u = range_ensure(i * PC_UNIT);
		unit_set_registered(u, 64, 128, true);
		assert_int_equal(unit_peek(u, 63), 0);
		assert_null(u->words[0]);
		assert_non_null(u->words[1]);
		assert_null(u->words[2]);
	}
	assert_in_range(range_resident_bytes() - before, UNITS * 64 * sizeof(page_word),
			UNITS * (64 * sizeof(page_word) + sizeof(*u)) + 4 * PC_PAGE);
	for (unsigned i = 1; i < UNITS; i++)
		assert_ptr_not_equal(range_find(i * PC_UNIT)->words[1],
				     range_find((i - 1) * PC_UNIT)->words[1]);
}

static void test_counts_follow_words(void **unused)
{
	const page_word home = page_make(PAGE_RESIDENT, 0), staged = page_make(PAGE_STAGED, 4),
			packed = page_make_packed(17, 5), same = page_make(PAGE_SAME, 0);
	struct unit *u = range_ensure(0);

	(void)unused;
	unit_count(u, 7, home, staged);
	assert_int_equal(u->away, 1);
	assert_int_equal(u->staged, 1);
	unit_count(u, 7, staged, packed);
	assert_int_equal(u->away, 1);
	assert_int_equal(u->staged, 0);
	unit_count(u, 7, packed, home);
	unit_count(u, 7, home, same);
	assert_int_equal(u->away, 1);
	unit_count(u, 7, same, home);
	assert_int_equal(u->away, 0);
	unit_count(u, 7, home, page_make(PAGE_REMOVING, 0));
	assert_int_equal(u->away, 0);
}

static const struct pc_unit_row *rows_of_table(void)
{
	return (const void *)((const char *)stats_segment() + stats_segment()->unit_offset);
}

/* A unit gets a row when it is first told to, and never while pages of it are counted elsewhere. */
static void test_units_have_rows(void **unused)
{
	const page_word home = page_make(PAGE_RESIDENT, 0), staged = page_make(PAGE_STAGED, 4),
			packed = page_make_packed(17, 5);
	void *segment = aligned_alloc(PC_PAGE, stats_segment_bytes());
	struct unit *u = range_ensure(5 * PC_UNIT);

	(void)unused;
	memset(segment, 0, stats_segment_bytes());
	stats_start(segment, 1, "range", 0);
	unit_count(u, 7, home, staged);
	unit_list(u);
	assert_int_equal(u->row, 0);
	unit_count(u, 7, staged, home);
	assert_int_equal(rows_of_table()[0].value[PC_U_away], 0);
	unit_list(u);
	assert_int_equal(u->row, 1);
	unit_list(u);
	assert_int_equal(u->row, 1);
	assert_int_equal(rows_of_table()[1].base, 5 * PC_UNIT);
	UNIT_COUNT(u, taken);
	unit_count(u, 7, home, staged);
	unit_count(u, 7, staged, packed);
	assert_int_equal(rows_of_table()[1].value[PC_U_taken], 1);
	assert_int_equal(rows_of_table()[1].value[PC_U_away], 1);
	assert_int_equal(rows_of_table()[1].value[PC_U_staged], 0);
	unit_count(u, 7, packed, home);
	range_free(u);
	assert_int_equal(rows_of_table()[1].base, 5 * PC_UNIT);
	u = range_ensure(5 * PC_UNIT);
	unit_list(u);
	assert_int_equal(u->row, 2);
}

static void test_words_carry_what_was_put_in(void **unused)
{
	const uint64_t ref = (1ull << 40) - 3;
	const uint32_t tag = (1u << PAGE_TAG_BITS) - 2;
	page_word w = page_make_packed(ref, tag);

	(void)unused;
	assert_int_equal(page_state(w), PAGE_PACKED);
	assert_int_equal(page_ref(w), ref);
	assert_int_equal(page_tag(w), tag);
	assert_int_equal(page_slot(page_make(PAGE_STAGED, 0xfffffffe)), 0xfffffffe);
	assert_int_equal(page_same(page_make(PAGE_SAME, 0xfffffffe)), 0xfffffffe);
	assert_int_equal(page_state(page_make(PAGE_RESIDENT, 0) | PAGE_POOR), PAGE_RESIDENT);
}

static void test_a_wrong_table_is_not_valid(void **unused)
{
	struct unit *u = range_ensure(0);

	(void)unused;
	assert_true(range_valid());
	unit_words(u, 0, 5);
	page_store(unit_word(u, 3), page_make(PAGE_SAME, 9));
	assert_false(range_valid());
	unit_count(u, 3, page_make(PAGE_RESIDENT, 0), unit_peek(u, 3));
	assert_true(range_valid());
	page_store(unit_word(u, 4), page_make(PAGE_LEAVING, 0));
	assert_false(range_valid());
	page_store(unit_word(u, 4), page_make(PAGE_RETURNING, 0));
	assert_false(range_valid());
	page_store(unit_word(u, 4), 0);
	u->staged++;
	assert_false(range_valid());
}

static unsigned runs_one_by_one(const struct unit *u)
{
	unsigned runs = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		runs += unit_registered(u, i) && (!i || !unit_registered(u, i - 1));
	return runs;
}

/* Every run there can be, beside bit by bit; the bits around it stay as they are. */
static void test_a_run_of_bits_is_set(void **unused)
{
	(void)unused;
	for (unsigned first = 0; first <= PC_UNIT_PAGES; first++)
		for (unsigned end = first; end <= PC_UNIT_PAGES; end++) {
			uint64_t map[UNIT_MAP_WORDS] = {0x11}, expected[UNIT_MAP_WORDS] = {0x11};

			for (unsigned i = first; i < end; i++)
				expected[i / 64] |= 1ull << (i % 64);
			map_set_run(map, first, end);
			assert_memory_equal(map, expected, sizeof(map));
		}
}

static void test_runs_of_bits(void **unused)
{
	struct unit *u = range_ensure(0);
	unsigned first = 0, end;

	(void)unused;
	assert_false(unit_any_registered(u));
	assert_false(map_next_run(u->registered, &first, &end));
	unit_set_registered(u, 60, 70, true);
	unit_set_registered(u, 128, 129, true);
	unit_set_registered(u, 500, 512, true);
	assert_true(unit_any_registered(u));
	assert_int_equal(unit_runs(u), 3);
	assert_true(map_next_run(u->registered, &first, &end));
	assert_int_equal(first, 60);
	assert_int_equal(end, 70);
	first = 65;
	assert_true(map_next_run(u->registered, &first, &end));
	assert_int_equal(first, 65);
	first = 70;
	assert_true(map_next_run(u->registered, &first, &end));
	assert_int_equal(first, 128);
	assert_int_equal(end, 129);
	first = end;
	assert_true(map_next_run(u->registered, &first, &end));
	assert_int_equal(end, PC_UNIT_PAGES);
	first = end;
	assert_false(map_next_run(u->registered, &first, &end));
	unit_set_registered(u, 0, PC_UNIT_PAGES, false);
	assert_false(unit_any_registered(u));
}

/* ---- the model ------------------------------------------------------------------------------ */

static uint64_t dice;

static unsigned roll(unsigned n)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(dice >> 33) % n;
}

/* Near each other and far apart, so that leaves are shared and are not. */
static pc_addr address(unsigned i)
{
	return (pc_addr)(i / 16) * (PC_ADDR_MAX / 4) + (pc_addr)(i % 16) * PC_UNIT;
}

/* Across words and within them, at both ends. */
static void test_runs_are_counted(void **unused)
{
	struct unit *u = range_ensure(0);

	(void)unused;
	assert_int_equal(unit_runs(u), 0);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned first = roll(PC_UNIT_PAGES), pages = 1 + roll(i % 2 ? 3 : 130);

		unit_set_registered(u, first, PC_MIN(first + pages, PC_UNIT_PAGES), roll(2));
		assert_int_equal(unit_runs(u), runs_one_by_one(u));
	}
	unit_set_registered(u, 0, PC_UNIT_PAGES, true);
	assert_int_equal(unit_runs(u), 1);
	unit_set_registered(u, 0, PC_UNIT_PAGES, false);
}

/* An address's unit remembers what was written into it, whatever else comes and goes. */
static void test_against_the_model(void **unused)
{
	const char *seed = getenv("TEST_SEED");
	uint64_t mark[ADDRESSES] = {0};
	unsigned in_use = 0;

	(void)unused;
	dice = seed ? strtoull(seed, NULL, 0) : 1;
	printf("TEST_SEED=%llu\n", (unsigned long long)dice);
	for (unsigned op = 1; op < OPS; op++) {
		unsigned i = roll(ADDRESSES);
		struct unit *u = range_find(address(i) + roll(PC_UNIT));

		assert_int_equal(u != NULL, mark[i] != 0);
		if (u) {
			assert_int_equal(u->base, address(i));
			assert_int_equal(unit_peek(u, i), mark[i] << 3);
			if (roll(2))
				continue;
			range_free(u);
			mark[i] = 0;
			in_use--;
			continue;
		}
		u = range_ensure(address(i));
		assert_int_equal(u != NULL, in_use < UNITS);
		if (!u)
			continue;
		for (unsigned k = 0; k < ADDRESSES; k++)
			assert_int_equal(unit_peek(u, k), 0);
		mark[i] = op;
		unit_words(u, i, i + 1);
		page_store(unit_word(u, i), page_make(PAGE_RESIDENT, op));
		in_use++;
	}
	assert_true(range_valid());
	assert_true(range_limit() <= UNITS);
}

/* ---- a search while others are freed ---------------------------------------------------------- */

#define CHAIN  20u
#define ROUNDS 300u

/* The n-th address whose search begins at slot `home` of the smallest table for UNITS. */
static pc_addr beginning_at(unsigned home, unsigned n)
{
	for (uint64_t unit = 1;; unit++)
		if ((unit * 0x9e3779b97f4a7c15ull >> 32 & 127) == home && !n--)
			return unit * PC_UNIT;
}

static struct {
	uint32_t begun, ended; /* rounds */
	pc_addr stays;
	unsigned missed;
} searches;

static bool misses(pc_addr addr)
{
	bool unsure;

	return !range_find_outside(addr, &unsure) && !unsure;
}

/* In each round, until it has ended: looks for the unit that stays. */
static void *look_for_it(void *arg)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		while (load_acquire(&searches.begun) != round) /* pairs with test */
			sched_yield();
		while (load_acquire(&searches.ended) != round) /* pairs with test */
			searches.missed += misses(searches.stays);
		store_release(&searches.begun, 0u); /* pairs with test */
	}
	return arg;
}

/*
 * The unit that goes lies where the search for the one that stays begins, and that one at the end of
 * a chain of others: it is moved to the place that has become free.
 */
static void test_a_unit_that_goes_hides_no_other(void **unused)
{
	pc_addr goes = beginning_at(0, 0);
	pthread_t other;

	(void)unused;
	memset(&searches, 0, sizeof(searches));
	searches.stays = beginning_at(0, 1);
	for (unsigned i = 1; i < CHAIN; i++)
		assert_non_null(range_ensure(beginning_at(i, 0)));
	assert_int_equal(pthread_create(&other, NULL, look_for_it, NULL), 0);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		range_ensure(goes);
		range_ensure(searches.stays);
		store_release(&searches.begun, round); /* pairs with look_for_it */
		for (unsigned i = 0; i < 1000; i++)
			cpu_relax();
		range_free(range_find(goes));
		store_release(&searches.ended, round); /* pairs with look_for_it */
		while (load_acquire(&searches.begun))  /* pairs with look_for_it */
			sched_yield();
		range_free(range_find(searches.stays));
	}
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(searches.missed, 0);
}

/* The words of all pages are memory before the unit is there, for to make them later cannot fail. */
static void test_where_there_is_no_memory_there_is_no_unit(void **unused)
{
	const uint32_t units = 4 * PC_UNIT / PC_PAGE;
	const pc_addr base = 1ull << 40;
	uint32_t n = 0;

	(void)unused;
	commit_left = 3 * PC_UNIT;
	assert_true(range_start(reserved(range_table_bytes(units)), units, commit_some));
	commit_left = PC_UNIT;
	for (struct unit *u; (u = range_ensure(base + n * PC_UNIT)); n++)
		unit_words(u, 0, PC_UNIT_PAGES);
	assert_int_equal(n, 2 * PC_UNIT / PC_PAGE);
	assert_int_equal(range_limit(), n);
	assert_null(range_find(base + n * PC_UNIT));
	commit_left = PC_UNIT;
	assert_non_null(range_ensure(base + n * PC_UNIT));
	assert_true(range_valid());
	commit_left = 0;
	assert_false(range_start(reserved(range_table_bytes(units)), units, commit_some));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_address_leads_to_its_unit),
	    TEST(test_the_ends_of_the_address_space),
	    TEST(test_a_full_table_says_so),
	    TEST(test_a_freed_unit_is_gone),
	    TEST(test_words_exist_by_the_group),
	    TEST(test_counts_follow_words),
	    TEST(test_units_have_rows),
	    TEST(test_words_carry_what_was_put_in),
	    TEST(test_a_wrong_table_is_not_valid),
	    TEST(test_a_run_of_bits_is_set),
	    TEST(test_runs_of_bits),
	    TEST(test_runs_are_counted),
	    TEST(test_against_the_model),
	    TEST(test_a_unit_that_goes_hides_no_other),
	    TEST(test_where_there_is_no_memory_there_is_no_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
