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
	forkless_found();
	assert_false(forkless_lost());
}

/* Last, for it is so for good. */
static void test_without_room_for_a_note_nothing_is_taken_for_lost(void **unused)
{
	unsigned noted = 0;

	(void)unused;
	while (noted < MORE && forkless_add((2 * noted + 1) * PC_PAGE, (2 * noted + 2) * PC_PAGE))
		noted++;
	assert_in_range(noted, 1, MORE - 1);
	assert_true(forkless_hits(PC_PAGE, 2 * PC_PAGE));
	forkless_lose();
	assert_false(forkless_lost());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_lost_stays_so_until_it_is_looked_for),
	    cmocka_unit_test(test_without_room_for_a_note_nothing_is_taken_for_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
