/*
 * A set of ranges against the obvious model: one bit for each address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "state/span.h"

#define SPANS	  12u
#define ADDRESSES 96u
#define OPS	  200000u

static struct pc_span array[SPANS];
static struct span_set set = {.span = array, .max = SPANS};
static bool model[ADDRESSES];

static int clear(void **unused)
{
	(void)unused;
	set.max = SPANS;
	span_clear(&set);
	memset(model, 0, sizeof(model));
	return 0;
}

static void assert_set(const struct pc_span *want, uint32_t count)
{
	assert_int_equal(set.count, count);
	assert_memory_equal(set.span, want, count * sizeof(*want));
}

static void test_what_touches_merges(void **unused)
{
	(void)unused;
	assert_true(span_add(&set, 10, 20));
	assert_true(span_add(&set, 30, 40));
	assert_true(span_add(&set, 20, 30));
	assert_set((struct pc_span[]){{10, 40}}, 1);
}

static void test_what_does_not_touch_stays_apart(void **unused)
{
	(void)unused;
	assert_true(span_add(&set, 30, 40));
	assert_true(span_add(&set, 10, 20));
	assert_true(span_add(&set, 21, 29));
	assert_set((struct pc_span[]){{10, 20}, {21, 29}, {30, 40}}, 3);
}

static void test_the_first_address_is_one_like_others(void **unused)
{
	(void)unused;
	assert_true(span_add(&set, 0, 1));
	assert_true(span_add(&set, 1, 2));
	assert_set((struct pc_span[]){{0, 2}}, 1);
	assert_true(span_hits(&set, 0, 1));
	assert_true(span_remove(&set, 0, 1));
	assert_set((struct pc_span[]){{1, 2}}, 1);
}

static void test_an_empty_range_adds_nothing(void **unused)
{
	(void)unused;
	assert_true(span_add(&set, 5, 5));
	assert_int_equal(set.count, 0);
}

static void test_a_hole_cuts_in_two(void **unused)
{
	(void)unused;
	span_add(&set, 10, 40);
	assert_true(span_remove(&set, 20, 30));
	assert_set((struct pc_span[]){{10, 20}, {30, 40}}, 2);
	assert_true(span_remove(&set, 0, 100));
	assert_int_equal(set.count, 0);
}

static void test_a_full_set_refuses_and_keeps_what_it_has(void **unused)
{
	const struct pc_span want[] = {{0, 10}, {20, 30}};

	(void)unused;
	set.max = 2;
	span_add(&set, 0, 10);
	span_add(&set, 20, 30);
	assert_false(span_add(&set, 40, 50));
	assert_set(want, 2);
	assert_false(span_remove(&set, 4, 6));
	assert_set(want, 2);
	assert_true(span_add(&set, 10, 20));
	assert_set((struct pc_span[]){{0, 30}}, 1);
}

static void test_questions(void **unused)
{
	(void)unused;
	span_add(&set, 10, 20);
	span_add(&set, 30, 40);
	assert_int_equal(span_after(&set, 0), 0);
	assert_int_equal(span_after(&set, 19), 0);
	assert_int_equal(span_after(&set, 20), 1);
	assert_int_equal(span_after(&set, 40), 2);
	assert_false(span_hits(&set, 20, 30));
	assert_true(span_hits(&set, 20, 31));
	assert_true(span_hits(&set, 19, 20));
	assert_false(span_hits(&set, 0, 10));
	assert_int_equal(span_bytes(&set), 20);
}

/* ---- the model ------------------------------------------------------------------------------ */

static uint64_t dice;

static unsigned roll(unsigned n)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(dice >> 33) % n;
}

static uint32_t model_spans(void)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < ADDRESSES; i++)
		n += model[i] && (!i || !model[i - 1]);
	return n;
}

static void check_against_model(void)
{
	uint64_t bytes = 0;
	uint32_t at = 0;

	assert_int_equal(set.count, model_spans());
	for (unsigned i = 0; i < ADDRESSES; i++) {
		while (at < set.count && set.span[at].end <= i)
			at++;
		assert_int_equal(model[i], at < set.count && set.span[at].start <= i);
		assert_int_equal(span_after(&set, i), at);
		assert_int_equal(span_hits(&set, i, i + 1), model[i]);
		bytes += model[i];
	}
	assert_int_equal(span_bytes(&set), bytes);
}

/* Refused exactly where the result would not fit, and then without effect. */
static void change(unsigned first, unsigned end, bool to)
{
	bool before[ADDRESSES];
	bool done;

	memcpy(before, model, sizeof(model));
	for (unsigned i = first; i < end; i++)
		model[i] = to;
	done = to ? span_add(&set, first, end) : span_remove(&set, first, end);
	assert_int_equal(done, model_spans() <= set.max);
	if (!done)
		memcpy(model, before, sizeof(model));
}

static void test_against_the_model(void **unused)
{
	const char *seed = getenv("TEST_SEED");

	(void)unused;
	dice = seed ? strtoull(seed, NULL, 0) : 1;
	printf("TEST_SEED=%llu\n", (unsigned long long)dice);
	for (unsigned i = 0; i < OPS; i++) {
		unsigned first = roll(ADDRESSES);
		unsigned end = first + 1 + roll(8);

		change(first, PC_MIN(end, ADDRESSES), roll(2));
		if (i % 16 == 0)
			check_against_model();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_what_touches_merges, clear),
	    cmocka_unit_test_setup(test_what_does_not_touch_stays_apart, clear),
	    cmocka_unit_test_setup(test_the_first_address_is_one_like_others, clear),
	    cmocka_unit_test_setup(test_an_empty_range_adds_nothing, clear),
	    cmocka_unit_test_setup(test_a_hole_cuts_in_two, clear),
	    cmocka_unit_test_setup(test_a_full_set_refuses_and_keeps_what_it_has, clear),
	    cmocka_unit_test_setup(test_questions, clear),
	    cmocka_unit_test_setup(test_against_the_model, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
