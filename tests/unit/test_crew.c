/* A thread that the kernel refuses for the moment is asked for again; one that it does not allow is not. */
#include "crew.h"

#include "base/sys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	unsigned asked;
	unsigned refusals; /* that come first */
	long refusal;
} played;

static struct crew_member member;
static uint32_t ran;

long __real_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid);
long __wrap_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid);

long __wrap_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid)
{
	if (played.asked++ < played.refusals)
		return played.refusal;
	return __real_sys_thread(fn, arg, top, tls, tid);
}

static int run(void *arg)
{
	*(uint32_t *)arg = 1;
	return 0;
}

static int start_after(unsigned refusals, long refusal)
{
	ran = played.asked = 0;
	played.refusals = refusals;
	played.refusal = refusal;
	return crew_start(&member, "test", run, &ran);
}

static void expect_run(void)
{
	crew_join(&member);
	assert_int_equal(ran, 1);
}

static void test_it_runs(void **unused)
{
	(void)unused;
	assert_int_equal(start_after(0, 0), 0);
	expect_run();
	assert_int_equal(played.asked, 1);
}

static void test_it_runs_once_it_may(void **unused)
{
	(void)unused;
	assert_int_equal(start_after(3, -EAGAIN), 0);
	expect_run();
	assert_int_equal(played.asked, 4);
}

/* Joining one that does not run takes no time. */
static void test_nobody_waits_for_ever(void **unused)
{
	const pc_ns begun = sys_monotonic();

	(void)unused;
	assert_int_equal(start_after(UINT32_MAX, -EAGAIN), -EAGAIN);
	assert_true(sys_monotonic() - begun < 10 * PC_SEC);
	crew_join(&member);
	assert_int_equal(ran, 0);
}

/* Until it may again. */
static void test_nobody_waits_twice(void **unused)
{
	(void)unused;
	assert_int_equal(start_after(UINT32_MAX, -EAGAIN), -EAGAIN);
	assert_int_equal(start_after(1, -EAGAIN), -EAGAIN);
	assert_int_equal(played.asked, 1);
	assert_int_equal(start_after(0, 0), 0);
	expect_run();
	assert_int_equal(start_after(3, -EAGAIN), 0);
	expect_run();
}

static void test_who_may_not_is_not_kept(void **unused)
{
	(void)unused;
	assert_int_equal(start_after(UINT32_MAX, -EPERM), -EPERM);
	assert_int_equal(played.asked, 1);
	crew_join(&member);
}

/* Since it ended by itself its number has become another thread's: this one's, for one. */
static void test_another_thread_is_not_waited_for(void **unused)
{
	(void)unused;
	assert_int_equal(start_after(0, 0), 0);
	while (crew_tid(&member))
		sys_yield();
	member.tid = (int)sys_gettid();
	alarm(60);
	expect_run();
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_runs),
	    cmocka_unit_test(test_it_runs_once_it_may),
	    cmocka_unit_test(test_nobody_waits_for_ever),
	    cmocka_unit_test(test_nobody_waits_twice),
	    cmocka_unit_test(test_who_may_not_is_not_kept),
	    cmocka_unit_test(test_another_thread_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
