/*
 * What an unmap gives back to children: whatever lies now where guarded memory was, and what had
 * grown, with its guard, beyond what the table knows. Nothing else: not what the program keeps from
 * them itself, nor what the table still has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "flow/forget.h"
#include "flow/forkless.h"
#include "flow/world.h"
#include "state/range.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define START	 0x7f0000000000ull
#define AT(page) (START + (page)*PC_PAGE)
#define PAGES	 64u
#define UNITS	 4u
#define SHARD	 0u

static void *table;
static bool given[PAGES]; /* to children */
static uint64_t given_bytes;
static struct vma mappings[4];
static unsigned mapping_count;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	pc_addr at = (pc_addr)a, end = at + (uint64_t)b;

	if (nr != __NR_madvise)
		return __real_sys_call(nr, a, b, c, d, e, f);
	assert_int_equal(c, MADV_DOFORK);
	assert_true(at >= START && end > at);
	given_bytes += end - at;
	for (; at < PC_MIN(end, AT(PAGES)); at += PC_PAGE)
		given[(at - START) / PC_PAGE] = true;
	return 0;
}

static int mapping_at(int fd, pc_addr addr, struct vma *v)
{
	(void)fd;
	for (unsigned i = 0; i < mapping_count; i++) {
		if (mappings[i].end <= addr)
			continue;
		*v = mappings[i];
		return 0;
	}
	return -ENOENT;
}

static void map(unsigned first, unsigned end)
{
	mappings[mapping_count++] = (struct vma){
	    .start = AT(first), .end = AT(end), .kind = VMA_ANON, .read = true, .write = true};
}

/* Pages [4, 12) are registered and guarded. */
static struct unit *guarded(void)
{
	struct unit *u = range_ensure(START);

	assert_non_null(u);
	unit_set_registered(u, 4, 12, true);
	unit_set_dontfork(u, 4, 12);
	return u;
}

static void assert_given(unsigned first, unsigned end)
{
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(given[i], i >= first && i < end);
}

static int begin(void **state)
{
	(void)state;
	table = calloc(1, range_table_bytes(UNITS));
	if (!table)
		return -1;
	assert_true(range_start(table, UNITS, NULL));
	forkless_reset();
	forkless_remove(0, PC_ADDR_MAX);
	world.mapping_at = mapping_at;
	mapping_count = 0;
	memset(given, 0, sizeof(given));
	given_bytes = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(table);
	return 0;
}

/* The guard went with the mapping, and with nothing pending nothing else can have it. */
static void what_was_surely_guarded_needs_no_call(void **state)
{
	(void)state;
	guarded();
	forget_unmap(SHARD, AT(4), AT(12));
	assert_given(0, 0);
	assert_false(unit_any_registered(range_find(START)));
}

static void what_took_its_place_is_for_children(void **state)
{
	(void)state;
	guarded()->unguarded = 1;
	forget_unmap(SHARD, AT(6), AT(12));
	assert_given(6, 12);
	assert_true(unit_registered(range_find(START), 5));
}

/* It is registered, for all that is known, and noted nowhere else. */
static void what_took_its_place_may_be_registered(void **state)
{
	(void)state;
	guarded()->unguarded = 1;
	forget_unmap(SHARD, AT(4), AT(12));
	assert_true(unit_registered(range_find(START), 4));
	assert_true(unit_registered(range_find(START), 11));
}

static void what_the_program_keeps_stays_kept(void **state)
{
	(void)state;
	guarded()->unguarded = 1;
	assert_true(forkless_add(AT(4), AT(10)));
	forget_unmap(SHARD, AT(4), AT(12));
	assert_given(10, 12);
}

/* A change of protection may have cut it in two since. */
static void what_grew_behind_is_for_children(void **state)
{
	(void)state;
	guarded();
	map(12, 15);
	map(15, 20);
	map(21, 30);
	forget_unmap(SHARD, AT(10), AT(12));
	assert_given(12, 20);
}

/* A mapping of its own that is known can be released alone. */
static void what_is_known_behind_is_left(void **state)
{
	(void)state;
	unit_set_registered(guarded(), 18, 20, true);
	map(12, 18);
	map(18, 30);
	forget_unmap(SHARD, AT(10), AT(12));
	assert_given(12, 18);
	assert_false(unit_registered(range_find(START), 17));
}

/* To give the rest of it would cut it, and nobody who releases what is known would find that rest. */
static void one_mapping_with_what_is_known_behind_is_known(void **state)
{
	const struct unit *u = guarded();

	(void)state;
	unit_set_registered(guarded(), 18, 20, true);
	map(12, 14);
	map(14, 30);
	forget_unmap(SHARD, AT(10), AT(12));
	assert_given(12, 14);
	for (unsigned i = 12; i < 18; i++) {
		assert_int_equal(unit_registered(u, i), i >= 14);
		assert_int_equal(unit_dontfork(u, i), i >= 14);
	}
	assert_true(u->unguarded);
}

/* The second of its units. */
static void what_there_is_no_room_to_know_is_given(void **state)
{
	const pc_addr next = START + PC_UNIT;

	(void)state;
	guarded();
	unit_set_registered(range_ensure(next + PC_UNIT), 0, 2, true);
	for (unsigned i = 2; i < UNITS; i++)
		assert_non_null(range_ensure(next + i * PC_UNIT + PC_UNIT));
	assert_null(range_ensure(next));
	map(12, 3 * PC_UNIT_PAGES);
	forget_unmap(SHARD, AT(10), AT(12));
	assert_int_equal(given_bytes, PC_UNIT);
	assert_true(unit_registered(range_find(START), PC_UNIT_PAGES - 1));
}

static void what_the_program_keeps_behind_is_left(void **state)
{
	(void)state;
	guarded();
	assert_true(forkless_add(AT(12), AT(16)));
	map(12, 16);
	forget_unmap(SHARD, AT(10), AT(12));
	assert_given(0, 0);
}

/* Shared memory cannot have grown from private memory; nor can what begins elsewhere. */
static void what_cannot_have_grown_is_left(void **state)
{
	(void)state;
	guarded();
	map(12, 16);
	mappings[0].shared = true;
	assert_int_equal(forget_tail(AT(12)), AT(12));
	mappings[0] = (struct vma){.start = AT(13), .end = AT(16), .kind = VMA_ANON};
	assert_int_equal(forget_tail(AT(12)), AT(12));
	mappings[0] = (struct vma){.start = AT(11), .end = AT(16), .kind = VMA_ANON};
	assert_int_equal(forget_tail(AT(12)), AT(12));
	mappings[0] = (struct vma){.start = AT(12), .end = AT(16), .kind = VMA_ANON};
	assert_int_equal(forget_tail(AT(12)), AT(16));
}

/* A fault told of it: the kernel has it registered, and nobody knows who keeps it from children. */
static void what_grew_along_is_noted_and_may_lack_its_guard(void **state)
{
	(void)state;
	forget_adopt(AT(14));
	assert_true(unit_registered(range_find(START), 14));
	assert_true(unit_dontfork(range_find(START), 14));
	assert_true(range_find(START)->unguarded);
	assert_true(forkless_add(AT(15), AT(16)));
	forget_adopt(AT(15));
	assert_true(unit_registered(range_find(START), 15));
	assert_false(unit_dontfork(range_find(START), 15));
}

/* What is known there has gone, and its unmap is still to be reported. */
static void what_is_remapped_over_what_is_known_may_lack_its_guard(void **state)
{
	(void)state;
	guarded();
	forget_remap(SHARD, AT(4), AT(40), PC_PAGE);
	assert_false(range_find(START)->unguarded);
	forget_remap(SHARD, AT(5), AT(6), PC_PAGE);
	assert_true(range_find(START)->unguarded);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_was_surely_guarded_needs_no_call),
	    CASE(what_took_its_place_is_for_children),
	    CASE(what_took_its_place_may_be_registered),
	    CASE(what_the_program_keeps_stays_kept),
	    CASE(what_grew_behind_is_for_children),
	    CASE(what_is_known_behind_is_left),
	    CASE(one_mapping_with_what_is_known_behind_is_known),
	    CASE(what_there_is_no_room_to_know_is_given),
	    CASE(what_the_program_keeps_behind_is_left),
	    CASE(what_cannot_have_grown_is_left),
	    CASE(what_is_remapped_over_what_is_known_may_lack_its_guard),
	    CASE(what_grew_along_is_noted_and_may_lack_its_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
