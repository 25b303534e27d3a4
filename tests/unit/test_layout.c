/*
 * What the hooks of mmap, munmap and madvise tell the pager, and when: EVICT=madvise stands on it.
 * What is about to change is told before the call, what has come to be after it, and what is away is
 * forgotten only where the discard cannot fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "pager.h"
#include "preload/exclusion.h"
#include "preload/layout.h"
#include "preload/real.h"

#include <errno.h>
#include <sys/mman.h>

#define AREA	 0x7e0000000000ull
#define AT(page) ((void *)(AREA + (page)*PC_PAGE))
#define BYTES(n) ((n)*PC_PAGE)
#define OWN	 (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	 (PROT_READ | PROT_WRITE)
#define HOLD	 7u
#define HOME      9u

#define LOG_BYTES 256

static char last[LOG_BYTES];
static struct {
	char log[LOG_BYTES]; /* one word a call, with the pages that it is about */
	bool follows, known, holds;
	int error; /* of the real calls */
} played;

bool __wrap_pager_follows(void);
void __wrap_pager_mapped(pc_addr start, pc_addr end);
void __wrap_pager_unmapping(pc_addr start, pc_addr end);
bool __wrap_pager_is_mapped(pc_addr start, pc_addr end);
unsigned __wrap_pager_discard_begin(pc_addr start, pc_addr end);
void __wrap_pager_forget(pc_addr start, pc_addr end);
void __wrap_pager_discard_end(unsigned held);
uint32_t __wrap_pager_hold(pc_addr start, pc_addr end);
void __wrap_pager_release(uint32_t hold);
bool __wrap_pager_holds(pc_addr start, pc_addr end);

static void note(const char *what, pc_addr start, pc_addr end)
{
	size_t n = strlen(played.log);

	snprintf(played.log + n, sizeof(played.log) - n, "%s%s %u-%u", n ? ", " : "", what,
		 (unsigned)((start - AREA) / PC_PAGE), (unsigned)((end - AREA) / PC_PAGE));
}

bool __wrap_pager_follows(void)
{
	return played.follows;
}

void __wrap_pager_mapped(pc_addr start, pc_addr end)
{
	note("mapped", start, end);
}

void __wrap_pager_unmapping(pc_addr start, pc_addr end)
{
	note("strike", start, end);
}

bool __wrap_pager_is_mapped(pc_addr start, pc_addr end)
{
	(void)start;
	(void)end;
	return played.known;
}

unsigned __wrap_pager_discard_begin(pc_addr start, pc_addr end)
{
	note("hold", start, end);
	return HOLD;
}

void __wrap_pager_forget(pc_addr start, pc_addr end)
{
	note("forget", start, end);
}

void __wrap_pager_discard_end(unsigned held)
{
	note("release", AREA, AREA);
	assert_int_equal(held, HOLD);
}

uint32_t __wrap_pager_hold(pc_addr start, pc_addr end)
{
	note("home", start, end);
	return HOME;
}

void __wrap_pager_release(uint32_t hold)
{
	if (hold)
		note("free", AREA, AREA);
	assert_true(!hold || hold == HOME);
}

bool __wrap_pager_holds(pc_addr start, pc_addr end)
{
	(void)start;
	(void)end;
	return played.holds;
}

static int result(void)
{
	errno = played.error;
	return played.error ? -1 : 0;
}

static bool in_area(const void *at)
{
	return (pc_addr)at >= AREA && (pc_addr)at < AREA + PC_UNIT;
}

/* The hooks are in this program's way too: what is not about the area is somebody else's. */
static void *play_mmap(void *at, size_t len, int prot, int flags, int fd, long off)
{
	if (!in_area(at))
		return (void *)SYS6(__NR_mmap, at, len, prot, flags, fd, off);
	note("mmap", (pc_addr)at, (pc_addr)at + len);
	return result() ? MAP_FAILED : at;
}

static int play_munmap(void *at, size_t len)
{
	if (!in_area(at))
		return (int)SYS2(__NR_munmap, at, len);
	note("munmap", (pc_addr)at, (pc_addr)at + len);
	return result();
}

static int play_madvise(void *at, size_t len, int advice)
{
	(void)advice;
	note("madvise", (pc_addr)at, (pc_addr)at + len);
	return result();
}

static long play_syscall(long nr, long at, long len, long flags, long d, long e, long f)
{
	(void)flags;
	assert_true(nr == __NR_mseal && !d && !e && !f);
	note("mseal", (pc_addr)at, (pc_addr)(at + len));
	return result();
}

struct real real = {
    .mmap = play_mmap, .munmap = play_munmap, .madvise = play_madvise, .syscall = play_syscall};

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	played.follows = true;
	return 0;
}

/* The log so far, which begins anew. */
static const char *told(void)
{
	memcpy(last, played.log, sizeof(last));
	played.log[0] = 0;
	return last;
}

static void map(int flags, int fd)
{
	layout_map(AT(2), BYTES(3), RW, flags, fd, 0);
}

static void what_is_unmapped_is_struck_off_before(void **state)
{
	(void)state;
	assert_int_equal(layout_unmap(AT(2), BYTES(3)), 0);
	assert_string_equal(told(), "strike 2-5, munmap 2-5");
}

static void what_is_sealed_is_struck_off_before(void **state)
{
	(void)state;
	assert_int_equal(layout_seal(AT(2), BYTES(3), 0), 0);
	assert_string_equal(told(), "strike 2-5, mseal 2-5");
	played.error = ENOMEM;
	assert_int_equal(layout_seal(AT(2), BYTES(3), 0), -1);
	assert_int_equal(errno, ENOMEM);
}

static void own_memory_is_told_once_it_is_there(void **state)
{
	(void)state;
	map(OWN, -1);
	assert_string_equal(told(), "mmap 2-5, mapped 2-5");
	played.error = ENOMEM;
	map(OWN, -1);
	assert_string_equal(told(), "mmap 2-5");
}

static void what_is_replaced_is_struck_off_before(void **state)
{
	(void)state;
	map(OWN | MAP_FIXED, -1);
	assert_string_equal(told(), "strike 2-5, mmap 2-5, mapped 2-5");
	map(MAP_PRIVATE | MAP_FIXED, 3);
	assert_string_equal(told(), "strike 2-5, mmap 2-5");
}

static void memory_of_other_kinds_is_not_told(void **state)
{
	const int others[] = {
	    MAP_PRIVATE,     MAP_SHARED,	MAP_SHARED | MAP_ANONYMOUS, OWN | MAP_GROWSDOWN,
	    OWN | MAP_STACK, OWN | MAP_HUGETLB, OWN | MAP_LOCKED,
	};

	(void)state;
	for (unsigned i = 0; i < PC_ARRAY_LEN(others); i++) {
		map(others[i], 3);
		assert_string_equal(told(), "mmap 2-5");
	}
}

/* In whole pages, as the kernel does it. */
static void a_part_of_a_page_is_the_page(void **state)
{
	(void)state;
	layout_unmap(AT(2), BYTES(2) + 1);
	assert_string_equal(told(), "strike 2-5, munmap 2-4");
	layout_strike((const char *)AT(2) + 100, PC_PAGE);
	assert_string_equal(told(), "strike 2-4");
	layout_strike(AT(2), 0);
	assert_string_equal(told(), "");
}

static void a_certain_discard_forgets_what_is_away(void **state)
{
	(void)state;
	played.known = played.holds = true;
	layout_discard(AT(2), BYTES(3), MADV_DONTNEED);
	assert_string_equal(told(), "hold 2-5, forget 2-5, madvise 2-5, release 0-0");
	layout_discard(AT(2), BYTES(3), MADV_FREE);
	assert_string_equal(told(), "hold 2-5, forget 2-5, madvise 2-5, release 0-0");
}

/* Of a range that is known in part, that part could leave meanwhile, and come back afterwards. */
static void any_discard_is_held_from_before_to_after(void **state)
{
	(void)state;
	played.holds = true;
	layout_discard(AT(2), BYTES(3), MADV_DONTNEED);
	assert_string_equal(told(), "hold 2-5, home 2-5, madvise 2-5, free 0-0, release 0-0");
	played.holds = false;
	layout_discard(AT(2), BYTES(3), MADV_DONTNEED);
	assert_string_equal(told(), "hold 2-5, madvise 2-5, release 0-0");
}

/* It may be refused, or stop half way, and then the old bytes are still the program's. */
static void an_uncertain_discard_forgets_nothing(void **state)
{
	(void)state;
	played.known = played.holds = true;
	layout_discard(AT(2), BYTES(3), MADV_DONTNEED_LOCKED);
	assert_string_equal(told(), "hold 2-5, home 2-5, madvise 2-5, free 0-0, release 0-0");
	played.error = EINVAL;
	assert_int_equal(layout_discard((char *)AT(2) + 1, BYTES(1), MADV_DONTNEED), -1);
	assert_int_equal(errno, EINVAL);
	assert_null(strstr(told(), "forget"));
}

static void who_does_not_follow_is_told_nothing(void **state)
{
	(void)state;
	played.follows = false;
	map(OWN | MAP_FIXED, -1);
	layout_unmap(AT(2), BYTES(3));
	assert_string_equal(told(), "mmap 2-5, munmap 2-5");
	assert_false(layout_knows(AT(2), BYTES(3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_is_unmapped_is_struck_off_before, begin),
	    cmocka_unit_test_setup(what_is_sealed_is_struck_off_before, begin),
	    cmocka_unit_test_setup(own_memory_is_told_once_it_is_there, begin),
	    cmocka_unit_test_setup(what_is_replaced_is_struck_off_before, begin),
	    cmocka_unit_test_setup(memory_of_other_kinds_is_not_told, begin),
	    cmocka_unit_test_setup(a_part_of_a_page_is_the_page, begin),
	    cmocka_unit_test_setup(a_certain_discard_forgets_what_is_away, begin),
	    cmocka_unit_test_setup(any_discard_is_held_from_before_to_after, begin),
	    cmocka_unit_test_setup(an_uncertain_discard_forgets_nothing, begin),
	    cmocka_unit_test_setup(who_does_not_follow_is_told_nothing, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
