/*
 * EVICT=madvise: which pages count as gone. A page is gone when its bytes were copied and a discard
 * may have reached it; it is left alone when nothing was copied, when the layout is about to change,
 * or when the kernel refused the discard before it came to that page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "flow/discover.h"
#include "flow/shed.h"
#include "flow/world.h"
#include "kernel/pagemap.h"
#include "kernel/peek.h"
#include "kernel/pins.h"
#include "kernel/uapi.h"
#include "support/demand_zero.h"

#include <errno.h>
#include <sys/mman.h>

#define START	 0x7d0000000000ull
#define AT(page) (START + (page)*PC_PAGE)
#define LOG	 64

static struct unit unit = {.base = START};
static struct chunk *chunk;
static struct {
	char log[LOG];	     /* r: copied, p: asked what is pending, d: discarded */
	unsigned first, end; /* protected */
	long copied;	     /* pages, or -errno */
	bool pending;
	long discard; /* its result */
	unsigned lost; /* of the first pages, before it was refused */
	pc_addr discarded, until;
	int living, held;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
int __wrap_pagemap_protected(const struct pagemap *pm, pc_addr start, pc_addr end,
			     uint64_t protected[PC_UNIT_PAGES / 64]);
long __wrap_peek_read(int fd, void *to, pc_addr from, size_t len);
int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page);
int __wrap_pins_held(int tid);
int __wrap_discover_living(void);

static void note(char what)
{
	size_t n = strlen(played.log);

	assert_in_range(n, 0, LOG - 2);
	played.log[n] = what;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_ioctl && b == (long)UFFDIO_ZEROPAGE) {
		note('p');
		return played.pending ? -EAGAIN : -EINVAL;
	}
	if (nr != __NR_madvise)
		return __real_sys_call(nr, a, b, c, d, e, f);
	assert_int_equal(c, MADV_DONTNEED);
	note('d');
	played.discarded = (pc_addr)a;
	played.until = (pc_addr)a + (uint64_t)b;
	return played.discard;
}

int __wrap_pagemap_protected(const struct pagemap *pm, pc_addr start, pc_addr end,
			     uint64_t protected[PC_UNIT_PAGES / 64])
{
	(void)pm;
	memset(protected, 0, UNIT_MAP_WORDS * sizeof(*protected));
	for (unsigned i = 0; start + i * PC_PAGE < end; i++)
		if (start + i * PC_PAGE >= AT(played.first) && start + i * PC_PAGE < AT(played.end))
	protected[i / 64] |= 1ull << (i % 64);
	return (int)(played.end - played.first);
}

long __wrap_peek_read(int fd, void *to, pc_addr from, size_t len)
{
	(void)fd;
	(void)from;
	note('r');
	if (played.copied < 0)
		return played.copied;
	len = PC_MIN(len, (size_t)played.copied * PC_PAGE);
	memset(to, 0x5a, len);
	return (long)len;
}

int __wrap_pagemap_occupied(const struct pagemap *pm, pc_addr page)
{
	(void)pm;
	return page >= AT(played.first + played.lost);
}

int __wrap_pins_held(int tid)
{
	assert_int_equal(tid, played.living);
	return played.held;
}

int __wrap_discover_living(void)
{
	return played.living;
}

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	played.first = 3;
	played.end = 6;
	played.copied = PC_UNIT_PAGES;
	played.living = 1;
	world.pinned = false;
	return 0;
}

/* Of pages [2, 8): which are gone, as bits. */
static uint64_t collect(bool *quiet)
{
	uint64_t gone[UNIT_MAP_WORDS] = {0};

	*quiet = shed_collect(&unit, chunk, 2, 8, gone);
	return gone[0];
}

static void what_was_copied_and_discarded_is_gone(void **state)
{
	bool quiet;

	(void)state;
	assert_int_equal(collect(&quiet), 0x38);
	assert_true(quiet);
	assert_string_equal(played.log, "rpd");
	assert_int_equal(played.discarded, AT(3));
	assert_int_equal(played.until, AT(6));
}

static void no_more_is_discarded_than_was_copied(void **state)
{
	bool quiet;

	(void)state;
	played.copied = 2;
	assert_int_equal(collect(&quiet), 0x18);
	assert_int_equal(played.until, AT(5));
	played.copied = -EIO;
	memset(played.log, 0, sizeof(played.log));
	assert_int_equal(collect(&quiet), 0);
	assert_true(quiet);
	assert_string_equal(played.log, "r");
}

/* Asked when the bytes have been read: what is mapped there now may be something else. */
static void nothing_is_discarded_while_a_change_is_pending(void **state)
{
	bool quiet;

	(void)state;
	played.pending = true;
	assert_int_equal(collect(&quiet), 0);
	assert_false(quiet);
	assert_string_equal(played.log, "rp");
}

static void a_refused_discard_leaves_the_pages(void **state)
{
	bool quiet;

	(void)state;
	played.discard = -EAGAIN;
	assert_int_equal(collect(&quiet), 0);
	assert_true(quiet);
}

/* The second of two mappings was locked meanwhile: the first is discarded by then. */
static void a_discard_that_is_refused_half_way_has_happened_so_far(void **state)
{
	bool quiet;

	(void)state;
	played.discard = -EINVAL;
	played.lost = 2;
	assert_int_equal(collect(&quiet), 0x18);
	assert_true(quiet);
}

/* The kernel discards what is mapped before it says that not all was. */
static void a_discard_that_met_a_gap_has_happened(void **state)
{
	bool quiet;

	(void)state;
	played.discard = -ENOMEM;
	assert_int_equal(collect(&quiet), 0x38);
	assert_true(quiet);
}

static void who_may_pin_is_left_for_good(void **state)
{
	(void)state;
	assert_true(shed_no_pins());
	assert_false(world.pinned);
	played.held = 1;
	assert_false(shed_no_pins());
	assert_true(world.pinned);
}

/* It may be better next time. */
static void who_cannot_be_asked_is_left_for_now(void **state)
{
	(void)state;
	played.held = -ENOENT;
	assert_false(shed_no_pins());
	assert_false(world.pinned);
	played.held = 0;
	played.living = 0;
	assert_false(shed_no_pins());
	assert_false(world.pinned);
}

static int begin_staging(void **state)
{
	(void)state;
	assert_true(staging_start(demand_zero(staging_space_bytes(1)),
				  demand_zero(staging_table_bytes(1)), 1, NULL));
	chunk = staging_open();
	return chunk ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_was_copied_and_discarded_is_gone, begin),
	    cmocka_unit_test_setup(no_more_is_discarded_than_was_copied, begin),
	    cmocka_unit_test_setup(nothing_is_discarded_while_a_change_is_pending, begin),
	    cmocka_unit_test_setup(a_refused_discard_leaves_the_pages, begin),
	    cmocka_unit_test_setup(a_discard_that_is_refused_half_way_has_happened_so_far, begin),
	    cmocka_unit_test_setup(a_discard_that_met_a_gap_has_happened, begin),
	    cmocka_unit_test_setup(who_may_pin_is_left_for_good, begin),
	    cmocka_unit_test_setup(who_cannot_be_asked_is_left_for_now, begin),
	};

	return cmocka_run_group_tests(tests, begin_staging, NULL);
}
