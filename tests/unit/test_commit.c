/*
 * Reserved address space becomes memory as far as it is needed, in steps, and never beyond its end; what
 * is refused is asked for again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/commit.h"

#define START 0x10000000ull

static struct {
	pc_addr start, end; /* of the last call */
	unsigned calls;
	bool refuses;
} asked;

static bool play(void *start, size_t bytes)
{
	asked.start = (pc_addr)start;
	asked.end = (pc_addr)start + bytes;
	asked.calls++;
	return !asked.refuses;
}

static void *at(pc_addr offset)
{
	return (void *)(START + offset);
}

static int set_up(void **unused)
{
	(void)unused;
	asked.start = asked.end = asked.calls = 0;
	asked.refuses = false;
	return 0;
}

static void the_first_step_is_there_at_once(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), 8 * COMMIT_STEP, play));
	assert_int_equal(asked.calls, 1);
	assert_int_equal(asked.start, START);
	assert_int_equal(asked.end, START + COMMIT_STEP);
}

static void what_is_there_is_not_asked_for_again(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), 8 * COMMIT_STEP, play));
	assert_true(commit_to(&c, at(1)));
	assert_true(commit_to(&c, at(COMMIT_STEP)));
	assert_int_equal(asked.calls, 1);
	assert_true(commit_to(&c, at(COMMIT_STEP + 1)));
	assert_int_equal(asked.calls, 2);
	assert_int_equal(asked.start, START + COMMIT_STEP);
	assert_int_equal(asked.end, START + 2 * COMMIT_STEP);
}

static void more_than_a_step_comes_in_one_call(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), 8 * COMMIT_STEP, play));
	assert_true(commit_to(&c, at(4 * COMMIT_STEP + 1)));
	assert_int_equal(asked.calls, 2);
	assert_int_equal(asked.end, START + 4 * COMMIT_STEP + PC_PAGE);
}

static void the_last_step_ends_where_all_does(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), COMMIT_STEP + 100, play));
	assert_true(commit_to(&c, at(COMMIT_STEP + 100)));
	assert_int_equal(asked.end, START + COMMIT_STEP + PC_PAGE);
	assert_true(commit_start(&c, at(0), 100, play));
	assert_int_equal(asked.end, START + PC_PAGE);
}

static void what_was_refused_is_asked_for_again(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), 8 * COMMIT_STEP, play));
	asked.refuses = true;
	assert_false(commit_to(&c, at(2 * COMMIT_STEP)));
	assert_true(commit_to(&c, at(COMMIT_STEP)));
	asked.refuses = false;
	assert_true(commit_to(&c, at(2 * COMMIT_STEP)));
	assert_int_equal(asked.start, START + COMMIT_STEP);
	asked.refuses = true;
	assert_false(commit_start(&c, at(0), COMMIT_STEP, play));
}

static void memory_needs_nothing(void **unused)
{
	struct commit c;

	(void)unused;
	assert_true(commit_start(&c, at(0), 8 * COMMIT_STEP, NULL));
	assert_true(commit_to(&c, at(8 * COMMIT_STEP)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_first_step_is_there_at_once, set_up),
	    cmocka_unit_test_setup(what_is_there_is_not_asked_for_again, set_up),
	    cmocka_unit_test_setup(more_than_a_step_comes_in_one_call, set_up),
	    cmocka_unit_test_setup(the_last_step_ends_where_all_does, set_up),
	    cmocka_unit_test_setup(what_was_refused_is_asked_for_again, set_up),
	    cmocka_unit_test_setup(memory_needs_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
