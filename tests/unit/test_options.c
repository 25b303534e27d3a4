#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/options.h"

#define ALL_NAMES                                                                                  \
	"ENABLE, COLD_AGE, SOFT_CAP, MIN_RSS, MIN_SAVINGS, FAULT_AROUND, HOTNESS, EVICT, REPACK, " \
	"PAGER_THREADS, MAX_CPU, ONLY, EXCEPT, LOG, SUMMARY, CSV, VERIFY"

static struct pc_options o;
static struct option_error error;

static int fresh(void **state)
{
	(void)state;
	memset(&o, 0xff, sizeof(o));
	memset(&error, 0, sizeof(error));
	options_defaults(&o);
	return 0;
}

static void assert_accepted(const char *name, const char *value)
{
	if (options_parse_one(&o, name, value, &error))
		fail_msg("%s", error.text);
}

static void assert_refused(const char *name, const char *value, const char *line)
{
	struct pc_options before = o;

	assert_int_equal(options_parse_one(&o, name, value, &error), -EINVAL);
	assert_string_equal(error.text, line);
	assert_memory_equal(&o, &before, sizeof(o));
}

static void defaults_are_those_of_the_table(void **state)
{
	(void)state;
	assert_int_equal(o.enable, 1);
	assert_int_equal(o.cold_age, 5 * PC_SEC);
	assert_int_equal(o.soft_cap, 0);
	assert_int_equal(o.min_rss, 32 << 20);
	assert_int_equal(o.min_savings, 5);
	assert_int_equal(o.fault_around, 0);
	assert_int_equal(o.hotness, HOTNESS_AUTO);
	assert_int_equal(o.evict, EVICT_AUTO);
	assert_int_equal(o.pager_threads, 0);
	assert_int_equal(o.max_cpu, 25);
	assert_string_equal(o.only.s, "");
	assert_string_equal(o.except.s, "");
	assert_int_equal(o.log, LOG_ERROR);
	assert_string_equal(o.summary.s, "");
	assert_string_equal(o.csv.s, "");
	assert_int_equal(o.verify, VERIFY_SAMPLE);
}

static void every_type_is_understood(void **state)
{
	(void)state;
	assert_accepted("ENABLE", "off");
	assert_int_equal(o.enable, 0);
	assert_accepted("COLD_AGE", "1.5s");
	assert_int_equal(o.cold_age, 1500 * PC_MS);
	assert_accepted("COLD_AGE", "0");
	assert_int_equal(o.cold_age, 0);
	assert_accepted("MIN_RSS", "1.5GiB");
	assert_int_equal(o.min_rss, 1536ull << 20);
	assert_accepted("MIN_SAVINGS", "90");
	assert_int_equal(o.min_savings, 90);
	assert_accepted("FAULT_AROUND", "64");
	assert_int_equal(o.fault_around, 64);
	assert_accepted("FAULT_AROUND", "auto");
	assert_int_equal(o.fault_around, 0);
	assert_accepted("HOTNESS", "probe");
	assert_int_equal(o.hotness, HOTNESS_PROBE);
	assert_accepted("HOTNESS", "damon");
	assert_int_equal(o.hotness, HOTNESS_DAMON);
	assert_accepted("EVICT", "madvise");
	assert_int_equal(o.evict, EVICT_MADVISE);
	assert_accepted("VERIFY", "off");
	assert_int_equal(o.verify, VERIFY_OFF);
	assert_accepted("ONLY", "redis-server, python3");
	assert_string_equal(o.only.s, "redis-server, python3");
	assert_accepted("ONLY", "");
	assert_string_equal(o.only.s, "");
	assert_accepted("CSV", "a file with = and ,");
	assert_string_equal(o.csv.s, "a file with = and ,");
}

static void caps_are_sizes_or_shares(void **state)
{
	(void)state;
	assert_accepted("SOFT_CAP", "64M");
	assert_int_equal(options_resolve_cap(&o, 1 << 30), 64 << 20);
	assert_accepted("SOFT_CAP", "25%");
	assert_int_equal(o.soft_cap, PC_CAP_SHARE | 25);
	assert_int_equal(options_resolve_cap(&o, 1 << 30), 256 << 20);
	assert_int_equal(options_resolve_cap(&o, 199), 49);
	assert_int_equal(options_resolve_cap(&o, UINT64_MAX), UINT64_MAX / 4);
	assert_accepted("SOFT_CAP", "100%");
	assert_int_equal(options_resolve_cap(&o, UINT64_MAX), UINT64_MAX);
	assert_accepted("SOFT_CAP", "none");
	assert_int_equal(options_resolve_cap(&o, 1 << 30), 0);
}

#define CAP_RANGE " is out of range: none, 1M to 1T, or 1% to 100% of the memory limit"

static void caps_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_refused("SOFT_CAP", "0", "PREDICOMP_SOFT_CAP=0" CAP_RANGE);
	assert_refused("SOFT_CAP", "1048575", "PREDICOMP_SOFT_CAP=1048575" CAP_RANGE);
	assert_refused("SOFT_CAP", "2T", "PREDICOMP_SOFT_CAP=2T" CAP_RANGE);
	assert_refused("SOFT_CAP", "0%", "PREDICOMP_SOFT_CAP=0%" CAP_RANGE);
	assert_refused("SOFT_CAP", "101%", "PREDICOMP_SOFT_CAP=101%" CAP_RANGE);
	/* Bytes that look like a stored share. */
	assert_refused("SOFT_CAP", "9223372036854775813",
		       "PREDICOMP_SOFT_CAP=9223372036854775813" CAP_RANGE);
	assert_refused("SOFT_CAP", "9223372036854775813%",
		       "PREDICOMP_SOFT_CAP=9223372036854775813%" CAP_RANGE);
}

static void refusals_name_variable_value_and_what_is_accepted(void **state)
{
	(void)state;
	assert_refused("COLD_AGE", "5x",
		       "PREDICOMP_COLD_AGE=5x is not understood: 0 to 24h, as 500ms, 5s, 2m");
	assert_refused("COLD_AGE", "25h",
		       "PREDICOMP_COLD_AGE=25h is out of range: 0 to 24h, as 500ms, 5s, 2m");
	assert_refused("COLD_AGE", "9999999999999h",
		       "PREDICOMP_COLD_AGE=9999999999999h is out of range: "
		       "0 to 24h, as 500ms, 5s, 2m");
	assert_refused("MAX_CPU", "0", "PREDICOMP_MAX_CPU=0 is out of range: 1% to 100%");
	assert_refused("FAULT_AROUND", "0",
		       "PREDICOMP_FAULT_AROUND=0 is out of range: auto or 1 to 64");
	assert_refused("HOTNESS", "dam",
		       "PREDICOMP_HOTNESS=dam is not understood: auto|damon|probe");
	assert_refused("HOTNESS", "damon|probe",
		       "PREDICOMP_HOTNESS=damon|probe is not understood: auto|damon|probe");
	assert_refused("ENABLE", "maybe", "PREDICOMP_ENABLE=maybe is not understood: on|off");
}

static void the_empty_value_is_only_a_text(void **state)
{
	enum pc_option_id id;
	unsigned texts = 0;

	(void)state;
	for (id = 0; id < PC_OPT_COUNT; id++)
		texts += options_parse_one(&o, options_name(id), "", &error) == 0;
	assert_int_equal(texts, 4);
	assert_accepted("EXCEPT", "");
	assert_accepted("SUMMARY", "");
}

static void unknown_names_are_told_the_known(void **state)
{
	(void)state;
	assert_refused("FOO", "1", "PREDICOMP_FOO is not an option; the options are " ALL_NAMES);
	assert_refused("", "1", "PREDICOMP_ is not an option; the options are " ALL_NAMES);
	assert_refused("COLDAGE", "1s",
		       "PREDICOMP_COLDAGE is not an option; the options are " ALL_NAMES
		       "; perhaps COLD_AGE is meant");
	assert_refused("EVCIT", "move",
		       "PREDICOMP_EVCIT is not an option; the options are " ALL_NAMES
		       "; perhaps EVICT is meant");
	assert_refused("LOGS", "info",
		       "PREDICOMP_LOGS is not an option; the options are " ALL_NAMES
		       "; perhaps LOG is meant");
	assert_refused("cold_age", "1s",
		       "PREDICOMP_cold_age is not an option; the options are " ALL_NAMES);
}

static void hostile_bytes_are_shown_harmlessly(void **state)
{
	char value[1000], line[600];

	(void)state;
	memset(value, '\x1b', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	snprintf(line, sizeof(line), "PREDICOMP_ENABLE=%.80s... is not understood: on|off",
		 "????????????????????????????????????????"
		 "????????????????????????????????????????");
	assert_refused("ENABLE", value, line);
	memset(value, 'A', sizeof(value) - 1);
	snprintf(line, sizeof(line), "PREDICOMP_%.80s... is not an option; the options are %s",
		 value, ALL_NAMES);
	assert_refused(value, "x", line);
}

static void texts_that_do_not_fit_are_refused(void **state)
{
	char value[PC_OPTION_TEXT + 1], line[600];

	(void)state;
	memset(value, 'p', PC_OPTION_TEXT);
	value[PC_OPTION_TEXT] = 0;
	snprintf(line, sizeof(line), "PREDICOMP_CSV=%.80s... is too long: at most 255 bytes",
		 value);
	assert_refused("CSV", value, line);
	value[PC_OPTION_TEXT - 1] = 0;
	assert_accepted("CSV", value);
	assert_string_equal(o.csv.s, value);
}

static void the_environment_is_walked(void **state)
{
	char age[] = "PREDICOMP_COLD_AGE=2m", cap[] = "PREDICOMP_SOFT_CAP=50%";
	char other[] = "PREDICOM_P=1", path[] = "PATH=PREDICOMP_ENABLE=off", bare[] = "PREDICOMP";
	char only[] = "PREDICOMP_ONLY=a=b";
	char *env[] = {path, age, other, cap, bare, only, NULL};

	(void)state;
	assert_int_equal(options_parse_env(&o, env, &error), 0);
	assert_int_equal(o.cold_age, 120 * PC_SEC);
	assert_int_equal(o.soft_cap, PC_CAP_SHARE | 50);
	assert_int_equal(o.enable, 1);
	assert_string_equal(o.only.s, "a=b");
	assert_string_equal(age, "PREDICOMP_COLD_AGE=2m");
}

static void the_first_mistake_of_the_environment_is_named(void **state)
{
	char good[] = "PREDICOMP_MAX_CPU=7", bad[] = "PREDICOMP_LOG=loud";
	char worse[] = "PREDICOMP_NOTHING=1";
	char *env[] = {good, bad, worse, NULL};

	(void)state;
	assert_int_equal(options_parse_env(&o, env, &error), -EINVAL);
	assert_string_equal(error.text,
			    "PREDICOMP_LOG=loud is not understood: off|error|info|debug");
	assert_int_equal(options_parse_env(&o, env + 2, &error), -EINVAL);
	assert_string_equal(error.text,
			    "PREDICOMP_NOTHING is not an option; the options are " ALL_NAMES);
}

static void odd_environments_are_survived(void **state)
{
	char nothing[] = "PREDICOMP_ENABLE", empty[] = "", name[2000];
	char *no_value[] = {empty, nothing, NULL}, *long_name[] = {name, NULL};

	(void)state;
	assert_int_equal(options_parse_env(&o, no_value + 2, &error), 0);
	assert_int_equal(options_parse_env(&o, no_value, &error), -EINVAL);
	assert_string_equal(error.text, "PREDICOMP_ENABLE= is not understood: on|off");
	memset(name, 'X', sizeof(name) - 1);
	memcpy(name, "PREDICOMP_", 10);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(options_parse_env(&o, long_name, &error), -EINVAL);
	assert_non_null(strstr(error.text, "XXX... is not an option"));
}

static void some_options_change_at_run_time(void **state)
{
	(void)state;
	assert_int_equal(options_set(&o, PC_OPT_cold_age, 7 * PC_SEC), 0);
	assert_int_equal(o.cold_age, 7 * PC_SEC);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, 64 << 20), 0);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, PC_CAP_SHARE | 30), 0);
	assert_int_equal(options_word(&o, PC_OPT_soft_cap), PC_CAP_SHARE | 30);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, 0), 0);
	assert_int_equal(options_set(&o, PC_OPT_fault_around, 0), 0);
	assert_int_equal(options_set(&o, PC_OPT_min_savings, 0), 0);
	assert_int_equal(options_set(&o, PC_OPT_max_cpu, 100), 0);
	assert_int_equal(options_set(&o, PC_OPT_verify, VERIFY_OFF), 0);
	assert_int_equal(options_set(&o, PC_OPT_log, LOG_DEBUG), 0);
	assert_int_equal(o.log, LOG_DEBUG);
}

static void changes_are_checked(void **state)
{
	(void)state;
	assert_int_equal(options_set(&o, PC_OPT_cold_age, 86400 * PC_SEC + 1), -ERANGE);
	assert_int_equal(o.cold_age, 5 * PC_SEC);
	assert_int_equal(options_set(&o, PC_OPT_max_cpu, 0), -ERANGE);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, 1), -ERANGE);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, PC_CAP_SHARE), -ERANGE);
	assert_int_equal(options_set(&o, PC_OPT_soft_cap, PC_CAP_SHARE | 101), -ERANGE);
	assert_int_equal(options_set(&o, PC_OPT_verify, 3), -ERANGE);
	assert_int_equal(options_set(&o, PC_OPT_enable, 0), -EPERM);
	assert_int_equal(options_set(&o, PC_OPT_min_rss, 0), -EPERM);
	assert_int_equal(options_set(&o, PC_OPT_pager_threads, 1), -EPERM);
	assert_int_equal(options_set(&o, PC_OPT_csv, 0), -EPERM);
	assert_int_equal(options_set(&o, PC_OPT_COUNT, 0), -ENOENT);
	assert_int_equal(options_set(&o, UINT64_MAX, 0), -ENOENT);
	assert_int_equal(options_set(&o, 1ull << 32 | PC_OPT_cold_age, 0), -ENOENT);
}

static void words_and_names_follow_the_table(void **state)
{
	(void)state;
	assert_string_equal(options_name(PC_OPT_cold_age), "COLD_AGE");
	assert_string_equal(options_name(PC_OPT_verify), "VERIFY");
	assert_int_equal(options_word(&o, PC_OPT_min_rss), 32 << 20);
	assert_accepted("ONLY", "x");
	assert_int_equal(options_word(&o, PC_OPT_only), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(defaults_are_those_of_the_table, fresh),
	    cmocka_unit_test_setup(every_type_is_understood, fresh),
	    cmocka_unit_test_setup(caps_are_sizes_or_shares, fresh),
	    cmocka_unit_test_setup(caps_out_of_range_are_refused, fresh),
	    cmocka_unit_test_setup(refusals_name_variable_value_and_what_is_accepted, fresh),
	    cmocka_unit_test_setup(the_empty_value_is_only_a_text, fresh),
	    cmocka_unit_test_setup(unknown_names_are_told_the_known, fresh),
	    cmocka_unit_test_setup(hostile_bytes_are_shown_harmlessly, fresh),
	    cmocka_unit_test_setup(texts_that_do_not_fit_are_refused, fresh),
	    cmocka_unit_test_setup(the_environment_is_walked, fresh),
	    cmocka_unit_test_setup(the_first_mistake_of_the_environment_is_named, fresh),
	    cmocka_unit_test_setup(odd_environments_are_survived, fresh),
	    cmocka_unit_test_setup(some_options_change_at_run_time, fresh),
	    cmocka_unit_test_setup(changes_are_checked, fresh),
	    cmocka_unit_test_setup(words_and_names_follow_the_table, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
