/* The one way to die: with a line, by SIGABRT, whatever the program had made of that signal. */
#include "base/check.h"

#include "base/sys.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 10 /* seconds */

/* While set, the kernel sends no signal to a thread. */
static bool mute;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (mute && nr == __NR_tgkill)
		return -1;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

/* The status of a child that dies after `before`; what it says is in `line`. */
static int die_after(void (*before)(void), char *line, size_t size)
{
	int said[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(PATIENCE);
		dup2(said[1], 2);
		before();
		pc_fatal("nothing goes on", 0x1234, 7);
	}
	close(said[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = read(said[0], line, size - 1);
	assert_true(n > 0);
	line[n] = 0;
	close(said[0]);
	return status;
}

static void expect_abort(void (*before)(void))
{
	char line[256];
	int status = die_after(before, line, sizeof(line));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(line, "nothing goes on"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void nothing(void)
{
}

static void go_on(int number)
{
	(void)number;
	_exit(0);
}

static void handle(void)
{
	signal(SIGABRT, go_on);
}

static void ignore(void)
{
	signal(SIGABRT, SIG_IGN);
}

static void block(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void silence(void)
{
	mute = true;
}

static void test_it_ends_with_a_line(void **unused)
{
	(void)unused;
	expect_abort(nothing);
}

static void test_no_handler_holds_it_up(void **unused)
{
	(void)unused;
	expect_abort(handle);
	expect_abort(ignore);
}

static void test_nor_does_a_mask(void **unused)
{
	(void)unused;
	expect_abort(block);
}

static void test_without_signals_it_exits(void **unused)
{
	char line[256];
	int status;

	(void)unused;
	status = die_after(silence, line, sizeof(line));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 134);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_ends_with_a_line),
	    cmocka_unit_test(test_no_handler_holds_it_up),
	    cmocka_unit_test(test_nor_does_a_mask),
	    cmocka_unit_test(test_without_signals_it_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
