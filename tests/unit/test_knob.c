#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "report/knob.h"

static char buf[64];

static const char *show(enum pc_option_id id, uint64_t word)
{
	struct text t = text_begin(buf, sizeof(buf));

	knob_text(&knobs[id], word, &t);
	return buf;
}

static const struct {
	uint64_t min, max;
} bounds[] = {
#define PC_OPTION(id, NAME, type, fallback, min, max, ...) {min, max},
#include "predicomp/options.def"
#undef PC_OPTION
};

static void assert_read_back(enum pc_option_id id, uint64_t word)
{
	struct pc_options o = {0};
	struct option_error error;

	if (options_parse_one(&o, knobs[id].name, show(id, word), &error) != 0)
		fail_msg("%s", error.text);
	if (options_word(&o, id) != word)
		fail_msg("%s=%s is not %llu", knobs[id].name, buf, (unsigned long long)word);
}

/* Small and large words alike, inside the bounds. */
static uint64_t some_word(enum pc_option_id id)
{
	uint64_t range = bounds[id].max - bounds[id].min;
	uint64_t word = ((uint64_t)random() << 31 | (uint64_t)random()) >> random() % 62;

	return bounds[id].min + (range == UINT64_MAX ? word : word % (range + 1));
}

/* What is shown may be written back, and means the same. */
static void every_value_can_be_pasted_back(void **state)
{
	enum { ROUNDS = 2000 };
	const char *text = getenv("TEST_SEED");
	unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	srandom(seed);
	for (enum pc_option_id id = 0; id < PC_OPT_COUNT; id++) {
		if (knob_is_text(&knobs[id]))
			continue;
		assert_read_back(id, bounds[id].min);
		assert_read_back(id, bounds[id].max);
		for (int i = 0; i < ROUNDS; i++)
			assert_read_back(id, some_word(id));
	}
	for (uint64_t percent = 1; percent <= 100; percent++)
		assert_read_back(PC_OPT_soft_cap, PC_CAP_SHARE | percent);
}

static void words_for_zero(void **state)
{
	(void)state;
	assert_read_back(PC_OPT_soft_cap, 0);
	assert_read_back(PC_OPT_fault_around, 0);
	assert_string_equal(show(PC_OPT_soft_cap, 0), "none");
	assert_string_equal(show(PC_OPT_fault_around, 0), "auto");
	assert_string_equal(show(PC_OPT_cold_age, 0), "0");
	assert_string_equal(show(PC_OPT_min_rss, 0), "0");
	assert_string_equal(show(PC_OPT_enable, 0), "off");
}

static void the_shortest_exact_form(void **state)
{
	(void)state;
	assert_string_equal(show(PC_OPT_cold_age, 90 * PC_SEC), "90s");
	assert_string_equal(show(PC_OPT_cold_age, 120 * PC_SEC), "2m");
	assert_string_equal(show(PC_OPT_cold_age, 1500 * PC_MS), "1500ms");
	assert_string_equal(show(PC_OPT_cold_age, 1), "1ns");
	assert_string_equal(show(PC_OPT_min_rss, 32 << 20), "32M");
	assert_string_equal(show(PC_OPT_min_rss, 4097), "4097");
	assert_string_equal(show(PC_OPT_hotness, 1), "damon");
}

/* A segment of a newer library may hold a choice that this build has no word for. */
static void unknown_choices_are_numbers(void **state)
{
	(void)state;
	assert_string_equal(show(PC_OPT_verify, 2), "off");
	assert_string_equal(show(PC_OPT_verify, 3), "3");
	assert_string_equal(show(PC_OPT_verify, 77), "77");
}

static void the_table_is_the_table(void **state)
{
	(void)state;
	for (enum pc_option_id id = 0; id < PC_OPT_COUNT; id++)
		assert_string_equal(knobs[id].name, options_name(id));
	assert_string_equal(knob_unit(&knobs[PC_OPT_cold_age]), "ns");
	assert_string_equal(knob_unit(&knobs[PC_OPT_soft_cap]), "bytes");
	assert_string_equal(knob_unit(&knobs[PC_OPT_max_cpu]), "%");
	assert_string_equal(knob_unit(&knobs[PC_OPT_enable]), "");
	assert_string_equal(knob_value(&knobs[PC_OPT_only]), "NAMES");
	assert_true(knob_is_text(&knobs[PC_OPT_csv]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_value_can_be_pasted_back),
	    cmocka_unit_test(words_for_zero),
	    cmocka_unit_test(the_shortest_exact_form),
	    cmocka_unit_test(unknown_choices_are_numbers),
	    cmocka_unit_test(the_table_is_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
