/* What waits in staging is read-only, and who needs it writable gets it so or is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/stats.h"
#include "base/sys.h"
#include "flow/seal.h"

#include <errno.h>
#include <sys/mman.h>

#define CHUNKS 2u

static struct chunk *chunk;
static bool refuses;
static unsigned calls;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != __NR_mprotect)
		return __real_sys_call(nr, a, b, c, d, e, f);
	calls++;
	return refuses ? -ENOMEM : __real_sys_call(nr, a, b, c, d, e, f);
}

/* Asked of the kernel, which writes there or does not. */
static bool is_writable(const struct chunk *c)
{
	int zero = (int)sys_open("/dev/zero", 0);
	long n = sys_read(zero, (void *)staging_chunk_addr(c), 8);

	sys_close(zero);
	assert_true(n == 8 || n == -EFAULT);
	return n == 8;
}

static int set_up(void **state)
{
	void *space = mmap(NULL, staging_space_bytes(CHUNKS), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *table = test_calloc(1, staging_table_bytes(CHUNKS));

	assert_ptr_not_equal(space, MAP_FAILED);
	assert_true(staging_start(space, table, CHUNKS, NULL));
	chunk = staging_open();
	refuses = false;
	calls = 0;
	*state = table;
	return 0;
}

static int tear_down(void **state)
{
	test_free(*state);
	return 0;
}

static void test_what_is_sealed_is_read_only(void **state)
{
	(void)state;
	assert_true(is_writable(chunk));
	seal_chunk(chunk);
	assert_false(is_writable(chunk));
	seal_chunk(chunk);
	assert_int_equal(calls, 1);
}

static void test_who_moves_pages_home_opens_it_once(void **state)
{
	(void)state;
	assert_true(seal_open(chunk));
	assert_int_equal(calls, 0);
	seal_chunk(chunk);
	assert_true(seal_open(chunk));
	assert_true(is_writable(chunk));
	assert_true(seal_open(chunk));
	assert_int_equal(calls, 2);
}

static void test_what_was_opened_is_sealed_again(void **state)
{
	(void)state;
	seal_chunk(chunk);
	assert_true(seal_open(chunk));
	seal_chunk(chunk);
	assert_false(is_writable(chunk));
}

/* The pager had made it writable before, and says so after the work thread has sealed it. */
static void test_a_late_word_does_not_keep_it_sealed(void **state)
{
	(void)state;
	seal_chunk(chunk);
	chunk->opened = 1;
	assert_true(seal_open(chunk));
	assert_false(is_writable(chunk));
	assert_true(seal_reopen(chunk));
	assert_true(is_writable(chunk));
	seal_chunk(chunk);
	chunk->opened = 1;
	assert_true(seal_break(chunk));
	assert_true(is_writable(chunk));
}

static void test_a_chunk_given_back_sealed_is_known_to_be(void **state)
{
	(void)state;
	seal_chunk(chunk);
	refuses = true;
	assert_false(seal_break(chunk));
	staging_free(chunk);
	refuses = false;
	assert_ptr_equal(staging_open(), chunk);
	assert_false(is_writable(chunk));
	assert_true(seal_break(chunk));
	assert_true(is_writable(chunk));
}

static void test_a_refusal_is_counted_and_tried_again(void **state)
{
	const uint64_t before = stats_get(PC_V_seal_failed);

	(void)state;
	refuses = true;
	seal_chunk(chunk);
	assert_int_equal(stats_get(PC_V_seal_failed), before + 1);
	assert_true(is_writable(chunk));
	assert_true(seal_open(chunk));
	refuses = false;
	seal_chunk(chunk);
	assert_false(is_writable(chunk));
	refuses = true;
	assert_false(seal_open(chunk));
	assert_false(is_writable(chunk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_is_sealed_is_read_only, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_who_moves_pages_home_opens_it_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_was_opened_is_sealed_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_late_word_does_not_keep_it_sealed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_chunk_given_back_sealed_is_known_to_be, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_a_refusal_is_counted_and_tried_again, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
