/*
 * The program's threads: what is known of them keeps their control blocks where they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "state/thread.h"

#include <pthread.h>
#include <unistd.h>

#define TAKER	4711
#define CONTROL 0x7f0000403a40ull
#define STACK	0x7f0000400080ull
#define START	0x7f0000400000ull /* of a mapping that holds both, and more */
#define END	(START + 4 * PC_UNIT)
#define ABOVE	page_floor(CONTROL + CONTROL_AFTER)

static bool over; /* the take */
static int dead; /* the one thread that is not alive */
static int asked;

static int start(void **unused)
{
	(void)unused;
	dead = 0;
	asked = 0;
	thread_set_home((struct pc_span){0, 0});
	thread_reset();
	return 0;
}

static bool alive(int tid)
{
	asked++;
	return tid != dead;
}

/* Once dead, then alive: its number was given to a new thread meanwhile. */
static bool alive_again(int tid)
{
	return tid != dead || asked++;
}

static void test_a_thread_is_known_until_it_dies(void **unused)
{
	(void)unused;
	assert_false(thread_known(7));
	assert_true(thread_add(7, CONTROL, STACK));
	assert_true(thread_add(8, CONTROL + PC_UNIT, STACK + PC_UNIT));
	assert_true(thread_known(7));
	thread_prune(alive);
	assert_true(thread_known(7));
	dead = 7;
	thread_prune(alive);
	assert_false(thread_known(7));
	assert_true(thread_known(8));
	assert_int_equal(thread_top(START, START + PC_UNIT), START);
}

static void test_a_number_reborn_stays_known(void **unused)
{
	(void)unused;
	dead = 7;
	thread_add(7, CONTROL, STACK);
	thread_prune(alive_again);
	assert_true(thread_known(7));
}

static void test_what_lies_above_a_block_is_no_threads(void **unused)
{
	(void)unused;
	assert_int_equal(thread_top(START, END), START);
	thread_add(7, CONTROL, STACK);
	assert_int_equal(thread_top(START, END), ABOVE);
	assert_int_equal(thread_top(START, ABOVE), ABOVE);
	assert_true(thread_top(START, CONTROL + 1) >= CONTROL + 1);
	assert_int_equal(thread_top(ABOVE, END), ABOVE);
	assert_int_equal(thread_top(0, page_floor(STACK)), 0);
	thread_add(8, CONTROL + PC_UNIT, STACK + PC_UNIT);
	assert_int_equal(thread_top(START, END), ABOVE + PC_UNIT);
	thread_add(9, CONTROL + PC_PAGE, STACK);
	assert_int_equal(thread_top(START, END), ABOVE + PC_UNIT);
}

/* Of a stack without its block, a block without its stack, a stack above its block. */
static void test_a_mapping_where_it_cannot_be_told_is_left_out(void **unused)
{
	const pc_addr border = page_floor(CONTROL);

	(void)unused;
	thread_add(7, CONTROL, STACK);
	assert_int_equal(thread_top(START, border), border);
	assert_int_equal(thread_top(border, END), END);
	thread_add(7, CONTROL, CONTROL);
	assert_int_equal(thread_top(START, END), END);
	thread_add(7, CONTROL, CONTROL + PC_PAGE);
	assert_int_equal(thread_top(START, END), END);
	thread_add(8, CONTROL + PC_UNIT, STACK + PC_UNIT);
	assert_int_equal(thread_top(START, END), END);
}

/* The loader's mapping, beside which the program's own comes to lie. */
static void test_home_says_nothing_of_what_lies_beside(void **unused)
{
	const struct pc_span home = {page_floor(CONTROL), page_floor(CONTROL) + PC_PAGE};

	(void)unused;
	thread_set_home(home);
	thread_add(7, CONTROL, CONTROL);
	assert_int_equal(thread_top(START, END), START);
	thread_add(8, home.end, home.end);
	assert_int_equal(thread_top(START, END), END);
	assert_int_equal(thread_top(home.start, home.end), home.start);
	thread_add(8, home.start - 1, CONTROL);
	assert_int_equal(thread_top(START, END), END);
	thread_add(8, CONTROL, home.start - 1);
	assert_int_equal(thread_top(START, END), END);
	thread_reset();
	assert_int_equal(thread_home().start, home.start);
	assert_int_equal(thread_home().end, home.end);
}

static void test_a_thread_that_is_added_again_has_moved(void **unused)
{
	(void)unused;
	thread_add(7, CONTROL, STACK);
	thread_add(7, CONTROL + PC_UNIT, STACK + PC_UNIT);
	assert_int_equal(thread_top(START, START + PC_UNIT), START);
	assert_int_equal(thread_top(START, END), ABOVE + PC_UNIT);
}

/* Of the first thread, and of one made by hand, no stack is known: nor is their child's. */
static void test_in_a_child_the_thread_that_forked_lives_on(void **unused)
{
	(void)unused;
	thread_add(7, CONTROL, STACK);
	thread_add(8, CONTROL + PC_UNIT, STACK + PC_UNIT);
	thread_fork_child(9, CONTROL);
	assert_false(thread_known(7));
	assert_false(thread_known(8));
	assert_true(thread_known(9));
	assert_int_equal(thread_top(START, END), ABOVE);
	thread_fork_child(10, CONTROL);
	assert_int_equal(thread_top(START, END), ABOVE);
	thread_fork_child(11, CONTROL + PC_PAGE);
	assert_true(thread_known(11));
	assert_int_equal(thread_top(START, END), END);
}

static unsigned marked(const uint64_t *pages)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES / 64; i++)
		n += (unsigned)__builtin_popcountll(pages[i]);
	return n;
}

static bool is_marked(const uint64_t *pages, pc_addr at)
{
	return pages[page_in_unit(at) / 64] >> (page_in_unit(at) % 64) & 1;
}

static void test_the_pages_around_a_block_are_marked(void **unused)
{
	uint64_t pages[PC_UNIT_PAGES / 64] = {0};

	(void)unused;
	thread_add(7, CONTROL, STACK);
	thread_mark(unit_floor(CONTROL), pages);
	assert_true(is_marked(pages, CONTROL - CONTROL_BEFORE));
	assert_true(is_marked(pages, CONTROL));
	assert_true(is_marked(pages, CONTROL + PC_PAGE));
	assert_int_equal(marked(pages), (CONTROL_BEFORE + CONTROL_AFTER) / PC_PAGE);
	memset(pages, 0, sizeof(pages));
	thread_mark(unit_floor(CONTROL) + 2 * PC_UNIT, pages);
	assert_int_equal(marked(pages), 0);
}

static void test_a_block_at_the_border_marks_both_units(void **unused)
{
	uint64_t low[PC_UNIT_PAGES / 64] = {0}, high[PC_UNIT_PAGES / 64] = {0};
	const pc_addr border = unit_floor(CONTROL) + PC_UNIT;

	(void)unused;
	thread_add(7, border, STACK);
	thread_mark(border - PC_UNIT, low);
	thread_mark(border, high);
	assert_int_equal(marked(low), CONTROL_BEFORE / PC_PAGE);
	assert_int_equal(marked(high), CONTROL_AFTER / PC_PAGE);
	assert_true(is_marked(low, border - PC_PAGE));
	assert_true(is_marked(high, border));
}

static void test_births_are_counted(void **unused)
{
	(void)unused;
	assert_false(thread_being_made());
	thread_creating(alive);
	thread_creating(alive);
	thread_created();
	assert_true(thread_being_made());
	thread_created();
	assert_false(thread_being_made());
}

static void test_nothing_is_taken_while_a_thread_is_made(void **unused)
{
	(void)unused;
	thread_creating(alive);
	assert_false(thread_take_begin(TAKER));
	thread_created();
	assert_true(thread_take_begin(TAKER));
	thread_take_end();
}

static void *take_a_while(void *us)
{
	usleep((useconds_t)(uintptr_t)us);
	store_release(&over, true);
	thread_take_end();
	return NULL;
}

static void make_during(uintptr_t us)
{
	pthread_t taker;

	store_release(&over, false);
	assert_true(thread_take_begin(TAKER));
	assert_int_equal(pthread_create(&taker, NULL, take_a_while, (void *)us), 0);
	thread_creating(alive);
	assert_true(load_acquire(&over));
	assert_int_equal(pthread_join(taker, NULL), 0);
	assert_false(thread_take_begin(TAKER));
}

static void test_a_thread_is_made_when_the_take_is_over(void **unused)
{
	(void)unused;
	make_during(50 * 1000);
	assert_int_equal(asked, 0);
}

/* The whole process was, or the thread that takes. */
static void test_a_take_that_was_stopped_is_waited_for(void **unused)
{
	(void)unused;
	make_during(TAKE_PATIENCE / 1000 * 3 / 2);
	assert_true(asked > 0);
}

static void *make_one(void *unused)
{
	thread_creating(alive);
	return unused;
}

/* One that sleeps by then is woken, or it would do so until its patience ends. */
static void test_who_waits_for_a_take_is_woken(void **unused)
{
	pthread_t maker;
	pc_ns ended;

	(void)unused;
	assert_true(thread_take_begin(TAKER));
	assert_int_equal(pthread_create(&maker, NULL, make_one, NULL), 0);
	usleep(50 * 1000);
	ended = clock_now();
	thread_take_end();
	assert_int_equal(pthread_join(maker, NULL), 0);
	assert_in_range(clock_now() - ended, 0, TAKE_PATIENCE / 2);
}

/* As in the child of a fork that nobody saw. */
static void test_a_take_that_nobody_ends_is_not_waited_for_for_ever(void **unused)
{
	pc_ns begun = clock_now();

	(void)unused;
	dead = TAKER;
	assert_true(thread_take_begin(TAKER));
	thread_creating(alive);
	assert_in_range(clock_now() - begun, TAKE_PATIENCE, 100 * TAKE_PATIENCE);
}

static void test_a_child_has_no_take(void **unused)
{
	(void)unused;
	assert_true(thread_take_begin(TAKER));
	thread_fork_child(9, CONTROL);
	thread_creating(alive);
	thread_created();
	assert_true(thread_take_begin(TAKER));
}

static void test_a_full_table_is_remembered(void **unused)
{
	(void)unused;
	for (int tid = 1; tid <= (int)THREADS_MAX; tid++)
		assert_true(thread_add(tid, CONTROL, STACK));
	assert_false(thread_overflowed());
	dead = 5;
	thread_prune(alive);
	assert_true(thread_add(100000, CONTROL, STACK));
	assert_false(thread_overflowed());
	assert_false(thread_add(100001, CONTROL, STACK));
	assert_true(thread_overflowed());
	assert_false(thread_take_begin(TAKER));
	/* Who had no room is looked for again, and may find some now. */
	dead = 6;
	thread_prune(alive);
	assert_false(thread_overflowed());
	assert_true(thread_add(100001, CONTROL, STACK));
	assert_false(thread_add(100002, CONTROL, STACK));
	assert_true(thread_overflowed());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_thread_is_known_until_it_dies, start),
	    cmocka_unit_test_setup(test_a_number_reborn_stays_known, start),
	    cmocka_unit_test_setup(test_what_lies_above_a_block_is_no_threads, start),
	    cmocka_unit_test_setup(test_a_mapping_where_it_cannot_be_told_is_left_out, start),
	    cmocka_unit_test_setup(test_home_says_nothing_of_what_lies_beside, start),
	    cmocka_unit_test_setup(test_a_thread_that_is_added_again_has_moved, start),
	    cmocka_unit_test_setup(test_in_a_child_the_thread_that_forked_lives_on, start),
	    cmocka_unit_test_setup(test_the_pages_around_a_block_are_marked, start),
	    cmocka_unit_test_setup(test_a_block_at_the_border_marks_both_units, start),
	    cmocka_unit_test_setup(test_births_are_counted, start),
	    cmocka_unit_test_setup(test_nothing_is_taken_while_a_thread_is_made, start),
	    cmocka_unit_test_setup(test_a_thread_is_made_when_the_take_is_over, start),
	    cmocka_unit_test_setup(test_a_take_that_was_stopped_is_waited_for, start),
	    cmocka_unit_test_setup(test_who_waits_for_a_take_is_woken, start),
	    cmocka_unit_test_setup(test_a_take_that_nobody_ends_is_not_waited_for_for_ever, start),
	    cmocka_unit_test_setup(test_a_child_has_no_take, start),
	    cmocka_unit_test_setup(test_a_full_table_is_remembered, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
