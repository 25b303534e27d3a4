/*
 * Staging: chunks come and go lowest first, a slot knows whose page it holds, and no page and its
 * slot ever agree mod 2 MiB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>

#include "state/staging.h"
#include "support/demand_zero.h"

#define CHUNKS 5u

static void *space, *table;

static int start(void **unused)
{
	(void)unused;
	space = demand_zero(staging_space_bytes(CHUNKS));
	table = demand_zero(staging_table_bytes(CHUNKS));
	assert_true(staging_start(space, table, CHUNKS, NULL));
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	munmap(space, staging_space_bytes(CHUNKS));
	munmap(table, staging_table_bytes(CHUNKS));
	return 0;
}

static void test_chunks_are_given_out_lowest_first(void **unused)
{
	struct chunk *c[CHUNKS];

	(void)unused;
	for (unsigned i = 0; i < CHUNKS; i++) {
		c[i] = staging_open();
		assert_non_null(c[i]);
		assert_int_equal(staging_number(c[i]), i);
		assert_int_equal(c[i]->state, CHUNK_OPEN);
		assert_ptr_equal(staging_at(i), c[i]);
	}
	assert_null(staging_open());
	assert_int_equal(staging_limit(), CHUNKS);
	staging_free(c[3]);
	staging_free(c[1]);
	assert_ptr_equal(staging_open(), c[1]);
	assert_ptr_equal(staging_open(), c[3]);
	assert_null(staging_open());
}

static void test_the_limit_is_what_was_ever_used(void **unused)
{
	(void)unused;
	assert_int_equal(staging_limit(), 0);
	staging_free(staging_open());
	staging_free(staging_open());
	assert_int_equal(staging_limit(), 1);
}

static void test_slots_lie_in_the_space_and_apart(void **unused)
{
	const pc_addr low = (pc_addr)space, high = low + staging_space_bytes(CHUNKS);

	(void)unused;
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct chunk *c = staging_open();
		pc_addr at = staging_chunk_addr(c);

		assert_true(at >= low && at + PC_UNIT <= high);
		for (unsigned page = 0; page < PC_UNIT_PAGES; page++) {
			uint32_t slot = staging_slot(c, page);

			assert_ptr_equal(staging_chunk_of(slot), c);
			assert_int_equal(staging_slot_addr(slot), at + page * PC_PAGE);
			/* Page `page` of a unit starts at this offset from 2 MiB. */
			assert_true((staging_slot_addr(slot) - page * PC_PAGE) % PC_UNIT);
		}
	}
}

static void test_a_slot_knows_its_page(void **unused)
{
	struct chunk *c = staging_open();
	uint32_t slot = staging_slot(c, 17);
	const pc_addr home = 0x7fedcba98000, other = PC_ADDR_MAX - PC_PAGE;

	(void)unused;
	assert_int_equal(staging_owner(slot), 0);
	staging_hold(slot, home);
	assert_int_equal(staging_owner(slot), home);
	assert_int_equal(staging_owner(slot + 1), 0);
	assert_int_equal(c->live, 1);
	staging_rename(slot, other);
	assert_int_equal(staging_owner(slot), other);
	assert_int_equal(c->live, 1);
	staging_release(slot);
	assert_int_equal(staging_owner(slot), 0);
	assert_int_equal(c->live, 0);
}

/* Both tables are within the first step; of slots there is one chunk at first. */
static void test_where_there_is_no_memory_no_chunk_is_opened(void **unused)
{
	void *few = reserved(staging_space_bytes(CHUNKS));

	(void)unused;
	commit_left = 4 * PC_UNIT;
	assert_true(staging_start(few, reserved(staging_table_bytes(CHUNKS)), CHUNKS, commit_some));
	commit_left = PC_UNIT;
	for (unsigned i = 0; i < 2; i++) {
		struct chunk *c = staging_open();

		assert_non_null(c);
		memset((void *)staging_chunk_addr(c), 1, PC_UNIT);
		staging_hold(staging_slot(c, PC_UNIT_PAGES - 1), PC_PAGE);
	}
	assert_null(staging_open());
	assert_int_equal(staging_limit(), 2);
	memset((void *)staging_reserve_addr(0), 1, STAGING_RESERVE * PC_PAGE);
	commit_left = PC_UNIT;
	assert_int_equal(staging_number(staging_open()), 2);
	commit_left = 0;
	assert_false(
	    staging_start(few, reserved(staging_table_bytes(CHUNKS)), CHUNKS, commit_some));
}

static void test_what_is_no_slot_has_no_owner(void **unused)
{
	struct chunk *c = staging_open();

	(void)unused;
	assert_int_equal(staging_owner(staging_slot(c, PC_UNIT_PAGES - 1) + 1), 0);
	assert_int_equal(staging_owner(UINT32_MAX), 0);
}

static void test_a_freed_chunk_is_as_new(void **unused)
{
	struct chunk *c = staging_open();

	(void)unused;
	c->since = 5;
	c->wait = 6;
	c->unit = 7;
	staging_hold(staging_slot(c, 0), PC_PAGE);
	staging_release(staging_slot(c, 0));
	staging_free(c);
	assert_int_equal(c->state, CHUNK_FREE);
	assert_int_equal(c->since + c->wait + c->unit, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_chunks_are_given_out_lowest_first),
	    TEST(test_the_limit_is_what_was_ever_used),
	    TEST(test_slots_lie_in_the_space_and_apart),
	    TEST(test_a_slot_knows_its_page),
	    TEST(test_where_there_is_no_memory_no_chunk_is_opened),
	    TEST(test_what_is_no_slot_has_no_owner),
	    TEST(test_a_freed_chunk_is_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
