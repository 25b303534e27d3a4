/* The unit table: rows are handed out, shared when there are none left, and reused oldest first. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/stats.h"
#include "base/units.h"

#define ROUNDS 100000

static void *memory;

static const struct pc_unit_row *row(uint32_t number)
{
	const struct pc_segment *s = memory;

	return (const void *)((const char *)memory + s->unit_offset +
			      (uint64_t)number * s->unit_stride);
}

static int start(void **state)
{
	(void)state;
	if (!memory)
		memory = aligned_alloc(PC_PAGE, stats_segment_bytes());
	memset(memory, 0, stats_segment_bytes());
	stats_start(memory, 4711, "units", 99);
	return 0;
}

static pc_addr address(uint32_t number)
{
	return (pc_addr)number * PC_UNIT;
}

static void fill(void)
{
	for (uint32_t i = 1; i < PC_UNIT_ROWS; i++)
		assert_int_equal(units_open(address(i)), i);
}

/* Runs first: nothing has been started yet. */
static void counting_works_before_there_is_a_segment(void **state)
{
	(void)state;
	assert_int_equal(units_open(PC_UNIT), 0);
	units_add(0, PC_U_taken, 3);
	units_close(0);
}

static void columns_are_described(void **state)
{
	const struct pc_segment *s = memory;
	const struct pc_entry *e = (const void *)((const char *)memory + s->unit_column_offset);

	(void)state;
	assert_int_equal(s->unit_column_count, PC_U_COUNT);
	assert_string_equal(e[PC_U_taken].name, "taken");
	assert_string_equal(e[PC_U_taken].unit, "pages");
	assert_int_equal(e[PC_U_taken].kind, PC_ENTRY_COUNTER);
	assert_string_equal(e[PC_U_away].name, "away");
	assert_int_equal(e[PC_U_away].kind, PC_ENTRY_GAUGE);
	for (uint32_t i = 0; i < s->unit_column_count; i++)
		assert_int_equal(e[i].slot, i);
}

static void a_row_is_a_unit(void **state)
{
	const struct pc_segment *s = memory;
	uint32_t a = units_open(address(5)), b = units_open(address(9));

	(void)state;
	assert_int_equal(s->unit_used, 3);
	assert_int_not_equal(a, b);
	assert_int_equal(row(a)->base, address(5));
	assert_int_equal(row(a)->generation, 1);
	units_add(a, PC_U_away, 512);
	units_add(a, PC_U_away, -12);
	units_add(b, PC_U_faults, 1);
	assert_int_equal(row(a)->value[PC_U_away], 500);
	assert_int_equal(row(b)->value[PC_U_away], 0);
	assert_int_equal(row(b)->value[PC_U_faults], 1);
	assert_int_equal(row(0)->base, 0);
}

static void a_full_table_shares_row_0(void **state)
{
	(void)state;
	fill();
	assert_int_equal(units_open(address(77777)), 0);
	assert_int_equal(stats_get(PC_V_units_unlisted), 1);
	units_add(0, PC_U_taken, 8);
	assert_int_equal(row(0)->value[PC_U_taken], 8);
	assert_int_equal(row(0)->base, 0);
	/* What has no row gives none back. */
	units_close(0);
	assert_int_equal(units_open(address(77777)), 0);
}

static void rows_are_kept_as_long_as_there_are_fresh_ones(void **state)
{
	uint32_t a = units_open(address(1));

	(void)state;
	units_add(a, PC_U_restored, 4);
	units_close(a);
	assert_int_not_equal(units_open(address(2)), a);
	assert_int_equal(row(a)->base, address(1));
	assert_int_equal(row(a)->value[PC_U_restored], 4);
}

static void the_oldest_row_is_reused_first(void **state)
{
	(void)state;
	fill();
	units_add(30, PC_U_taken, 6);
	for (uint32_t i = 30; i > 10; i -= 10)
		units_close(i);
	assert_int_equal(units_open(address(90001)), 30);
	assert_int_equal(row(30)->base, address(90001));
	assert_int_equal(row(30)->generation, 2);
	assert_int_equal(row(30)->value[PC_U_taken], 0);
	units_close(10);
	assert_int_equal(units_open(address(90002)), 20);
	assert_int_equal(units_open(address(90003)), 10);
	assert_int_equal(units_open(address(90004)), 0);
	units_close(10);
	assert_int_equal(units_open(address(90005)), 10);
	assert_int_equal(row(10)->generation, 3);
}

static void *count_a_lot(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		units_add(*(uint32_t *)arg, PC_U_faults, 1);
	return NULL;
}

static void sharing_a_row_loses_nothing(void **state)
{
	uint32_t a = units_open(address(3));
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, count_a_lot, &a), 0);
	count_a_lot(&a);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(row(a)->value[PC_U_faults], 2 * ROUNDS);
}

static void what_was_never_written_is_told(void **state)
{
	size_t empty = stats_written_bytes();
	const unsigned char *bytes = memory;

	(void)state;
	units_open(address(3));
	assert_int_equal(stats_written_bytes(), empty + sizeof(struct pc_unit_row));
	for (size_t i = stats_written_bytes(); i < stats_segment_bytes(); i++)
		assert_int_equal(bytes[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counting_works_before_there_is_a_segment),
	    cmocka_unit_test_setup(columns_are_described, start),
	    cmocka_unit_test_setup(a_row_is_a_unit, start),
	    cmocka_unit_test_setup(a_full_table_shares_row_0, start),
	    cmocka_unit_test_setup(rows_are_kept_as_long_as_there_are_fresh_ones, start),
	    cmocka_unit_test_setup(the_oldest_row_is_reused_first, start),
	    cmocka_unit_test_setup(sharing_a_row_loses_nothing, start),
	    cmocka_unit_test_setup(what_was_never_written_is_told, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
