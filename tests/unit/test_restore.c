/*
 * A fault in memory that the kernel will not fill. Its thread is sent back to look again, for the
 * layout may have changed; but not for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "flow/restore.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define START 0x7d0000000000ull
#define UNITS 4u
#define MANY  200000u /* more than any layout change takes */
#define FEW   1000u

static struct restorer restorer;
static struct {
	bool fills;
	unsigned asked, woken;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != __NR_ioctl)
		return __real_sys_call(nr, a, b, c, d, e, f);
	if (b == (long)UFFDIO_WAKE) {
		played.woken++;
		return 0;
	}
	assert_int_equal(b, (long)UFFDIO_ZEROPAGE);
	played.asked++;
	return played.fills ? 0 : -ENOENT;
}

static void touch(unsigned page, unsigned times)
{
	const pc_addr at = START + page * PC_PAGE;
	const struct uffd_event fault = {.kind = UFFD_FAULT, .start = at, .end = at + PC_PAGE};

	for (unsigned i = 0; i < times; i++)
		assert_int_equal(restore_fault(&restorer, &fault), RESTORE_DONE);
}

static int begin(void **state)
{
	void *table = mmap(NULL, range_table_bytes(UNITS), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (table == MAP_FAILED)
		return -1;
	range_start(table, UNITS);
	gate_reset(&world.gate, GATE_PAGER0 + 1);
	unit_set_registered(range_ensure(START), 0, 2, true);
	restorer = (struct restorer){.slot = GATE_PAGER0, .shard = 1};
	played.fills = false;
	played.asked = played.woken = 0;
	return 0;
}

static void a_hole_is_filled(void **state)
{
	(void)state;
	played.fills = true;
	touch(0, 1);
	assert_int_equal(played.asked, 1);
	assert_int_equal(played.woken, 0);
}

static void who_finds_no_mapping_looks_again(void **state)
{
	(void)state;
	touch(0, FEW);
	assert_int_equal(played.asked, FEW);
	assert_int_equal(played.woken, FEW);
}

/* Two pages in turn are two threads, or one that comes forward. */
static void looking_elsewhere_begins_anew(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		touch(i % 2, 1);
	assert_int_equal(played.woken, MANY);
}

static void looking_again_for_ever_ends_the_process(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_return_code(pid, errno);
	if (!pid) {
		close(2);
		touch(0, MANY);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_hole_is_filled, begin),
	    cmocka_unit_test_setup(who_finds_no_mapping_looks_again, begin),
	    cmocka_unit_test_setup(looking_elsewhere_begins_anew, begin),
	    cmocka_unit_test_setup(looking_again_for_ever_ends_the_process, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
