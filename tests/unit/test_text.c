#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"

#define ROUNDS 20000

static void numbers_are_written(void **state)
{
	char buf[200];
	struct text t = text_begin(buf, sizeof(buf));

	(void)state;
	text_u64(&t, 0);
	text_char(&t, ' ');
	text_u64(&t, UINT64_MAX);
	text_char(&t, ' ');
	text_i64(&t, INT64_MIN);
	text_char(&t, ' ');
	text_i64(&t, -12);
	text_char(&t, ' ');
	text_i64(&t, INT64_MAX);
	text_char(&t, ' ');
	text_hex(&t, 0);
	text_char(&t, ' ');
	text_hex(&t, 0xdeadbeef0123ull);
	assert_string_equal(buf, "0 18446744073709551615 -9223372036854775808 -12 "
				 "9223372036854775807 0x0 0xdeadbeef0123");
	assert_int_equal(t.len, strlen(buf));
	assert_false(t.truncated);
}

static void overflow_cuts_and_is_remembered(void **state)
{
	char buf[9];
	struct text t;

	(void)state;
	memset(buf, '#', sizeof(buf));
	t = text_begin(buf, 8);
	text_str(&t, "1234567");
	assert_false(t.truncated);
	text_char(&t, '8');
	assert_true(t.truncated);
	text_str(&t, "more");
	assert_string_equal(buf, "1234567");
	assert_int_equal(t.len, 7);
	assert_int_equal(buf[8], '#');
}

static void no_room_at_all_is_survived(void **state)
{
	char buf[1] = {'#'};
	struct text t = text_begin(buf, 0);

	(void)state;
	text_str(&t, "x");
	assert_true(t.truncated);
	assert_int_equal(buf[0], '#');
}

static void foreign_text_is_made_harmless(void **state)
{
	char buf[64];
	struct text t = text_begin(buf, sizeof(buf));

	(void)state;
	text_shown(&t, "a\n\x1b[2J\x7f\xc3\xa4~ b", 80);
	assert_string_equal(buf, "a??[2J???~ b");
	t = text_begin(buf, sizeof(buf));
	text_shown(&t, "abcde", 5);
	text_shown(&t, "abcdef", 5);
	assert_string_equal(buf, "abcdeabcde...");
}

struct parsed {
	const char *text;
	int err;
	uint64_t value;
};

static void check_all(int (*parse)(const char *, uint64_t *), const struct parsed *p, size_t n)
{
	for (; n--; p++) {
		uint64_t got = 0xabcd;
		int err = parse(p->text, &got);

		if (err != p->err || got != (p->err ? 0xabcd : p->value))
			fail_msg("\"%s\": %d, %lu; wanted %d, %lu", p->text, err, got, p->err,
				 p->value);
	}
}

#define CHECK_ALL(parse, table) check_all((parse), (table), sizeof(table) / sizeof((table)[0]))

static void whole_numbers_are_read(void **state)
{
	static const struct parsed table[] = {
	    {"0", 0, 0},
	    {"007", 0, 7},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", -ERANGE, 0},
	    {"99999999999999999999999999", -ERANGE, 0},
	    {"", -EINVAL, 0},
	    {"-1", -EINVAL, 0},
	    {"+1", -EINVAL, 0},
	    {" 1", -EINVAL, 0},
	    {"1 ", -EINVAL, 0},
	    {"1.5", -EINVAL, 0},
	    {"0x10", -EINVAL, 0},
	    {"99999999999999999999999999x", -EINVAL, 0},
	};

	(void)state;
	CHECK_ALL(parse_u64, table);
}

static void times_are_read(void **state)
{
	static const struct parsed table[] = {
	    {"0", 0, 0},
	    {"0s", 0, 0},
	    {"100ns", 0, 100},
	    {"10us", 0, 10000},
	    {"500ms", 0, 500000000},
	    {"5s", 0, 5000000000},
	    {"5S", 0, 5000000000},
	    {"2m", 0, 120000000000},
	    {"1h", 0, 3600000000000},
	    {"1.5s", 0, 1500000000},
	    {"0.25h", 0, 900000000000},
	    {"0.0000000019s", 0, 1}, /* rounded down */
	    {"0.00000000099999999999999999999999999999999999999s", 0, 0},
	    {"0.000000001000000000000000000000000000000000000000s", 0, 1},
	    {"1.999999999999999999999999us", 0, 1999},
	    {"18446744073.709551615s", 0, UINT64_MAX},
	    {"18446744073.709551616s", -ERANGE, 0},
	    {"18446744074s", -ERANGE, 0},
	    {"5124096h", -ERANGE, 0},
	    {"5", -EINVAL, 0},
	    {"00", -EINVAL, 0},
	    {"5x", -EINVAL, 0},
	    {"5 s", -EINVAL, 0},
	    {"s", -EINVAL, 0},
	    {".5s", -EINVAL, 0},
	    {"5.s", -EINVAL, 0},
	    {"1.5ns", -EINVAL, 0},
	    {"1.5.5s", -EINVAL, 0},
	    {"1,5s", -EINVAL, 0},
	    {"1e3s", -EINVAL, 0},
	    {"5sec", -EINVAL, 0},
	    {"", -EINVAL, 0},
	    {".", -EINVAL, 0},
	};

	(void)state;
	CHECK_ALL(parse_time, table);
}

static void sizes_are_read(void **state)
{
	static const struct parsed table[] = {
	    {"4096", 0, 4096},	       {"4096b", 0, 4096},
	    {"64K", 0, 65536},	       {"64k", 0, 65536},
	    {"64KB", 0, 65536},	       {"64KiB", 0, 65536},
	    {"64kIb", 0, 65536},       {"32M", 0, 33554432},
	    {"1.5G", 0, 1610612736},   {"2T", 0, 2199023255552},
	    {"0.1k", 0, 102},	       {"16777215.99999999999999999999T", 0, UINT64_MAX},
	    {"16777216T", -ERANGE, 0}, {"16777215.9T", 0, 18446743963758388838ull},
	    {"1.5", -EINVAL, 0},       {"1.5B", -EINVAL, 0},
	    {"1iB", -EINVAL, 0},       {"1Ki", -EINVAL, 0},
	    {"1P", -EINVAL, 0},	       {"1KK", -EINVAL, 0},
	    {"K", -EINVAL, 0},	       {"-1K", -EINVAL, 0},
	    {"", -EINVAL, 0},
	};

	(void)state;
	CHECK_ALL(parse_size, table);
}

static void percentages_are_read(void **state)
{
	static const struct parsed table[] = {
	    {"5%", 0, 5},	 {"5", 0, 5},	    {"150%", 0, 150}, {"2.5%", -EINVAL, 0},
	    {"5%%", -EINVAL, 0}, {"%", -EINVAL, 0}, {"", -EINVAL, 0}, {"-5%", -EINVAL, 0},
	};

	(void)state;
	CHECK_ALL(parse_percent, table);
}

/* Any number of ns, written as seconds with nine decimals, is read back. */
static void decimals_are_exact(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	srandom(seed);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t bits = (uint64_t)random() << 33 ^ (uint64_t)random() << 11;
		uint64_t ns = bits >> (random() % 64), got = 0;
		char buf[64];

		snprintf(buf, sizeof(buf), "%lu.%09lus", ns / 1000000000, ns % 1000000000);
		assert_int_equal(parse_time(buf, &got), 0);
		assert_int_equal(got, ns);
	}
}

static void words_of_a_list_are_found(void **state)
{
	(void)state;
	assert_true(text_list_has("redis-server", "redis-server"));
	assert_true(text_list_has("a, redis-server\t,b", "redis-server"));
	assert_true(text_list_has(" a b , c", "a b"));
	assert_true(text_list_has(",,a,", "a"));
	assert_false(text_list_has("redis-server", "redis"));
	assert_false(text_list_has("redis", "redis-server"));
	assert_false(text_list_has("", "a"));
	assert_false(text_list_has("", ""));
	assert_false(text_list_has("a,,b", ""));
	assert_false(text_list_has("a,b", "a,b"));
}

static void texts_are_compared(void **state)
{
	(void)state;
	assert_true(text_equal("", ""));
	assert_true(text_equal("ab", "ab"));
	assert_false(text_equal("ab", "abc"));
	assert_false(text_equal("abc", "ab"));
	assert_false(text_equal("abc", "abd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_written),
	    cmocka_unit_test(overflow_cuts_and_is_remembered),
	    cmocka_unit_test(no_room_at_all_is_survived),
	    cmocka_unit_test(foreign_text_is_made_harmless),
	    cmocka_unit_test(whole_numbers_are_read),
	    cmocka_unit_test(times_are_read),
	    cmocka_unit_test(sizes_are_read),
	    cmocka_unit_test(percentages_are_read),
	    cmocka_unit_test(decimals_are_exact),
	    cmocka_unit_test(words_of_a_list_are_found),
	    cmocka_unit_test(texts_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
