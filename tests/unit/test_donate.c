/*
 * Frames of a chunk that has been packed become the store's: by the kernel of this machine, since what it
 * does to the two mappings is the point. Where it does not, all is as if nobody had asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/donate.h"
#include "flow/seal.h"
#include "flow/world.h"
#include "kernel/uapi.h"
#include "kernel/uffd.h"
#include "state/store.h"
#include "support/demand_zero.h"

#define STORE_BYTES (8ull << 20)
#define SLAB_PAGES  (STORE_SLAB / PC_PAGE)
#define STEADY	    8u /* slabs of a class, from which on it is worth while */
#define LEN	    3000u
#define FILLED	    0x5a

static struct chunk *chunk;
static unsigned char *store;
static uint64_t keys;
static struct {
	bool api, lift, lower; /* what the kernel refuses */
	unsigned mprotects;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_ioctl && (unsigned long)b == UFFDIO_API && played.api)
		return -EINVAL;
	if (nr == __NR_mprotect) {
		const bool lifts = c & PROT_WRITE;

		played.mprotects++;
		if (lifts ? played.lift : played.lower)
			return -ENOMEM;
	}
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static bool is_there(void *page)
{
	unsigned char in;

	assert_int_equal(mincore(page, PC_PAGE, &in), 0);
	return in & 1;
}

static unsigned char *page_of(const struct chunk *c, unsigned page)
{
	return (unsigned char *)staging_chunk_addr(c) + page * PC_PAGE;
}

/* The pages that the chunk has left; those that it has are what they were. */
static unsigned left_in(const struct chunk *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		if (is_there(page_of(c, i))) {
			assert_int_equal(*page_of(c, i), FILLED);
			n++;
		}
	return n;
}

/* Asked of the kernel, which writes there or does not. */
static bool is_writable(const struct chunk *c, unsigned page)
{
	int zero = (int)sys_open("/dev/zero", 0);
	long n = sys_read(zero, page_of(c, page), 1);

	sys_close(zero);
	return n == 1;
}

static void put_slabs(unsigned slabs)
{
	unsigned char bytes[LEN];

	for (unsigned i = 0; i < slabs * (STORE_SLAB / store_room(LEN)); i++) {
		memset(bytes, (int)++keys, LEN);
		assert_true(store_put(bytes, LEN, (uint32_t)keys));
	}
}

static void give_back(void *start, size_t bytes)
{
	assert_int_equal(madvise(start, bytes, MADV_DONTNEED), 0);
}

static void fill_chunk(void)
{
	chunk = staging_open();
	assert_non_null(chunk);
	memset((void *)staging_chunk_addr(chunk), FILLED, PC_UNIT);
	seal_chunk(chunk);
}

/* One page past a boundary, as staging begins: slab 31 and the chunk's last sixteen pages agree. */
static void *beside_a_boundary(size_t bytes)
{
	pc_addr at = (pc_addr)demand_zero(bytes + 2 * PC_UNIT);

	return (void *)(unit_floor(at + PC_UNIT) + PC_PAGE);
}

static int start(void **unused)
{
	(void)unused;
	memset(&played, 0, sizeof(played));
	world.way = WAY_MOVE;
	world.silent.fd = -1;
	store = beside_a_boundary(STORE_BYTES);
	assert_int_equal(madvise(store, STORE_BYTES, MADV_NOHUGEPAGE), 0);
	assert_true(staging_start(demand_zero(staging_space_bytes(2)),
				  demand_zero(staging_table_bytes(2)), 2, NULL));
	assert_int_equal(madvise((void *)staging_slot_addr(0), 2 * PC_UNIT, MADV_NOHUGEPAGE), 0);
	assert_true(store_start(store, STORE_BYTES, demand_zero(store_table_bytes(STORE_BYTES)),
				give_back, NULL));
	fill_chunk();
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	uffd_close(&world.silent);
	assert_true(store_valid());
	return 0;
}

static void want_moves(void)
{
	struct uffd u;
	int err = uffd_open_silent(&u);

	uffd_close(&u);
	if (!err)
		return;
	print_message("SKIP: userfaultfd is not permitted, or cannot protect\n");
	skip();
}

/* Two parts of a pass have opened so many slabs each: as many are wanted. */
static void begin(unsigned slabs)
{
	donate_start((pc_addr)store, STORE_BYTES);
	put_slabs(STEADY + slabs);
	donate_frames(chunk);
	assert_int_equal(left_in(chunk), PC_UNIT_PAGES);
	put_slabs(slabs);
	played.mprotects = 0;
}

static void test_the_last_frames_become_the_stores(void **unused)
{
	const uint64_t before = stats_get(PC_V_frames_donated);
	uint64_t mapped;

	(void)unused;
	want_moves();
	begin(3);
	mapped = store_totals().mapped;
	donate_frames(chunk);
	assert_int_equal(left_in(chunk), PC_UNIT_PAGES - 3 * SLAB_PAGES);
	assert_false(is_there(page_of(chunk, PC_UNIT_PAGES - 1)));
	assert_int_equal(stats_get(PC_V_frames_donated) - before, 3 * SLAB_PAGES);
	assert_int_equal(store_totals().mapped, mapped + 3ull * STORE_SLAB);
	put_slabs(3);
	assert_int_equal(store_totals().mapped, mapped + 3ull * STORE_SLAB);
}

static void test_what_is_left_is_read_only_as_before(void **unused)
{
	(void)unused;
	want_moves();
	begin(1);
	donate_frames(chunk);
	assert_int_equal(played.mprotects, 2);
	assert_false(is_writable(chunk, 0));
	assert_false(is_writable(chunk, PC_UNIT_PAGES - 1));
}

/* What the store got is given back, filled again and written without a word to anybody. */
static void test_the_store_is_used_as_if_it_were_not_registered(void **unused)
{
	(void)unused;
	want_moves();
	begin(2);
	donate_frames(chunk);
	assert_int_equal(store_trim(), 2ull * STORE_SLAB);
	put_slabs(4);
	assert_true(store_valid());
}

static void test_frames_that_are_not_there_are_passed_over(void **unused)
{
	const unsigned at = PC_UNIT_PAGES - 2 * SLAB_PAGES;
	uint64_t mapped;

	(void)unused;
	want_moves();
	begin(2);
	mapped = store_totals().mapped;
	give_back(page_of(chunk, at + 1), PC_PAGE);
	give_back(page_of(chunk, at + 4), 2 * PC_PAGE);
	donate_frames(chunk);
	/* The second slab lacks three, and is given back with the others. */
	assert_int_equal(store_totals().mapped, mapped + STORE_SLAB);
	assert_int_equal(left_in(chunk), at);
}

static void test_a_chunk_of_holes_is_left(void **unused)
{
	const uint64_t before = stats_get(PC_V_frames_donated);
	uint64_t mapped;

	(void)unused;
	want_moves();
	begin(4);
	mapped = store_totals().mapped;
	give_back(page_of(chunk, PC_UNIT_PAGES - 60), 50 * PC_PAGE);
	donate_frames(chunk);
	assert_int_equal(stats_get(PC_V_frames_donated) - before, 4);
	assert_int_equal(store_totals().mapped, mapped);
	assert_int_equal(left_in(chunk), PC_UNIT_PAGES - 54);
}

/* Slab 31 lies as the last sixteen pages do; a move that could be huge would end the process. */
static void test_no_page_goes_where_it_agrees(void **unused)
{
	(void)unused;
	want_moves();
	begin(11);
	assert_int_equal(store_wants_stock(), 11);
	put_slabs(1);
	assert_int_equal(store_totals().mapped, 31ull * STORE_SLAB);
	donate_frames(chunk);
	assert_int_equal(left_in(chunk), PC_UNIT_PAGES - SLAB_PAGES + 1);
	assert_int_equal(store_totals().mapped, 31ull * STORE_SLAB);
}

static void nothing_is_donated(unsigned mprotects)
{
	uint64_t mapped;

	begin(2);
	mapped = store_totals().mapped;
	donate_frames(chunk);
	assert_int_equal(left_in(chunk), PC_UNIT_PAGES);
	assert_int_equal(store_totals().mapped, mapped);
	assert_int_equal(played.mprotects, mprotects);
	put_slabs(2);
}

static void test_where_there_is_no_silent_one_nothing_is_donated(void **unused)
{
	(void)unused;
	played.api = true;
	nothing_is_donated(0);
}

static void test_pages_that_leave_by_copy_have_no_frames_to_donate(void **unused)
{
	(void)unused;
	world.way = WAY_MADVISE;
	nothing_is_donated(0);
}

static void test_what_cannot_be_made_writable_is_left(void **unused)
{
	(void)unused;
	want_moves();
	played.lift = true;
	nothing_is_donated(1);
}

/* It is then sealed with its next use. */
static void test_what_cannot_be_sealed_again_is_known(void **unused)
{
	const uint64_t before = stats_get(PC_V_seal_failed);

	(void)unused;
	want_moves();
	begin(1);
	played.lower = true;
	donate_frames(chunk);
	assert_int_equal(stats_get(PC_V_seal_failed), before + 1);
	played.lower = false;
	seal_chunk(chunk);
	assert_false(is_writable(chunk, PC_UNIT_PAGES - 1));
}

#define DONATE_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    DONATE_TEST(test_the_last_frames_become_the_stores),
	    DONATE_TEST(test_what_is_left_is_read_only_as_before),
	    DONATE_TEST(test_the_store_is_used_as_if_it_were_not_registered),
	    DONATE_TEST(test_frames_that_are_not_there_are_passed_over),
	    DONATE_TEST(test_a_chunk_of_holes_is_left),
	    DONATE_TEST(test_no_page_goes_where_it_agrees),
	    DONATE_TEST(test_where_there_is_no_silent_one_nothing_is_donated),
	    DONATE_TEST(test_pages_that_leave_by_copy_have_no_frames_to_donate),
	    DONATE_TEST(test_what_cannot_be_made_writable_is_left),
	    DONATE_TEST(test_what_cannot_be_sealed_again_is_known),
	};

	return cmocka_run_group_tests_name("donate", tests, NULL, NULL);
}
