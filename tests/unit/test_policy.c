/*
 * The plan, in virtual time: trials follow their result, the cold age follows the cap, and the
 * brake is pulled when pages come straight back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "flow/policy.h"

#define AGE   (8 * PC_SEC)
#define CAP   (100ull << 20)
#define ABOVE (CAP + (1 << 20))
#define BELOW (CAP / 2)

static struct policy policy;
static struct policy_in in;

static int start(void **unused)
{
	(void)unused;
	policy_start(&policy);
	in = (struct policy_in){.now = 1000 * PC_SEC, .cold_age = AGE, .resident = BELOW};
	return 0;
}

/* A second later. */
static struct policy_plan next(void)
{
	in.now += PC_SEC;
	return policy_decide(&policy, &in);
}

static struct policy_plan next_with(uint64_t resident)
{
	in.resident = resident;
	return next();
}

static void test_without_a_cap_the_age_is_the_option(void **unused)
{
	struct policy_plan plan;

	(void)unused;
	for (int i = 0; i < 20; i++)
		plan = next_with(1ull << 40);
	assert_int_equal(plan.cold_age, AGE);
	assert_int_equal(plan.wait, AGE);
	assert_false(plan.pressed || plan.over || plan.braked);
}

static void test_above_the_cap_the_age_halves_each_second(void **unused)
{
	struct policy_plan plan = {0};

	(void)unused;
	in.cap = CAP;
	for (int i = 1; i <= 4; i++) {
		plan = next_with(ABOVE);
		assert_int_equal(plan.cold_age, AGE >> i);
		assert_true(plan.pressed);
		assert_false(plan.over);
	}
	in.now += PC_SEC / 2;
	plan = policy_decide(&policy, &in);
	assert_int_equal(plan.cold_age, AGE >> 4);
}

static void test_the_age_has_a_floor_and_says_so(void **unused)
{
	struct policy_plan plan = {0};

	(void)unused;
	in.cap = CAP;
	for (int i = 0; i < 30; i++)
		plan = next_with(ABOVE);
	assert_int_equal(plan.cold_age, PC_MAX(AGE >> POLICY_SHIFT_MAX, POLICY_QUIET_FLOOR));
	assert_true(plan.over);
	in.cold_age = PC_SEC;
	plan = next();
	assert_int_equal(plan.cold_age, POLICY_QUIET_FLOOR);
	in.cold_age = PC_MS;
	plan = next();
	assert_int_equal(plan.cold_age, PC_MS);
}

static void test_below_the_cap_the_age_recovers(void **unused)
{
	struct policy_plan plan = {0};

	(void)unused;
	in.cap = CAP;
	for (int i = 0; i < 3; i++)
		next_with(ABOVE);
	plan = next_with(CAP - 1); /* neither above nor well below */
	assert_int_equal(plan.cold_age, AGE >> 3);
	for (int i = 2; i >= 0; i--) {
		plan = next_with(BELOW);
		assert_int_equal(plan.cold_age, AGE >> i);
	}
}

static void test_a_cap_taken_away_lets_the_age_recover(void **unused)
{
	(void)unused;
	in.cap = CAP;
	next_with(ABOVE);
	in.cap = 0;
	assert_int_equal(next_with(ABOVE).cold_age, AGE);
}

static void test_trials_follow_their_result(void **unused)
{
	unsigned first = policy_decide(&policy, &in).trials;

	(void)unused;
	assert_true(first >= 1);
	in.trials += 8; /* all cold */
	assert_int_equal(policy_decide(&policy, &in).trials, 2 * first);
	assert_int_equal(policy_decide(&policy, &in).trials, 2 * first);
	in.trials += 8;
	in.warm += 3; /* neither mostly cold nor mostly warm */
	assert_int_equal(policy_decide(&policy, &in).trials, 2 * first);
	in.trials += 8;
	in.warm += 5;
	assert_int_equal(policy_decide(&policy, &in).trials, first);
}

static void test_trials_have_bounds(void **unused)
{
	unsigned trials = 0;

	(void)unused;
	for (int i = 0; i < 40; i++, in.trials += 8)
		trials = policy_decide(&policy, &in).trials;
	assert_int_equal(trials, POLICY_TRIALS_MAX);
	for (int i = 0; i < 40; i++, in.warm += 8)
		trials = policy_decide(&policy, &in).trials;
	assert_int_equal(trials, 1);
}

static void test_thrashing_pulls_the_brake(void **unused)
{
	struct policy_plan plan;

	(void)unused;
	in.cap = CAP;
	for (int i = 0; i < 3; i++)
		next_with(ABOVE);
	in.evicted += 1000;
	in.refaults += 500;
	plan = next_with(ABOVE);
	assert_true(plan.braked);
	assert_int_equal(plan.cold_age, AGE >> 2);
	assert_int_equal(plan.trials, 0);
	in.now += PC_SEC / 2;
	plan = policy_decide(&policy, &in);
	assert_false(plan.braked);
	assert_int_equal(plan.trials, 0);
	plan = next();
	assert_true(plan.trials > 0);
}

static void test_few_refaults_or_a_small_share_are_no_thrashing(void **unused)
{
	(void)unused;
	in.cap = CAP;
	for (int i = 0; i < 3; i++)
		next_with(ABOVE);
	in.evicted += 100;
	in.refaults += 60;
	assert_false(next_with(BELOW).braked);
	in.evicted += 10000;
	in.refaults += 1000;
	assert_false(next_with(BELOW).braked);
}

static void test_sampled_memory_is_quarantined_briefly(void **unused)
{
	struct policy_plan plan;

	(void)unused;
	in.sampled = true;
	plan = next();
	assert_true(plan.sampled);
	assert_true(plan.wait <= PC_SEC / 2);
	assert_int_equal(plan.cold_age, AGE);
	in.cold_age = PC_SEC;
	assert_int_equal(next().wait, PC_SEC / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_without_a_cap_the_age_is_the_option, start),
	    cmocka_unit_test_setup(test_above_the_cap_the_age_halves_each_second, start),
	    cmocka_unit_test_setup(test_the_age_has_a_floor_and_says_so, start),
	    cmocka_unit_test_setup(test_below_the_cap_the_age_recovers, start),
	    cmocka_unit_test_setup(test_a_cap_taken_away_lets_the_age_recover, start),
	    cmocka_unit_test_setup(test_trials_follow_their_result, start),
	    cmocka_unit_test_setup(test_trials_have_bounds, start),
	    cmocka_unit_test_setup(test_thrashing_pulls_the_brake, start),
	    cmocka_unit_test_setup(test_few_refaults_or_a_small_share_are_no_thrashing, start),
	    cmocka_unit_test_setup(test_sampled_memory_is_quarantined_briefly, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
