/*
 * What is learnt of a unit's age, in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "state/heat.h"

#define AGE PC_SEC
#define NOW (100 * PC_SEC)

static void test_a_new_unit_may_be_tried(void **unused)
{
	struct heat h = {0};

	(void)unused;
	assert_true(heat_may_try(&h, NOW, AGE, false));
	assert_true(heat_may_try(&h, NOW, AGE, true));
}

static void test_sampled_use_counts_where_use_is_sampled(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_warm(&h, NOW);
	assert_false(heat_may_try(&h, NOW + AGE - 1, AGE, true));
	assert_true(heat_may_try(&h, NOW + AGE, AGE, true));
	assert_true(heat_may_try(&h, NOW, AGE, false));
}

static void test_a_burst_brings_the_unit_back(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_begin(&h);
	for (unsigned i = 1; i < HEAT_BURST; i++)
		assert_false(heat_fault(&h, NOW + i));
	assert_true(heat_fault(&h, NOW + HEAT_BURST));
}

static void test_faults_far_apart_are_no_burst(void **unused)
{
	struct heat h = {0};
	pc_ns at = NOW;

	(void)unused;
	heat_begin(&h);
	for (unsigned i = 1; i < HEAT_CROWD; i++, at += HEAT_BURST_NS + 1)
		assert_false(heat_fault(&h, at));
	assert_true(heat_fault(&h, at));
}

static void test_a_new_trial_forgets_the_crowd(void **unused)
{
	struct heat h = {0};

	(void)unused;
	for (unsigned i = 1; i < HEAT_BURST; i++)
		heat_fault(&h, NOW);
	heat_begin(&h);
	assert_false(heat_fault(&h, NOW));
}

static pc_ns back_off(const struct heat *h, pc_ns now)
{
	return h->next_try - now;
}

static void test_failed_trials_back_off_by_doubling(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_fail(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), AGE / 2);
	heat_fail(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), AGE);
	for (unsigned i = 0; i < 20; i++)
		heat_fail(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), 16 * AGE);
	assert_false(heat_may_try(&h, NOW + 16 * AGE - 1, AGE, false));
	assert_true(heat_may_try(&h, NOW + 16 * AGE, AGE, false));
}

static void test_packing_ends_the_back_off(void **unused)
{
	struct heat h = {0};

	(void)unused;
	for (unsigned i = 0; i < 5; i++)
		heat_fail(&h, NOW, AGE);
	heat_packed(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), AGE);
	heat_fail(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), AGE / 2);
}

static void test_an_empty_unit_is_looked_at_rarely(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_empty(&h, NOW, 0);
	assert_true(back_off(&h, NOW) >= HEAT_EMPTY_MIN);
	for (unsigned i = 0; i < 20; i++)
		heat_empty(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW), AGE << HEAT_EMPTY_BACKOFF);
}

/* Packed, then touched `after`. */
static void pack_and_return(struct heat *h, pc_ns now, pc_ns after)
{
	heat_packed(h, now, AGE);
	heat_returned(h, now + after, AGE);
}

static void test_quick_returns_keep_a_unit_at_home_longer(void **unused)
{
	struct heat h = {0};

	(void)unused;
	pack_and_return(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW + AGE), 2 * AGE);
	pack_and_return(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW + AGE), 4 * AGE);
	for (unsigned i = 0; i < 20; i++)
		pack_and_return(&h, NOW, AGE);
	assert_int_equal(back_off(&h, NOW + AGE), AGE << HEAT_MAX_BACKOFF);
	pack_and_return(&h, NOW, 2 * AGE);
	assert_int_equal(back_off(&h, NOW + 2 * AGE), AGE);
}

static void test_one_packing_counts_as_one_return(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_packed(&h, NOW, AGE);
	for (unsigned i = 1; i <= 10; i++)
		heat_returned(&h, NOW + i, AGE);
	assert_int_equal(h.back, 10);
	assert_int_equal(h.quick, 1);
}

/* Whose clock was ahead: it has just been used, or packed, and is not old beyond measure. */
static void test_what_is_ahead_counts_as_now(void **unused)
{
	struct heat h = {0};

	(void)unused;
	heat_warm(&h, NOW + 1);
	assert_false(heat_may_try(&h, NOW, AGE, true));
	heat_packed(&h, NOW + 1, AGE);
	heat_returned(&h, NOW, AGE);
	assert_int_equal(h.quick, 1);
	heat_begin(&h);
	for (unsigned i = 1; i < HEAT_BURST; i++)
		assert_false(heat_fault(&h, NOW + HEAT_BURST - i));
	assert_true(heat_fault(&h, NOW));
	assert_true(heat_dense(&h, true, NOW + 1));
	assert_true(heat_was_dense(&h, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_new_unit_may_be_tried),
	    cmocka_unit_test(test_sampled_use_counts_where_use_is_sampled),
	    cmocka_unit_test(test_a_burst_brings_the_unit_back),
	    cmocka_unit_test(test_faults_far_apart_are_no_burst),
	    cmocka_unit_test(test_a_new_trial_forgets_the_crowd),
	    cmocka_unit_test(test_failed_trials_back_off_by_doubling),
	    cmocka_unit_test(test_packing_ends_the_back_off),
	    cmocka_unit_test(test_an_empty_unit_is_looked_at_rarely),
	    cmocka_unit_test(test_quick_returns_keep_a_unit_at_home_longer),
	    cmocka_unit_test(test_one_packing_counts_as_one_return),
	    cmocka_unit_test(test_what_is_ahead_counts_as_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
