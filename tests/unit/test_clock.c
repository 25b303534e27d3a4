#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sys.h"

#define SLACK (2 * PC_MS)

/* The kernel's clock shows `at` at the moment `from`, and goes so much of its pace from there on. */
static struct {
	pc_ns from, at;
	unsigned thousandths;
} played = {.thousandths = 1000};

pc_ns __real_sys_monotonic(void);
pc_ns __wrap_sys_monotonic(void);

pc_ns __wrap_sys_monotonic(void)
{
	const pc_ns now = __real_sys_monotonic();

	return played.at + (now - played.from) * played.thousandths / 1000;
}

static void go_on(unsigned thousandths)
{
	const pc_ns at = sys_monotonic();

	played.from = __real_sys_monotonic();
	played.at = at;
	played.thousandths = thousandths;
}

static void sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* Between two readings of the kernel's clock, so that a preemption cannot fail the test. */
static void assert_near_monotonic(void)
{
	pc_ns before = sys_monotonic();
	pc_ns now = clock_now();
	pc_ns after = sys_monotonic();

	assert_in_range(now, before - SLACK, after + SLACK);
}

static void assert_is_monotonic(void)
{
	pc_ns before = sys_monotonic();
	pc_ns now = clock_now();
	pc_ns after = sys_monotonic();

	assert_in_range(now, before, after);
}

static void an_unsettled_clock_is_the_kernels(void **state)
{
	(void)state;
	clock_start();
	assert_is_monotonic();
}

/* A rate learnt from microseconds would by then be off by far more than a system call takes. */
static void settling_too_early_does_nothing(void **state)
{
	(void)state;
	clock_start();
	clock_settle();
	sleep_ms(200);
	assert_is_monotonic();
}

static void a_settled_clock_keeps_time(void **state)
{
	(void)state;
	clock_start();
	sleep_ms(50);
	clock_settle();
	assert_near_monotonic();
	sleep_ms(200);
	assert_near_monotonic();
	clock_settle();
	assert_near_monotonic();
}

static void a_settled_clock_never_goes_back(void **state)
{
	pc_ns last;

	(void)state;
	clock_start();
	last = clock_now();
	sleep_ms(20);
	clock_settle();
	for (int i = 0; i < 200000; i++) {
		pc_ns now = clock_now();

		assert_true(now >= last);
		last = now;
	}
}

static void settle_for(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		sleep_ms(20);
		clock_settle();
	}
}

static void settle_anew(void)
{
	clock_start();
	settle_for(1);
}

static void a_clock_that_is_slewed_is_followed(void **state)
{
	(void)state;
	for (unsigned pace = 990; pace <= 1010; pace += 20) {
		settle_anew();
		go_on(pace);
		settle_for(20);
		assert_near_monotonic();
	}
	go_on(1000);
}

static void a_slower_clock_is_followed_without_a_step_back(void **state)
{
	pc_ns last = 0;

	(void)state;
	settle_anew();
	go_on(999);
	for (unsigned i = 0; i < 10; i++) {
		const pc_ns until = __real_sys_monotonic() + 20 * PC_MS;

		while (__real_sys_monotonic() < until) {
			pc_ns now = clock_now();

			assert_true(now >= last);
			last = now;
		}
		clock_settle();
	}
	go_on(1000);
}

static void who_is_ahead_slows_down(void **state)
{
	pc_ns now;

	(void)state;
	settle_anew();
	go_on(990);
	sleep_ms(60);
	go_on(1000);
	settle_for(60);
	now = clock_now();
	assert_true(now < sys_monotonic() + PC_MS / 3);
}

/* As after a time in which the machine was suspended: the counter has gone on. */
static void after_a_jump_the_clock_is_the_kernels(void **state)
{
	(void)state;
	settle_anew();
	go_on(0);
	sleep_ms(100);
	go_on(1000);
	settle_for(1);
	assert_is_monotonic();
	settle_for(2);
	assert_near_monotonic();
}

/* Nobody has settled for long: by this clock twenty seconds. */
static void an_old_anchor_is_not_gone_by(void **state)
{
	(void)state;
	go_on(1000000);
	settle_anew();
	sleep_ms(20);
	go_on(0);
	sleep_ms(20);
	assert_is_monotonic();
	go_on(1000);
}

#define CANNOT_FORBID 77

static int use_the_clock_without_a_counter(void)
{
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		return CANNOT_FORBID;
	clock_start();
	sleep_ms(20);
	clock_settle();
	return !clock_has_tsc() && clock_now() ? 0 : 1;
}

/* In a child, for this process needs the counter in the other tests. */
static void a_forbidden_counter_is_left_alone(void **state)
{
	pid_t child = fork();
	int status = 0;

	(void)state;
	assert_true(child >= 0);
	if (!child)
		_exit(use_the_clock_without_a_counter());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_FORBID)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_unsettled_clock_is_the_kernels),
	    cmocka_unit_test(settling_too_early_does_nothing),
	    cmocka_unit_test(a_settled_clock_keeps_time),
	    cmocka_unit_test(a_settled_clock_never_goes_back),
	    cmocka_unit_test(a_clock_that_is_slewed_is_followed),
	    cmocka_unit_test(a_slower_clock_is_followed_without_a_step_back),
	    cmocka_unit_test(who_is_ahead_slows_down),
	    cmocka_unit_test(after_a_jump_the_clock_is_the_kernels),
	    cmocka_unit_test(an_old_anchor_is_not_gone_by),
	    cmocka_unit_test(a_forbidden_counter_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
