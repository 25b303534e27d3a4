/*
 * The two locks, under real threads: nobody is inside with whom he must not be, nobody is left
 * behind asleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/lock.h"

#define THREADS 4u
#define ROUNDS	20000u
#define SLOTS	3u

static struct lock lock;
static struct rwgate gate;
static uint64_t plain, mirror; /* written together, so that a torn pair shows */
static uint32_t torn, inside;

static void run(void *(*fn)(void *), unsigned threads)
{
	pthread_t id[THREADS];

	for (uintptr_t i = 0; i < threads; i++)
		assert_int_equal(pthread_create(&id[i], NULL, fn, (void *)i), 0);
	for (unsigned i = 0; i < threads; i++)
		assert_int_equal(pthread_join(id[i], NULL), 0);
}

static int start(void **unused)
{
	(void)unused;
	lock_reset(&lock);
	gate_reset(&gate, SLOTS);
	plain = mirror = 0;
	torn = inside = 0;
	return 0;
}

static void step(void)
{
	plain++;
	if (plain % 64 == 0)
		sched_yield();
	torn += plain != ++mirror;
}

static void *count_locked(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		lock_take(&lock);
		step();
		lock_release(&lock);
	}
	return NULL;
}

static void test_a_lock_lets_one_in(void **unused)
{
	(void)unused;
	run(count_locked, THREADS);
	assert_int_equal(plain, THREADS * ROUNDS);
	assert_int_equal(torn, 0);
	assert_int_equal(lock.word, 0);
}

static void test_try_does_not_wait(void **unused)
{
	(void)unused;
	assert_true(lock_try(&lock));
	assert_false(lock_try(&lock));
	lock_release(&lock);
	assert_true(lock_try(&lock));
	lock_reset(&lock);
	assert_true(lock_try(&lock));
	lock_release(&lock);
}

/* The first SLOTS threads read, the last one writes. */
static void *use_gate(void *number)
{
	unsigned slot = (unsigned)(uintptr_t)number;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (slot == SLOTS) {
			gate_close(&gate);
			torn += load_relaxed(&inside) != 0;
			step();
			gate_open(&gate);
			continue;
		}
		gate_enter(&gate, slot);
		add_acq_rel(&inside, 1);
		if (plain != mirror)
			add_acq_rel(&torn, 1);
		if (i % 64 == 0)
			sched_yield();
		sub_acq_rel(&inside, 1);
		gate_leave(&gate, slot);
	}
	return NULL;
}

static void test_who_closes_the_gate_is_alone(void **unused)
{
	(void)unused;
	run(use_gate, SLOTS + 1);
	assert_int_equal(torn, 0);
	assert_int_equal(plain, ROUNDS);
	assert_int_equal(gate.closed, 0);
}

static void test_a_closed_gate_is_seen_from_outside(void **unused)
{
	(void)unused;
	gate_reset(&gate, 1);
	assert_false(gate_closed(&gate));
	gate_close(&gate);
	assert_true(gate_closed(&gate));
	gate_open(&gate);
	assert_false(gate_closed(&gate));
}

static void *close_and_open(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		gate_close(&gate);
		step();
		gate_open(&gate);
	}
	return NULL;
}

static void test_writers_exclude_each_other(void **unused)
{
	(void)unused;
	run(close_and_open, 3);
	assert_int_equal(torn, 0);
	assert_int_equal(plain, 3 * (ROUNDS / 4));
}

static void test_readers_do_not_wait_for_each_other(void **unused)
{
	(void)unused;
	gate_enter(&gate, 0);
	gate_enter(&gate, 1);
	gate_enter(&gate, 2);
	gate_leave(&gate, 1);
	gate_leave(&gate, 0);
	gate_leave(&gate, 2);
}

static int status_of(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(2);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void enter_twice(void)
{
	gate_enter(&gate, 0);
	gate_enter(&gate, 0);
}

static void leave_unentered(void)
{
	gate_leave(&gate, 0);
}

static void enter_beyond(void)
{
	gate_enter(&gate, SLOTS);
}

/* The kernel refuses a word that is not aligned. */
static uint32_t words[2];

static void wake_nobody(void)
{
	wake_sleepers((uint32_t *)((char *)words + 1), 1);
}

static void test_misuse_ends_the_process(void **unused)
{
	void (*const wrong[])(void) = {enter_twice, leave_unentered, enter_beyond, wake_nobody};

	(void)unused;
	for (unsigned i = 0; i < PC_ARRAY_LEN(wrong); i++) {
		int status = status_of(wrong[i]);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

/* The three places where somebody waits, each at a gate of its own. */
static struct rwgate held[3];
static uint32_t waited[3]; /* in a row */

static void first_waited(unsigned waits)
{
	store_relaxed(&waited[0], waits);
}

static void second_waited(unsigned waits)
{
	store_relaxed(&waited[1], waits);
}

static void third_waited(unsigned waits)
{
	store_relaxed(&waited[2], waits);
}

static void *wait_at_one(void *number)
{
	const uintptr_t which = (uintptr_t)number;

	if (which == 0) {
		gate_enter(&held[0], 0);
		gate_leave(&held[0], 0);
		return NULL;
	}
	gate_close(&held[which]);
	gate_open(&held[which]);
	return NULL;
}

static void test_long_waits_are_told_of(void **unused)
{
	void (*const told[])(unsigned) = {first_waited, second_waited, third_waited};
	pthread_t id[3];

	(void)unused;
	for (unsigned i = 0; i < 3; i++) {
		gate_reset(&held[i], SLOTS);
		held[i].late = told[i];
	}
	gate_close(&held[0]);	 /* a reader waits for its opening */
	gate_enter(&held[1], 1); /* who closes waits for a reader */
	gate_close(&held[2]);	 /* who closes waits for another who has */
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&id[i], NULL, wait_at_one, (void *)i), 0);
	for (unsigned i = 0, ms = 0; i < 3; i++)
		for (; load_relaxed(&waited[i]) < 2; ms++) {
			assert_in_range(ms, 0, 20000);
			usleep(1000);
		}
	gate_open(&held[0]);
	gate_leave(&held[1], 1);
	gate_open(&held[2]);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(id[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_lock_lets_one_in, start),
	    cmocka_unit_test_setup(test_try_does_not_wait, start),
	    cmocka_unit_test_setup(test_who_closes_the_gate_is_alone, start),
	    cmocka_unit_test(test_a_closed_gate_is_seen_from_outside),
	    cmocka_unit_test_setup(test_writers_exclude_each_other, start),
	    cmocka_unit_test_setup(test_readers_do_not_wait_for_each_other, start),
	    cmocka_unit_test(test_long_waits_are_told_of),
	    cmocka_unit_test_setup(test_misuse_ends_the_process, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
