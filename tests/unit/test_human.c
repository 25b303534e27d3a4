#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/human.h"

static char buf[64];

static const char *size(int64_t bytes)
{
	struct text t = text_begin(buf, sizeof(buf));

	human_size(&t, bytes);
	return buf;
}

static const char *time(pc_ns ns)
{
	struct text t = text_begin(buf, sizeof(buf));

	human_time(&t, ns);
	return buf;
}

static const char *count(uint64_t n)
{
	struct text t = text_begin(buf, sizeof(buf));

	human_count(&t, n);
	return buf;
}

static const char *thousandths(uint64_t n)
{
	struct text t = text_begin(buf, sizeof(buf));

	human_thousandths(&t, n);
	return buf;
}

static void sizes(void **state)
{
	(void)state;
	assert_string_equal(size(0), "0 B");
	assert_string_equal(size(1023), "1023 B");
	assert_string_equal(size(1024), "1.0 KiB");
	assert_string_equal(size(1024 * 1024 - 1), "1023.9 KiB");
	assert_string_equal(size(266ll << 20), "266.0 MiB");
	assert_string_equal(size((3ll << 30) / 2), "1.5 GiB");
	assert_string_equal(size(1ll << 40), "1.0 TiB");
	assert_string_equal(size(-1024), "-1.0 KiB");
	assert_string_equal(size(INT64_MAX), "8388607.9 TiB");
	assert_string_equal(size(INT64_MIN), "-8388608.0 TiB");
}

static void times(void **state)
{
	(void)state;
	assert_string_equal(time(0), "0 ns");
	assert_string_equal(time(999), "999 ns");
	assert_string_equal(time(4700), "4.7 us");
	assert_string_equal(time(999999), "999.9 us");
	assert_string_equal(time(12 * PC_MS), "12.0 ms");
	assert_string_equal(time(59 * PC_SEC + 999 * PC_MS), "59.9 s");
	assert_string_equal(time(60 * PC_SEC), "1m00s");
	assert_string_equal(time(723 * PC_SEC), "12m03s");
	assert_string_equal(time(3600 * PC_SEC), "1h00m");
	assert_string_equal(time(UINT64_MAX), "5124095h34m");
}

static void counts(void **state)
{
	(void)state;
	assert_string_equal(count(0), "0");
	assert_string_equal(count(9999), "9999");
	assert_string_equal(count(10000), "10.0k");
	assert_string_equal(count(999999), "999.9k");
	assert_string_equal(count(4500000), "4.5M");
	assert_string_equal(count(12345678901234), "12.3T");
	assert_string_equal(count(UINT64_MAX), "18446744.0T");
}

static void ratios(void **state)
{
	(void)state;
	assert_string_equal(thousandths(0), "0.000");
	assert_string_equal(thousandths(2155), "2.155");
	assert_string_equal(thousandths(1005), "1.005");
	assert_string_equal(thousandths(30), "0.030");
}

static void columns(void **state)
{
	struct text t = text_begin(buf, sizeof(buf));
	struct text narrow = text_begin(buf + 32, 4);

	(void)state;
	text_str(&t, "ab");
	human_pad(&t, 0, 5);
	human_right(&t, "x", 3);
	human_right(&t, "longer", 3);
	human_pad(&t, 0, 2);
	assert_string_equal(buf, "ab     xlonger");
	human_pad(&narrow, 0, 1000000000); /* ends where the buffer does */
	assert_string_equal(buf + 32, "   ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),  cmocka_unit_test(times),	 cmocka_unit_test(counts),
	    cmocka_unit_test(ratios), cmocka_unit_test(columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
