/* Who comes from whom, while processes come and go and their numbers are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/lineage.h"

static void expect(const struct lineages *l, uint32_t pid, uint32_t root, uint32_t generation)
{
	const struct lineage found = lineage_of(l, pid);

	assert_int_equal(found.pid, pid);
	assert_int_equal(found.root, root);
	assert_int_equal(found.generation, generation);
}

static void generations_are_counted_from_the_first_that_was_seen(void **state)
{
	struct lineages l = {0};

	(void)state;
	expect(&l, 7, 7, 0);
	assert_true(lineage_born(&l, 9, 7));
	assert_true(lineage_born(&l, 8, 9));
	assert_true(lineage_born(&l, 20, 8));
	assert_true(lineage_born(&l, 5, 7));
	expect(&l, 9, 7, 1);
	expect(&l, 8, 7, 2);
	expect(&l, 20, 7, 3);
	expect(&l, 5, 7, 1);
	lineages_free(&l);
}

static void the_end_of_a_parent_changes_nothing_for_its_children(void **state)
{
	struct lineages l = {0};

	(void)state;
	assert_true(lineage_born(&l, 9, 7));
	assert_true(lineage_born(&l, 10, 9));
	lineage_ended(&l, 9);
	lineage_ended(&l, 7);
	expect(&l, 10, 7, 2);
	expect(&l, 9, 9, 0);
	/* The number again, of somebody else's child. */
	assert_true(lineage_born(&l, 9, 3));
	assert_true(lineage_born(&l, 10, 3));
	expect(&l, 9, 3, 1);
	expect(&l, 10, 3, 1);
	lineages_free(&l);
}

#define PIDS 512u

/* Against one entry a number. */
static void a_random_crowd_agrees_with_the_obvious_table(void **state)
{
	struct lineage table[PIDS] = {{0}};
	struct lineages l = {0};
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 1;

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	for (uint32_t i = 0; i < PIDS; i++)
		table[i] = (struct lineage){i, i, 0};
	for (int step = 0; step < 20000; step++) {
		const uint32_t pid = (uint32_t)rand_r(&seed) % PIDS;
		const uint32_t parent = (uint32_t)rand_r(&seed) % PIDS;

		if (rand_r(&seed) % 3) {
			const struct lineage from = table[parent];

			assert_true(lineage_born(&l, pid, parent));
			table[pid] = (struct lineage){pid, from.root, from.generation + 1};
		} else {
			lineage_ended(&l, pid);
			table[pid] = (struct lineage){pid, pid, 0};
		}
		expect(&l, parent, table[parent].root, table[parent].generation);
		expect(&l, pid, table[pid].root, table[pid].generation);
	}
	lineages_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(generations_are_counted_from_the_first_that_was_seen),
	    cmocka_unit_test(the_end_of_a_parent_changes_nothing_for_its_children),
	    cmocka_unit_test(a_random_crowd_agrees_with_the_obvious_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
