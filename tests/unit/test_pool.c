/*
 * The pager's own memory: zero, guarded, known, and refused in a way that leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/sys.h"

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

static long refused;  /* this system call fails */
static long unmapped; /* bytes given back */
static pc_addr taken; /* the program has everything from here on, if not 0, */
static pc_addr untaken; /* up to here */

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == refused)
		return -ENOMEM;
	if (nr == __NR_munmap)
		unmapped += b;
	if (nr == __NR_mmap && taken && (pc_addr)a < untaken && (pc_addr)(a + b) > taken)
		return -EEXIST;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static int start(void **unused)
{
	(void)unused;
	refused = -1;
	unmapped = 0;
	taken = untaken = 0;
	return 0;
}

static void test_memory_is_zero_and_can_be_written(void **unused)
{
	unsigned char *m = pool_map(5000, "test");

	(void)unused;
	assert_non_null(m);
	assert_int_equal((uintptr_t)m % PC_PAGE, 0);
	for (unsigned i = 0; i < 2 * PC_PAGE; i++)
		assert_int_equal(m[i], 0);
	memset(m, 1, 2 * PC_PAGE);
	pool_unmap(m);
}

static void test_the_pool_owns_guards_included(void **unused)
{
	pc_addr m = (pc_addr)pool_map(PC_PAGE, "test");

	(void)unused;
	assert_true(pool_owns(m, m + 1));
	assert_true(pool_owns(m - 1, m));
	assert_true(pool_owns(m + 2 * PC_PAGE - 1, m + 2 * PC_PAGE));
	assert_true(pool_owns(0, PC_ADDR_MAX));
	assert_false(pool_owns((pc_addr)&refused, (pc_addr)&refused + 8));
	pool_unmap((void *)m);
	assert_false(pool_owns(m, m + 1));
}

static void test_guards_cannot_be_touched(void **unused)
{
	volatile char *m = pool_map(PC_PAGE, "test");
	const long guards[] = {-1, PC_PAGE};

	(void)unused;
	for (unsigned i = 0; i < PC_ARRAY_LEN(guards); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			signal(SIGSEGV, SIG_DFL);
			m[guards[i]] = 1;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
			    WEXITSTATUS(status) != 0);
	}
	pool_unmap((void *)(uintptr_t)m);
}

static void test_a_refusal_leaves_nothing_behind(void **unused)
{
	size_t before = pool_reserved();

	(void)unused;
	refused = __NR_mmap;
	assert_null(pool_map(PC_PAGE, "test"));
	refused = __NR_mprotect;
	assert_null(pool_map(PC_PAGE, "test"));
	assert_int_equal(unmapped, 3 * PC_PAGE);
	assert_int_equal(pool_reserved(), before);
}

static void test_what_is_reserved_is_counted(void **unused)
{
	size_t before = pool_reserved();
	void *m = pool_map(3 * PC_PAGE, "test");

	(void)unused;
	assert_int_equal(pool_reserved(), before + 5 * PC_PAGE);
	pool_unmap(m);
	assert_int_equal(pool_reserved(), before);
	assert_int_equal(unmapped, 5 * PC_PAGE);
}

static void test_a_full_pool_refuses_and_takes_again(void **unused)
{
	void *m[POOL_REGIONS + 1];
	unsigned n = 0;

	(void)unused;
	while (n <= POOL_REGIONS && (m[n] = pool_map(PC_PAGE, "test")))
		n++;
	assert_int_equal(n, POOL_REGIONS);
	pool_unmap(m[5]);
	m[5] = pool_map(PC_PAGE, "test");
	assert_non_null(m[5]);
	while (n--)
		pool_unmap(m[n]);
}

static void test_unmapping_a_stranger_ends_the_process(void **unused)
{
	pid_t pid = fork();
	int status;

	(void)unused;
	if (pid == 0) {
		close(2);
		pool_unmap(&refused);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_the_regions_can_be_listed(void **state)
{
	struct pc_span before[POOL_REGIONS], after[POOL_REGIONS];
	uint32_t n = pool_spans(before, POOL_REGIONS);
	char *at = pool_map(3 * PC_PAGE, "listed");
	bool found = false;

	(void)state;
	assert_int_equal(pool_spans(after, POOL_REGIONS), n + 1);
	for (uint32_t i = 0; i <= n; i++)
		found |= after[i].start == (pc_addr)at - PC_PAGE &&
			 after[i].end == (pc_addr)at + 4 * PC_PAGE;
	assert_true(found);
	assert_int_equal(pool_spans(after, 0), 0);
	pool_unmap(at);
	assert_int_equal(pool_spans(after, POOL_REGIONS), n);
}

#define ROUNDS 1000u

/* As a room is, with each pass of repacking. */
static void test_what_comes_and_goes_does_not_move_on(void **unused)
{
	void *const first = pool_map(3 * PC_PAGE, "test");

	(void)unused;
	pool_unmap(first);
	for (unsigned i = 0; i < ROUNDS; i++) {
		void *m = pool_map(3 * PC_PAGE, "test");

		assert_ptr_equal(m, first);
		pool_unmap(m);
	}
}

static void test_what_stays_keeps_its_place(void **unused)
{
	char *below = pool_map(PC_PAGE, "test"), *above = pool_map(PC_PAGE, "test");

	(void)unused;
	assert_true(above > below);
	pool_unmap(below);
	below = pool_map(PC_PAGE, "test");
	assert_true(below > above);
	pool_unmap(below);
	pool_unmap(above);
}

#define PLACES	   (104ull << 40)
#define PLACES_END (112ull << 40)

static void assert_place(const void *m)
{
	assert_in_range((pc_addr)m, PLACES, PLACES_END);
}

static void test_a_place_that_is_taken_is_stepped_past(void **unused)
{
	char *m = pool_map(PC_PAGE, "test"), *theirs = m - PC_PAGE;

	(void)unused;
	pool_unmap(m);
	assert_ptr_equal(mmap(theirs, 9 * PC_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 theirs);
	*theirs = 1;
	m = pool_map(PC_PAGE, "test");
	assert_place(m);
	assert_true(m > theirs + 9 * PC_PAGE);
	assert_int_equal(*theirs, 1);
	pool_unmap(m);
	assert_int_equal(munmap(theirs, 9 * PC_PAGE), 0);
}

/* All behind the last place is the program's, but not all of what is before it. */
static void test_behind_the_last_place_comes_the_first(void **unused)
{
	char *low = pool_map(PC_PAGE, "test"), *high = pool_map(PC_PAGE, "test"), *m;

	(void)unused;
	pool_unmap(low);
	taken = (pc_addr)high;
	untaken = PLACES_END;
	m = pool_map(PC_PAGE, "test");
	assert_place(m);
	assert_true(m < high);
	pool_unmap(m);
	pool_unmap(high);
}

static void test_where_all_is_taken_nothing_is_mapped(void **unused)
{
	size_t before = pool_reserved();

	(void)unused;
	taken = PLACES;
	untaken = PLACES_END;
	assert_null(pool_map(PC_PAGE, "test"));
	assert_int_equal(pool_reserved(), before);
}

static void test_what_is_too_large_is_not_mapped(void **unused)
{
	(void)unused;
	assert_null(pool_map(PLACES_END - PLACES, "test"));
}

static bool can_be_written(void *at)
{
	int zero = (int)sys_open("/dev/zero", 0);
	long n = sys_read(zero, at, 1);

	sys_close(zero);
	return n == 1;
}

static void test_what_is_reserved_is_no_memory_before_it_is_committed(void **unused)
{
	unsigned char *m = pool_reserve(3 * PC_PAGE, "test");

	(void)unused;
	assert_non_null(m);
	assert_false(can_be_written(m));
	assert_true(pool_commit(m, PC_PAGE));
	assert_true(can_be_written(m));
	assert_false(can_be_written(m + PC_PAGE));
	refused = __NR_mprotect;
	assert_false(pool_commit(m + PC_PAGE, PC_PAGE));
	refused = __NR_madvise;
	assert_false(pool_commit(m + PC_PAGE, PC_PAGE));
	pool_unmap(m);
}

/* The kernel keeps what is locked; some users may lock less than a page. */
static void test_what_is_locked_is_emptied_as_well(void **unused)
{
	unsigned char *m = pool_map(2 * PC_PAGE, "test");

	(void)unused;
	memset(m, 1, 2 * PC_PAGE);
	/* By number: sanitizers do not lock. */
	if (SYS2(__NR_mlock, m, 2 * PC_PAGE) == 0)
		assert_int_equal(madvise(m, PC_PAGE, MADV_DONTNEED), -1);
	assert_int_equal(pool_empty(m, 2 * PC_PAGE), 0);
	assert_int_equal(m[0] | m[2 * PC_PAGE - 1], 0);
	pool_unmap(m);
	assert_int_equal(pool_empty(m, PC_PAGE), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_memory_is_zero_and_can_be_written, start),
	    cmocka_unit_test_setup(test_the_pool_owns_guards_included, start),
	    cmocka_unit_test_setup(test_guards_cannot_be_touched, start),
	    cmocka_unit_test_setup(test_a_refusal_leaves_nothing_behind, start),
	    cmocka_unit_test_setup(test_what_is_reserved_is_counted, start),
	    cmocka_unit_test_setup(test_a_full_pool_refuses_and_takes_again, start),
	    cmocka_unit_test_setup(test_the_regions_can_be_listed, start),
	    cmocka_unit_test_setup(test_unmapping_a_stranger_ends_the_process, start),
	    cmocka_unit_test_setup(test_what_comes_and_goes_does_not_move_on, start),
	    cmocka_unit_test_setup(test_what_stays_keeps_its_place, start),
	    cmocka_unit_test_setup(test_a_place_that_is_taken_is_stepped_past, start),
	    cmocka_unit_test_setup(test_behind_the_last_place_comes_the_first, start),
	    cmocka_unit_test_setup(test_where_all_is_taken_nothing_is_mapped, start),
	    cmocka_unit_test_setup(test_what_is_too_large_is_not_mapped, start),
	    cmocka_unit_test_setup(test_what_is_reserved_is_no_memory_before_it_is_committed,
				   start),
	    cmocka_unit_test_setup(test_what_is_locked_is_emptied_as_well, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
