/* Streams of faults whose order is known are called by its name, with the evidence that belongs to
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tools/pattern.h"

#define PAGES 4096u

static struct pattern p;

static int start(void **state)
{
	(void)state;
	pattern_begin(&p, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	pattern_end(&p);
	return 0;
}

static void touch(uint64_t page)
{
	pattern_fault(&p, 1, page, false);
}

static void expect(enum pattern_order order, bool repeated)
{
	assert_string_equal(pattern_name(pattern_order(&p)), pattern_name(order));
	assert_int_equal(pattern_repeated(&p), repeated);
}

static void sequential(void **state)
{
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		touch(1000 + i);
	expect(PATTERN_SEQUENTIAL, false);
	assert_int_equal(p.forward, PAGES - 1);
	assert_int_equal(pattern_step(&p, &count), 1);
	assert_int_equal(count, PAGES - 1);
	assert_int_equal(pattern_distance(&p), 0);
}

static void backwards(void **state)
{
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		touch(PAGES - i);
	expect(PATTERN_SEQUENTIAL, false);
	assert_int_equal(pattern_step(&p, &count), -1);
}

static void strided(void **state)
{
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		touch(16 * (uint64_t)i);
	expect(PATTERN_STRIDED, false);
	assert_int_equal(p.forward, 0);
	assert_int_equal(pattern_step(&p, &count), 16);
	assert_int_equal(count, PAGES - 1);
}

/* A fault in a file brings the pages around it: there the same steps are a sequence. */
static void sequential_in_blocks(void **state)
{
	(void)state;
	p.block = 16;
	for (unsigned i = 0; i < PAGES; i++)
		touch(16 * (uint64_t)i);
	expect(PATTERN_SEQUENTIAL, false);
}

static void sequential_in_growing_blocks(void **state)
{
	(void)state;
	p.block = 64;
	for (uint64_t i = 0, at = 0; i < PAGES; i++, at += 4u << i % 5)
		touch(at);
	expect(PATTERN_SEQUENTIAL, false);
}

static void random_order(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	srandom(seed);
	for (unsigned i = 0; i < PAGES; i++)
		touch((uint64_t)random() % (64 * PAGES));
	expect(PATTERN_RANDOM, false);
	assert_in_range(p.slack, 1, p.steps / PATTERN_STEPS);
}

static void thrash(void **state)
{
	(void)state;
	for (unsigned pass = 0; pass < 8; pass++)
		for (unsigned i = 0; i < 256; i++)
			touch(i);
	expect(PATTERN_SEQUENTIAL, true);
	assert_int_equal(p.again, 7 * 256);
	assert_in_range(pattern_distance(&p), 256, 511);
}

static void half_of_each(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned i = 0; i < PAGES; i++)
		touch(i % 4 ? PAGES + i : 1000000 + (uint64_t)random());
	expect(PATTERN_MIXED, false);
}

/* Each thread has a stream of its own. */
static void threads_side_by_side(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGES; i++)
		pattern_fault(&p, 100 + i % 4, (i % 4) * 100000ull + i / 4, false);
	expect(PATTERN_SEQUENTIAL, false);
}

static void little_is_not_judged(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PATTERN_ENOUGH; i++)
		touch(i);
	expect(PATTERN_FEW, false);
	touch(PATTERN_ENOUGH);
	expect(PATTERN_SEQUENTIAL, false);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < PATTERN_PAGES + 1000; i++)
		touch(i);
	assert_in_range(p.forgotten, 1, 1001);
	assert_int_equal(p.again, 0);
	touch(5);
	assert_int_equal(p.again, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sequential),
	    TEST(backwards),
	    TEST(strided),
	    TEST(sequential_in_blocks),
	    TEST(sequential_in_growing_blocks),
	    TEST(random_order),
	    TEST(thrash),
	    TEST(half_of_each),
	    TEST(threads_side_by_side),
	    TEST(little_is_not_judged),
	    TEST(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
