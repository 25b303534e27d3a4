/* The matrix behind heat maps: sums survive every joining of columns and rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tools/matrix.h"

#define ROUNDS 20000

static struct matrix m;

static int start(void **state)
{
	(void)state;
	matrix_begin(&m, 100 * PC_MS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	matrix_free(&m);
	return 0;
}

static struct matrix_row *row_of(uint32_t process, pc_addr unit, enum region_class class)
{
	struct matrix_row *row = matrix_row(&m, process, unit * PC_UNIT + 12345);

	assert_non_null(row);
	row->class = class;
	return row;
}

static struct matrix_row *row_at(pc_addr unit, enum region_class class)
{
	return row_of(0, unit, class);
}

static const struct matrix_cell *cell_at(uint32_t row, uint32_t column)
{
	for (size_t i = 0; i < m.cell_count; i++)
		if (m.cell[i].row == row && m.cell[i].column == column)
			return &m.cell[i];
	fail_msg("no cell at row %u, column %u", row, column);
	return NULL;
}

static uint64_t sum_of_cells(enum layer layer)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m.cell_count; i++)
		sum += m.cell[i].value[layer];
	return sum;
}

static void counts_fall_into_the_column_of_their_time(void **state)
{
	(void)state;
	matrix_at(&m, 50 * PC_MS);
	matrix_add(&m, row_at(7, REGION_HEAP), LAYER_minor, 3);
	matrix_add(&m, row_at(7, REGION_HEAP), LAYER_minor, 4);
	matrix_at(&m, 250 * PC_MS);
	matrix_add(&m, row_at(7, REGION_HEAP), LAYER_major, 5);
	matrix_add(&m, row_at(3, REGION_HEAP), LAYER_minor, 1);
	matrix_finish(&m);
	assert_int_equal(m.columns, 3);
	assert_int_equal(m.row_count, 2);
	assert_int_equal(m.row[0].start, 3 * PC_UNIT);
	assert_int_equal(m.row[1].start, 7 * PC_UNIT);
	assert_int_equal(m.row[1].total[LAYER_minor], 7);
	assert_int_equal(cell_at(1, 0)->value[LAYER_minor], 7);
	assert_int_equal(cell_at(1, 2)->value[LAYER_major], 5);
	assert_int_equal(cell_at(0, 2)->value[LAYER_minor], 1);
	assert_int_equal(m.total[LAYER_minor], 8);
}

static void a_long_record_has_coarser_columns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * MATRIX_COLUMNS; i++) {
		matrix_at(&m, i * 100 * PC_MS + 1);
		matrix_add(&m, row_at(1, REGION_ANON), LAYER_minor, 1);
	}
	matrix_finish(&m);
	assert_int_equal(m.column, 400 * PC_MS);
	assert_in_range(m.columns, 1, MATRIX_COLUMNS);
	assert_int_equal(sum_of_cells(LAYER_minor), 3 * MATRIX_COLUMNS);
	assert_int_equal(cell_at(0, 5)->value[LAYER_minor], 4);
}

static void levels_hold_and_the_last_of_a_column_counts(void **state)
{
	(void)state;
	matrix_at(&m, 10 * PC_MS);
	matrix_level(&m, row_at(1, REGION_ANON), 300);
	matrix_level(&m, row_at(1, REGION_ANON), 200);
	matrix_at(&m, 510 * PC_MS);
	matrix_add(&m, row_at(1, REGION_ANON), LAYER_restores, 9);
	matrix_finish(&m);
	assert_int_equal(cell_at(0, 0)->value[LAYER_packed], 200);
	/* A cell that is there for another reason says what still holds. */
	assert_int_equal(cell_at(0, 5)->value[LAYER_packed], 200);
}

/* Joined rows have the sum of what each had at that time, though only one of them changed then. */
static void levels_of_joined_rows_are_summed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * MATRIX_ROWS; i++) {
		matrix_at(&m, 10 * PC_MS);
		matrix_level(&m, row_at(2 * MATRIX_ROWS + i, REGION_ANON), 100);
	}
	matrix_at(&m, 250 * PC_MS);
	matrix_level(&m, row_at(2 * MATRIX_ROWS + 1, REGION_ANON), 0);
	matrix_finish(&m);
	assert_int_equal(m.row_count, MATRIX_ROWS);
	assert_int_equal(m.row_bytes, 2 * PC_UNIT);
	assert_int_equal(cell_at(0, 0)->value[LAYER_packed], 200);
	assert_int_equal(cell_at(0, 2)->value[LAYER_packed], 100);
	assert_int_equal(m.row[0].total[LAYER_packed], 200);
}

static void rows_of_two_regions_are_not_joined(void **state)
{
	(void)state;
	matrix_at(&m, 1);
	for (unsigned i = 0; i < 2 * MATRIX_ROWS; i++)
		matrix_add(&m, row_at(i, i % 2 ? REGION_HEAP : REGION_FILE), LAYER_minor, 1);
	matrix_finish(&m);
	assert_int_equal(m.row_count, 2 * MATRIX_ROWS);
	/* And no other row is made coarser for the sake of rows that cannot be joined. */
	assert_int_equal(m.row_bytes, PC_UNIT);
	assert_int_equal(sum_of_cells(LAYER_minor), 2 * MATRIX_ROWS);
}

static bool is_low(void *arg, const struct matrix_row *row)
{
	return row->start < *(const pc_addr *)arg;
}

static void dropped_rows_take_their_counts_along(void **state)
{
	uint64_t dropped[LAYERS] = {0};
	pc_addr limit = 5 * PC_UNIT;

	(void)state;
	matrix_at(&m, 1);
	matrix_add(&m, row_at(1, REGION_ANON), LAYER_minor, 11);
	matrix_add(&m, row_at(9, REGION_ANON), LAYER_minor, 2);
	matrix_level(&m, row_at(1, REGION_ANON), 8);
	matrix_drop(&m, is_low, &limit, dropped);
	assert_int_equal(dropped[LAYER_minor], 11);
	assert_int_equal(m.total[LAYER_minor], 2);
	matrix_add(&m, row_at(9, REGION_ANON), LAYER_minor, 3);
	matrix_finish(&m);
	assert_int_equal(m.row_count, 1);
	assert_int_equal(m.cell_count, 1);
	assert_int_equal(cell_at(0, 0)->value[LAYER_minor], 5);
}

/* Two address spaces: one unit of each has nothing to do with the other, and is not joined with it. */
static void processes_have_rows_of_their_own(void **state)
{
	(void)state;
	matrix_at(&m, 1);
	for (unsigned i = 0; i < MATRIX_ROWS; i++) {
		matrix_add(&m, row_of(5, 2 * MATRIX_ROWS + i, REGION_ANON), LAYER_minor, 1);
		matrix_add(&m, row_of(2, 2 * MATRIX_ROWS + i, REGION_ANON), LAYER_minor, 10);
	}
	assert_int_equal(row_of(5, 2 * MATRIX_ROWS, REGION_ANON)->total[LAYER_minor], 1);
	matrix_finish(&m);
	assert_int_equal(m.row_bytes, 2 * PC_UNIT);
	assert_int_equal(m.row_count, MATRIX_ROWS);
	for (size_t i = 0; i < m.row_count; i++) {
		const bool first = i < m.row_count / 2;

		assert_int_equal(m.row[i].process, first ? 2 : 5);
		assert_int_equal(m.row[i].total[LAYER_minor], first ? 20 : 2);
	}
}

/* However their places in the table fall together. */
static void one_address_is_a_row_in_each_process(void **state)
{
	(void)state;
	matrix_at(&m, 1);
	for (uint32_t i = 0; i < MATRIX_ROWS; i++) {
		for (uint32_t unit = 0; unit < 16; unit++)
			matrix_add(&m, row_of(i, unit, REGION_ANON), LAYER_major, 1);
		matrix_add(&m, row_of(i, 7, REGION_ANON), LAYER_minor, 1 + i);
	}
	for (uint32_t i = 0; i < MATRIX_ROWS; i++)
		for (uint32_t unit = 0; unit < 16; unit++)
			assert_int_equal(row_of(i, unit, REGION_ANON)->total[LAYER_major], 1);
	for (uint32_t i = 0; i < MATRIX_ROWS; i++)
		assert_int_equal(row_of(i, 7, REGION_ANON)->total[LAYER_minor], 1 + i);
	matrix_finish(&m);
	/* Joined as far as each process allows, and never with another's. */
	assert_int_equal(m.row_count, MATRIX_ROWS);
	for (uint32_t i = 0; i < MATRIX_ROWS; i++) {
		assert_int_equal(m.row[i].process, i);
		assert_int_equal(m.row[i].total[LAYER_minor], 1 + i);
		assert_int_equal(m.row[i].total[LAYER_major], 16);
	}
}

static void nothing_is_a_map_too(void **state)
{
	(void)state;
	matrix_at(&m, 5 * PC_SEC);
	row_at(4, REGION_ANON);
	matrix_finish(&m);
	assert_int_equal(m.row_count, 0);
	assert_int_equal(m.cell_count, 0);
	assert_false(m.failed);
}

/* Against sums kept in the simplest way, over a record that is joined in both directions. */
static void no_count_is_lost(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	uint64_t expected[LAYERS] = {0}, *by_unit = calloc(4 * MATRIX_ROWS, sizeof(*by_unit));
	pc_ns now = 0;

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	srandom(seed);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned unit = (unsigned)random() % (4 * MATRIX_ROWS),
			 n = (unsigned)random() % 512;
		enum layer layer = (enum layer)(random() % LAYER_LEVEL);

		now += (pc_ns)(random() % (20 * (long)PC_MS));
		matrix_at(&m, now);
		matrix_add(&m, row_at(unit, REGION_ANON), layer, n);
		expected[layer] += n;
		by_unit[unit] += n;
	}
	matrix_finish(&m);
	for (unsigned layer = 0; layer < LAYER_LEVEL; layer++) {
		assert_int_equal(sum_of_cells((enum layer)layer), expected[layer]);
		assert_int_equal(m.total[layer], expected[layer]);
	}
	assert_in_range(m.row_count, 1, MATRIX_ROWS);
	for (size_t i = 0; i < m.row_count; i++) {
		uint64_t first = m.row[i].start / m.row_bytes * (m.row_bytes / PC_UNIT), sum = 0;

		for (uint64_t u = first; u < first + m.row_bytes / PC_UNIT; u++)
			sum += by_unit[u];
		for (unsigned layer = 0; layer < LAYER_LEVEL; layer++)
			sum -= m.row[i].total[layer];
		assert_int_equal(sum, 0);
	}
	free(by_unit);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(counts_fall_into_the_column_of_their_time),
	    TEST(a_long_record_has_coarser_columns),
	    TEST(levels_hold_and_the_last_of_a_column_counts),
	    TEST(levels_of_joined_rows_are_summed),
	    TEST(rows_of_two_regions_are_not_joined),
	    TEST(dropped_rows_take_their_counts_along),
	    TEST(processes_have_rows_of_their_own),
	    TEST(one_address_is_a_row_in_each_process),
	    TEST(nothing_is_a_map_too),
	    TEST(no_count_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
