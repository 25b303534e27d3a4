/* What must stay: a set that is added to and removed from by place, and holds that end by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/exclude.h"

#define START	 0x7f0000000000ull
#define AT(page) (START + (uint64_t)(page)*PC_PAGE)
#define MOST	 4096u

static bool hits(unsigned page)
{
	return exclude_hits(AT(page), AT(page + 1));
}

/* What is mapped: all but the pages of one range. */
static struct pc_span hole;
static unsigned looks;

bool __wrap_vma_mapped(pc_addr start, pc_addr end);

bool __wrap_vma_mapped(pc_addr start, pc_addr end)
{
	looks++;
	assert_true(start < end && !(start % PC_PAGE) && !(end % PC_PAGE));
	return start >= hole.end || end <= hole.start;
}

static int begin(void **state)
{
	(void)state;
	hole = (struct pc_span){0, 0};
	looks = 0;
	exclude_reset();
	return exclude_remove(0, PC_ADDR_MAX) ? 0 : -1;
}

static void the_set_goes_by_place(void **state)
{
	(void)state;
	assert_true(exclude_add(AT(2) + 1, AT(4) - 1));
	assert_false(hits(1));
	assert_true(hits(2) && hits(3));
	assert_false(hits(4));
	assert_true(exclude_remove(AT(2), AT(3)));
	assert_false(hits(2));
	assert_true(hits(3));
}

/* One call has moved memory away from there, another works on what was mapped there since. */
static void the_end_of_one_call_does_not_expose_the_other(void **state)
{
	uint32_t first = exclude_hold(AT(2), AT(6)), second = exclude_hold(AT(4), AT(8));

	(void)state;
	assert_true(first && second && first != second);
	exclude_release(first);
	assert_false(hits(3));
	assert_true(hits(4) && hits(7));
	exclude_remove(AT(0), AT(16));
	assert_true(hits(4));
	exclude_release(second);
	assert_false(hits(4));
}

static void a_child_has_none_of_its_parents_holds(void **state)
{
	uint32_t parents = exclude_hold(AT(2), AT(4)), own;

	(void)state;
	exclude_add(AT(8), AT(9));
	exclude_reset();
	assert_false(hits(2));
	assert_true(hits(8));
	own = exclude_hold(AT(2), AT(4));
	exclude_release(parents);
	assert_true(hits(2));
	exclude_release(own);
	assert_false(hits(2));
}

static void too_many_at_once_are_refused(void **state)
{
	uint32_t last = 0, number, count = 0;

	(void)state;
	while ((number = exclude_hold(AT(count), AT(count + 1)))) {
		last = number;
		count++;
	}
	assert_in_range(count, 16, 1024);
	exclude_release(0);
	assert_int_equal(exclude_hold(AT(0), AT(1)), 0);
	exclude_release(last);
	assert_int_not_equal(exclude_hold(AT(0), AT(1)), 0);
}

/* Fills the set with single pages, each second one. */
static void fill(void)
{
	unsigned i = 0;

	while (exclude_add(AT(2 * i), AT(2 * i + 1)))
		i++;
	assert_int_equal(i, MOST);
}

static void what_is_unmapped_makes_room(void **state)
{
	(void)state;
	fill();
	hole = (struct pc_span){AT(2), AT(4)};
	assert_true(exclude_add(AT(2 * MOST), AT(2 * MOST + 1)));
	assert_false(hits(2));
	assert_true(hits(0) && hits(4) && hits(2 * MOST));
	assert_false(exclude_add(AT(2 * MOST + 2), AT(2 * MOST + 3)));
	assert_int_equal(exclude_hits(AT(2 * MOST + 2), AT(2 * MOST + 3)), 0);
}

static void what_is_unmapped_in_part_stays_in_part(void **state)
{
	(void)state;
	assert_true(exclude_add(AT(0), AT(100)));
	hole = (struct pc_span){AT(37), AT(41)};
	exclude_prune();
	for (unsigned page = 0; page < 100; page++)
		assert_int_equal(hits(page), page < 37 || page >= 41);
}

/* However much it is, no go takes long, and in the end all of it is gone. */
static void much_goes_in_several_goes(void **state)
{
	unsigned goes = 0;

	(void)state;
	assert_true(exclude_add(AT(0), AT(50000)));
	assert_true(exclude_add(AT(60000), AT(60001)));
	hole = (struct pc_span){AT(0), AT(50000)};
	for (; exclude_hits(AT(0), AT(50000)); goes++) {
		looks = 0;
		exclude_prune();
		assert_in_range(looks, 1, 4 * MOST);
	}
	assert_in_range(goes, 2, 50);
	assert_true(hits(60000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_set_goes_by_place, begin),
	    cmocka_unit_test_setup(the_end_of_one_call_does_not_expose_the_other, begin),
	    cmocka_unit_test_setup(a_child_has_none_of_its_parents_holds, begin),
	    cmocka_unit_test_setup(too_many_at_once_are_refused, begin),
	    cmocka_unit_test_setup(what_is_unmapped_makes_room, begin),
	    cmocka_unit_test_setup(what_is_unmapped_in_part_stays_in_part, begin),
	    cmocka_unit_test_setup(much_goes_in_several_goes, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
