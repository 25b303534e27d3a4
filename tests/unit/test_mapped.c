#include "flow/mapped.h"

#include "base/sys.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AT(page) (0x7f0000000000ull + (page)*PC_PAGE)
#define ROUNDS	 200000u
#define TAKEN	 1000u

static int fresh(void **state)
{
	(void)state;
	mapped_reset();
	mapped_forget();
	return 0;
}

static void what_was_mapped_is_known_until_struck(void **state)
{
	pc_addr start = AT(0), end = AT(100);

	(void)state;
	assert_false(mapped_all(AT(10), AT(20)));
	mapped_add(AT(10), AT(15));
	mapped_add(AT(15), AT(20));
	assert_true(mapped_all(AT(10), AT(20)));
	assert_false(mapped_all(AT(9), AT(20)));
	mapped_remove(AT(12), AT(14));
	assert_false(mapped_all(AT(10), AT(20)));
	assert_true(mapped_piece(&start, &end));
	assert_int_equal(start, AT(10));
	assert_int_equal(end, AT(12));
	start = AT(15);
	end = AT(17);
	assert_true(mapped_piece(&start, &end));
	assert_int_equal(start, AT(15));
	assert_int_equal(end, AT(17));
	start = AT(20);
	end = AT(30);
	assert_false(mapped_piece(&start, &end));
}

static void what_is_held_is_not_taken(void **state)
{
	unsigned one, two;

	(void)state;
	mapped_add(AT(0), AT(20));
	one = mapped_hold(AT(2), AT(4));
	two = mapped_hold(AT(3), AT(6));
	assert_false(mapped_takeable(AT(0), AT(20)));
	assert_true(mapped_takeable(AT(6), AT(20)));
	mapped_release(one);
	assert_false(mapped_takeable(AT(3), AT(4)));
	mapped_release(two);
	assert_true(mapped_takeable(AT(0), AT(20)));
	assert_false(mapped_takeable(AT(0), AT(21)));
}

/* Every other page: more pieces than there is room for. What does not fit is forgotten. */
static void a_full_set_forgets(void **state)
{
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		mapped_add(AT(2 * i), AT(2 * i + 1));
	for (unsigned i = 0; i < 20000; i++)
		known += mapped_all(AT(2 * i), AT(2 * i + 1));
	assert_in_range(known, 1000, 19999);
	mapped_forget();
	mapped_add(AT(0), AT(60000));
	for (unsigned i = 0; i < 20000; i++) {
		mapped_remove(AT(3 * i + 1), AT(3 * i + 2));
		assert_false(mapped_takeable(AT(3 * i + 1), AT(3 * i + 2)));
	}
}

/*
 * One thread takes, the other unmaps and maps again. While the taker has been told that it may,
 * the other must not believe that nobody takes.
 */
static struct {
	int gone; /* the memory has been struck off and not come back */
	int done;
	unsigned taken, wrong;
} race;

static void *take(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&race.done, __ATOMIC_ACQUIRE)) {
		mapped_claim(unit_floor(AT(0)));
		if (mapped_takeable(AT(0), AT(4))) {
			__atomic_fetch_add(&race.taken, 1, __ATOMIC_RELAXED);
			for (unsigned i = 0; i < 20; i++)
				race.wrong +=
				    (unsigned)__atomic_load_n(&race.gone, __ATOMIC_SEQ_CST);
		}
		mapped_done();
	}
	return NULL;
}

static void who_strikes_waits_for_who_takes(void **state)
{
	pthread_t taker;

	(void)state;
	memset(&race, 0, sizeof(race));
	mapped_add(AT(0), AT(8));
	assert_int_equal(pthread_create(&taker, NULL, take, NULL), 0);
	for (unsigned i = 0; i < ROUNDS || __atomic_load_n(&race.taken, __ATOMIC_RELAXED) < TAKEN;
	     i++) {
		unsigned held = 0;

		if (i & 1)
			held = mapped_hold(AT(0), AT(8));
		else
			mapped_remove(AT(0), AT(8));
		__atomic_store_n(&race.gone, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&race.gone, 0, __ATOMIC_SEQ_CST);
		if (i & 1)
			mapped_release(held);
		else
			mapped_add(AT(0), AT(8));
	}
	__atomic_store_n(&race.done, 1, __ATOMIC_RELEASE);
	pthread_join(taker, NULL);
	print_message("taken %u times\n", race.taken);
	assert_int_equal(race.wrong, 0);
}

/* The same, one step after the other: whoever comes while it is taken returns when it is not. */
static struct {
	void (*change)(void);
	int begun, over;
} visitor;

static void strike(void)
{
	mapped_remove(AT(0), AT(1));
}

static void hold(void)
{
	mapped_release(mapped_hold(AT(0), AT(1)));
}

static void *visit(void *arg)
{
	(void)arg;
	__atomic_store_n(&visitor.begun, 1, __ATOMIC_SEQ_CST);
	visitor.change();
	__atomic_store_n(&visitor.over, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void assert_waits(void (*change)(void))
{
	const pc_ns patience = 100 * PC_MS;
	pthread_t thread;
	pc_ns until;

	visitor.change = change;
	visitor.begun = visitor.over = 0;
	mapped_claim(unit_floor(AT(0)));
	assert_int_equal(pthread_create(&thread, NULL, visit, NULL), 0);
	while (!__atomic_load_n(&visitor.begun, __ATOMIC_SEQ_CST))
		sys_yield();
	until = sys_monotonic() + patience;
	while (!__atomic_load_n(&visitor.over, __ATOMIC_SEQ_CST) && sys_monotonic() < until)
		sys_yield();
	assert_int_equal(__atomic_load_n(&visitor.over, __ATOMIC_SEQ_CST), 0);
	mapped_done();
	pthread_join(thread, NULL);
}

static void any_change_waits_until_it_is_not_taken(void **state)
{
	(void)state;
	mapped_add(AT(0), AT(8));
	assert_waits(strike);
	assert_waits(hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_was_mapped_is_known_until_struck, fresh),
	    cmocka_unit_test_setup(what_is_held_is_not_taken, fresh),
	    cmocka_unit_test_setup(a_full_set_forgets, fresh),
	    cmocka_unit_test_setup(who_strikes_waits_for_who_takes, fresh),
	    cmocka_unit_test_setup(any_change_waits_until_it_is_not_taken, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
