/*
 * What a move has moved is looked at where the kernel did not report all: Linux 6.18 may have moved
 * more than it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/stats.h"
#include "base/sys.h"
#include "flow/move.h"
#include "flow/world.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define FROM  0x7d0000000000ull
#define TO    0x7e0000001000ull
#define PAGES 8u

static struct {
	unsigned moved;	  /* of PAGES, from the first on */
	long reported;	  /* pages, or -errno */
	bool both;	  /* the source keeps what the destination has, or has other memory */
	bool neither;	  /* the destination has nothing */
	unsigned unknown; /* questions that the kernel has no answer to */
	unsigned questions;
	pc_addr woken_from, woken_to;
} played;

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page);

long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	assert_int_equal(*word, value);
	assert_true(timeout > 0);
	return -ETIMEDOUT;
}

int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page)
{
	const bool to = page >= TO;
	const uint64_t at = (page - (to ? TO : FROM)) / PC_PAGE;

	assert_ptr_equal(pm, &world.pagemap);
	assert_true(at < PAGES);
	played.questions++;
	if (played.unknown) {
		played.unknown--;
		return -ENOMEM;
	}
	return to ? !played.neither && at < played.moved : played.both || at >= played.moved;
}

static long play_move(struct uffdio_move *m)
{
	m->move = played.reported < 0 ? played.reported : played.reported * (long)PC_PAGE;
	if (played.reported < 0)
		return played.reported;
	return played.reported == PAGES ? 0 : -EAGAIN;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct uffdio_range *r = (const void *)c;

	if (nr != __NR_ioctl)
		return __real_sys_call(nr, a, b, c, d, e, f);
	if (b == (long)UFFDIO_MOVE)
		return play_move((void *)c);
	assert_int_equal(b, (long)UFFDIO_WAKE);
	played.woken_from = r->start;
	played.woken_to = r->start + r->len;
	return 0;
}

/* The result; *pages that have moved */
static enum uffd_result move_by(enum move_way way, unsigned *pages)
{
	uint64_t done = 99;
	int error;
	enum uffd_result res = move_pages(0, way, TO, FROM, PAGES * PC_PAGE, &done, &error);

	*pages = (unsigned)(done / PC_PAGE);
	return res;
}

static enum uffd_result move(unsigned *pages)
{
	return move_by(MOVE_WITHIN, pages);
}

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	return 0;
}

static void what_is_reported_whole_is_believed(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = played.reported = PAGES;
	assert_int_equal(move(&pages), UFFD_DONE);
	assert_int_equal(pages, PAGES);
	assert_int_equal(played.questions, 0);
}

static void what_was_refused_has_not_moved(void **state)
{
	static const struct {
		int error;
		enum uffd_result result;
	} refusals[] = {
	    {EEXIST, UFFD_EXISTS}, {EBUSY, UFFD_BUSY},	   {ENOENT, UFFD_GONE},
	    {EAGAIN, UFFD_AGAIN},  {EINVAL, UFFD_INVALID},
	};
	unsigned pages;

	(void)state;
	for (unsigned i = 0; i < PC_ARRAY_LEN(refusals); i++) {
		played.reported = -refusals[i].error;
		played.questions = 0;
		assert_int_equal(move(&pages), refusals[i].result);
		assert_int_equal(pages, 0);
		assert_int_equal(played.questions, 1);
	}
	assert_int_equal(played.woken_from, 0);
}

static void a_move_that_the_kernel_forgot_counts(void **state)
{
	const uint64_t before = stats_get(PC_V_moves_recounted);
	unsigned pages;

	(void)state;
	played.moved = PAGES;
	played.reported = -EEXIST;
	assert_int_equal(move(&pages), UFFD_DONE);
	assert_int_equal(pages, PAGES);
	assert_int_equal(stats_get(PC_V_moves_recounted) - before, PAGES);
}

static void so_does_what_follows_a_count(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = 6;
	played.reported = 2;
	assert_int_equal(move(&pages), UFFD_AGAIN);
	assert_int_equal(pages, 6);
}

/* The kernel wakes for what it counts. */
static void who_waits_for_it_is_woken(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = 6;
	played.reported = 2;
	move(&pages);
	assert_int_equal(played.woken_from, TO + 2 * PC_PAGE);
	assert_int_equal(played.woken_to, TO + 6 * PC_PAGE);
}

/* The program has a page of its own there. */
static void what_is_in_both_places_has_not_moved(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = PAGES;
	played.both = true;
	played.reported = -EEXIST;
	assert_int_equal(move(&pages), UFFD_EXISTS);
	assert_int_equal(pages, 0);
}

/* The program has unmapped what has moved, and written to what it mapped there instead. */
static void what_came_to_the_programs_side_since_does_not_count(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = 6;
	played.reported = 2;
	played.both = true;
	assert_int_equal(move_by(MOVE_OUT, &pages), UFFD_AGAIN);
	assert_int_equal(pages, 6);
	assert_int_equal(move_by(MOVE_HOME, &pages), UFFD_AGAIN);
	assert_int_equal(pages, 2);
}

/* What has come home is unmapped already. */
static void nor_does_what_has_gone_from_there(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = 6;
	played.reported = 2;
	played.neither = true;
	assert_int_equal(move_by(MOVE_HOME, &pages), UFFD_AGAIN);
	assert_int_equal(pages, 6);
	assert_int_equal(move_by(MOVE_OUT, &pages), UFFD_AGAIN);
	assert_int_equal(pages, 2);
}

static void an_answer_is_waited_for(void **state)
{
	unsigned pages;

	(void)state;
	played.moved = PAGES;
	played.reported = -EEXIST;
	played.unknown = 10;
	assert_int_equal(move(&pages), UFFD_DONE);
	assert_int_equal(pages, PAGES);
}

static void where_none_comes_the_process_ends(void **state)
{
	pid_t pid = fork();
	unsigned pages;
	int status;

	(void)state;
	assert_return_code(pid, errno);
	if (!pid) {
		close(2);
		played.moved = PAGES;
		played.reported = -EEXIST;
		played.unknown = ~0u;
		move(&pages);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_is_reported_whole_is_believed),
	    CASE(what_was_refused_has_not_moved),
	    CASE(a_move_that_the_kernel_forgot_counts),
	    CASE(so_does_what_follows_a_count),
	    CASE(who_waits_for_it_is_woken),
	    CASE(what_is_in_both_places_has_not_moved),
	    CASE(what_came_to_the_programs_side_since_does_not_count),
	    CASE(nor_does_what_has_gone_from_there),
	    CASE(an_answer_is_waited_for),
	    CASE(where_none_comes_the_process_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
