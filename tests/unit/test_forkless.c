/*
 * What the program keeps from its children, and what the pager may have kept from them by mistake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/forkless.h"

#define MORE 100000u

static void test_what_is_lost_stays_so_until_it_is_looked_for(void **unused)
{
	(void)unused;
	assert_false(forkless_lost());
	forkless_lose();
	assert_true(forkless_lost());
	forkless_seek();
	assert_false(forkless_lost());
}

/* In one call the kernel moves one mapping, all of which has the flag, or none. */
static void test_notes_follow_what_is_remapped(void **unused)
{
	(void)unused;
	assert_false(forkless_any());
	assert_true(forkless_add(2 * PC_PAGE, 3 * PC_PAGE));
	assert_true(forkless_any());
	assert_true(forkless_follow(PC_PAGE, 4 * PC_PAGE, 10 * PC_PAGE, 15 * PC_PAGE, true,
				    forkless_notes()));
	assert_true(forkless_hits(10 * PC_PAGE, 11 * PC_PAGE));
	assert_true(forkless_hits(14 * PC_PAGE, 15 * PC_PAGE));
	assert_true(forkless_hits(2 * PC_PAGE, 3 * PC_PAGE));
	assert_true(forkless_follow(4 * PC_PAGE, 8 * PC_PAGE, 20 * PC_PAGE, 24 * PC_PAGE, true,
				    forkless_notes()));
	assert_false(forkless_hits(20 * PC_PAGE, 24 * PC_PAGE));
	assert_true(forkless_follow(2 * PC_PAGE, 3 * PC_PAGE, 2 * PC_PAGE, 5 * PC_PAGE, false,
				    forkless_notes()));
	assert_true(forkless_hits(4 * PC_PAGE, 5 * PC_PAGE));
}

static void test_notes_end_where_other_memory_comes(void **unused)
{
	(void)unused;
	forkless_reset();
	assert_true(forkless_add(2 * PC_PAGE, 3 * PC_PAGE));
	assert_true(forkless_add(12 * PC_PAGE, 13 * PC_PAGE));
	assert_true(forkless_follow(4 * PC_PAGE, 5 * PC_PAGE, 12 * PC_PAGE, 14 * PC_PAGE, false,
				    forkless_notes()));
	assert_false(forkless_hits(10 * PC_PAGE, 20 * PC_PAGE));
	assert_true(forkless_follow(2 * PC_PAGE, 3 * PC_PAGE, 6 * PC_PAGE, 7 * PC_PAGE, false,
				    forkless_notes()));
	assert_false(forkless_hits(2 * PC_PAGE, 3 * PC_PAGE));
	assert_true(forkless_hits(6 * PC_PAGE, 7 * PC_PAGE));
}

/* By the time that munmap() or mremap() returns, another thread may have got the place. */
static void test_a_note_of_what_came_meanwhile_stays(void **unused)
{
	uint32_t before;

	(void)unused;
	forkless_reset();
	assert_true(forkless_add(2 * PC_PAGE, 3 * PC_PAGE));
	before = forkless_notes();
	assert_true(forkless_add(2 * PC_PAGE, 3 * PC_PAGE));
	forkless_gone(2 * PC_PAGE, 3 * PC_PAGE, before);
	assert_true(forkless_hits(2 * PC_PAGE, 3 * PC_PAGE));
	assert_true(
	    forkless_follow(2 * PC_PAGE, 3 * PC_PAGE, 6 * PC_PAGE, 7 * PC_PAGE, false, before));
	assert_true(forkless_hits(2 * PC_PAGE, 3 * PC_PAGE));
	forkless_gone(2 * PC_PAGE, 3 * PC_PAGE, forkless_notes());
	assert_false(forkless_hits(2 * PC_PAGE, 3 * PC_PAGE));
}

/* It is so for good, but not for children. */
static void test_without_room_for_a_note_nothing_is_taken_for_lost(void **unused)
{
	unsigned noted = 0;

	(void)unused;
	while (noted < MORE && forkless_add((2 * noted + 1) * PC_PAGE, (2 * noted + 2) * PC_PAGE))
		noted++;
	assert_in_range(noted, 1, MORE - 1);
	assert_true(forkless_hits(PC_PAGE, 2 * PC_PAGE));
	assert_false(forkless_follow(PC_PAGE, 2 * PC_PAGE, MORE * 4 * PC_PAGE,
				     (MORE * 4 + 1) * PC_PAGE, true, forkless_notes()));
	forkless_lose();
	assert_false(forkless_lost());
	forkless_reset();
	assert_false(forkless_any());
	forkless_lose();
	assert_true(forkless_lost());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_lost_stays_so_until_it_is_looked_for),
	    cmocka_unit_test(test_notes_follow_what_is_remapped),
	    cmocka_unit_test(test_notes_end_where_other_memory_comes),
	    cmocka_unit_test(test_a_note_of_what_came_meanwhile_stays),
	    cmocka_unit_test(test_without_room_for_a_note_nothing_is_taken_for_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
