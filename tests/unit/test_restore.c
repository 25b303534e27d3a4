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
	bool fills, no_memory;
	pc_ns step; /* of time, at each look at the clock */
	pc_ns now;
	unsigned asked, woken;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
pc_ns __wrap_clock_now(void);

pc_ns __wrap_clock_now(void)
{
	return played.now += played.step;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != __NR_ioctl)
		return __real_sys_call(nr, a, b, c, d, e, f);
	if (b == (long)UFFDIO_WAKE) {
		played.woken++;
		return 0;
	}
	assert_true(b == (long)UFFDIO_ZEROPAGE || b == (long)UFFDIO_COPY);
	played.asked++;
	return played.no_memory ? -ENOMEM : played.fills ? 0 : -ENOENT;
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
	assert_true(range_start(table, UNITS, NULL));
	gate_reset(&world.gate, GATE_PAGER0 + 1);
	unit_set_registered(range_ensure(START), 0, 2, true);
	restorer = (struct restorer){.slot = GATE_PAGER0, .shard = 1};
	played.fills = played.no_memory = false;
	played.asked = played.woken = 0;
	played.step = 0;
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

/* Races with discards that are lost now and then, as long as the program runs. */
static void looking_again_seldom_is_no_reason(void **state)
{
	(void)state;
	played.step = PC_SEC;
	touch(0, MANY);
	assert_int_equal(played.woken, MANY);
}

/* The gate is left for that: the program may be about to give memory back. */
static void nobody_waits_for_memory_here(void **state)
{
	const struct uffd_event write = {
	    .kind = UFFD_FAULT, .start = START, .end = START + PC_PAGE, .write = true};

	(void)state;
	played.no_memory = true;
	assert_int_equal(restore_fault(&restorer, &write), RESTORE_SHORT);
	assert_int_equal(played.asked, 1);
	assert_int_equal(page_state(unit_peek(range_find(START), 0)), PAGE_RESIDENT);
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
	    cmocka_unit_test_setup(looking_again_seldom_is_no_reason, begin),
	    cmocka_unit_test_setup(nobody_waits_for_memory_here, begin),
	    cmocka_unit_test_setup(looking_again_for_ever_ends_the_process, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
