#include "kernel/pagemap.h"

#include "base/sys.h"
#include "kernel/uapi.h"
#include "kernel/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* While set, PAGEMAP_SCAN answers that the walk went nowhere. */
static bool stuck;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (stuck && nr == __NR_ioctl && b == (long)PAGEMAP_SCAN) {
		struct pm_scan_arg *arg = (struct pm_scan_arg *)c;

		arg->walk_end = arg->start;
		return 0;
	}
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static struct pagemap pm;
static uint64_t present[PC_UNIT_PAGES / 64];

static bool is_set(unsigned page)
{
	return present[page / 64] >> (page % 64) & 1;
}

/* A unit of small pages, aligned, between guards. */
static char *unit_map(void)
{
	char *at = mmap(NULL, 3 * PC_UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *unit = (char *)unit_floor((pc_addr)at + 2 * PC_UNIT - 1);

	assert_true(at != MAP_FAILED);
	assert_int_equal(mprotect(unit, PC_UNIT, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(madvise(unit, PC_UNIT, MADV_NOHUGEPAGE), 0);
	if (unit > at)
		munmap(at, (size_t)(unit - at));
	munmap(unit + PC_UNIT, (size_t)(at + 3 * PC_UNIT - (unit + PC_UNIT)));
	return unit;
}

static int ask(const char *unit, unsigned from, unsigned to)
{
	/* What was in the array must not survive. */
	memset(present, 0xff, sizeof(present));
	return pagemap_present(&pm, (pc_addr)unit + from * PC_PAGE, (pc_addr)unit + to * PC_PAGE,
			       present);
}

static void expect_model(const char *unit, const bool *model)
{
	int pages = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		pages += model[i];
	assert_int_equal(ask(unit, 0, PC_UNIT_PAGES), pages);
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		assert_int_equal(is_set(i), model[i]);
	assert_int_equal(pagemap_count(&pm, (pc_addr)unit, (pc_addr)unit + PC_UNIT), pages);
}

static void nothing_then_everything(void **state)
{
	char *unit = unit_map();
	bool model[PC_UNIT_PAGES] = {0};

	(void)state;
	expect_model(unit, model);
	memset(unit, 1, PC_UNIT);
	memset(model, 1, sizeof(model));
	expect_model(unit, model);
	munmap(unit, PC_UNIT);
}

/* 256 runs: several times what one call returns. */
static void alternating_pages(void **state)
{
	char *unit = unit_map();
	bool model[PC_UNIT_PAGES] = {0};

	(void)state;
	for (unsigned i = 1; i < PC_UNIT_PAGES; i += 2) {
		unit[i * PC_PAGE] = 1;
		model[i] = true;
	}
	expect_model(unit, model);
	munmap(unit, PC_UNIT);
}

static void parts_are_counted_from_their_start(void **state)
{
	char *unit = unit_map();

	(void)state;
	unit[100 * PC_PAGE] = 1;
	unit[103 * PC_PAGE] = 1;
	assert_int_equal(ask(unit, 100, 104), 2);
	assert_true(is_set(0) && !is_set(1) && !is_set(2) && is_set(3) && !is_set(4));
	assert_int_equal(ask(unit, 101, 103), 0);
	assert_int_equal(ask(unit, 100, 100), 0);
	munmap(unit, PC_UNIT);
}

static unsigned seed_of_run(void)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	print_message("TEST_SEED=%u\n", seed);
	return seed;
}

static void random_writes_and_drops(void **state)
{
	unsigned seed = seed_of_run();
	char *unit = unit_map();
	bool model[PC_UNIT_PAGES] = {0};

	(void)state;
	for (int round = 0; round < 40; round++) {
		unsigned from = (unsigned)rand_r(&seed) % PC_UNIT_PAGES;
		unsigned n = 1 + (unsigned)rand_r(&seed) % PC_MIN(40u, PC_UNIT_PAGES - from);
		bool fill = rand_r(&seed) % 3;

		if (fill)
			memset(unit + from * PC_PAGE, 1, n * PC_PAGE);
		else
			madvise(unit + from * PC_PAGE, n * PC_PAGE, MADV_DONTNEED);
		memset(model + from, fill, n);
		expect_model(unit, model);
	}
	munmap(unit, PC_UNIT);
}

static void zero_pages_count(void **state)
{
	char *unit = unit_map();

	(void)state;
	assert_int_equal(*(volatile char *)(unit + 7 * PC_PAGE), 0);
	assert_int_equal(ask(unit, 0, PC_UNIT_PAGES), 1);
	assert_true(is_set(7));
	munmap(unit, PC_UNIT);
}

static void huge_pages_count(void **state)
{
	char *unit = unit_map();

	(void)state;
	madvise(unit, PC_UNIT, MADV_HUGEPAGE);
	memset(unit, 1, PC_UNIT);
	assert_int_equal(ask(unit, 0, PC_UNIT_PAGES), PC_UNIT_PAGES);
	munmap(unit, PC_UNIT);
}

/* Pages of a file do not count, copies of them do; nor does shared memory, nor a hole. */
static void only_private_anonymous_pages_count(void **state)
{
	char *unit = unit_map();
	FILE *file = tmpfile();

	(void)state;
	assert_int_equal(ftruncate(fileno(file), 4 * PC_PAGE), 0);
	assert_true(mmap(unit, 4 * PC_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
			 fileno(file), 0) == unit);
	assert_true(mmap(unit + 4 * PC_PAGE, PC_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == unit + 4 * PC_PAGE);
	munmap(unit + 5 * PC_PAGE, PC_PAGE);
	assert_int_equal(*(volatile char *)unit, 0);
	unit[1 * PC_PAGE] = 1;
	unit[4 * PC_PAGE] = 1;
	unit[6 * PC_PAGE] = 1;
	assert_int_equal(ask(unit, 0, PC_UNIT_PAGES), 2);
	assert_true(is_set(1) && is_set(6));
	munmap(unit, PC_UNIT);
	fclose(file);
}

static void long_ranges_are_counted(void **state)
{
	const size_t bytes = 20 * PC_UNIT;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int64_t pages = 0;

	(void)state;
	assert_true(at != MAP_FAILED);
	assert_int_equal(madvise(at, bytes, MADV_NOHUGEPAGE), 0);
	for (size_t off = 0; off < bytes; off += 5 * PC_PAGE, pages++)
		at[off] = 1;
	assert_int_equal(pagemap_count(&pm, (pc_addr)at, (pc_addr)at + bytes), pages);
	munmap(at, bytes);
}

static void errors_are_told(void **state)
{
	const struct pagemap closed = {.fd = -1, .way = pm.way};
	char *unit = unit_map();

	(void)state;
	assert_int_equal(pagemap_count(&closed, (pc_addr)unit, (pc_addr)unit + PC_PAGE), -EBADF);
	assert_int_equal(pagemap_present(&closed, (pc_addr)unit, (pc_addr)unit + PC_PAGE, present),
			 -EBADF);
	if (pm.way == PAGEMAP_SCANNED) {
		assert_int_equal(pagemap_count(&pm, (pc_addr)unit + 1, (pc_addr)unit + PC_PAGE),
				 -EINVAL);
		stuck = true;
		assert_int_equal(pagemap_count(&pm, (pc_addr)unit, (pc_addr)unit + PC_PAGE), -EIO);
		stuck = false;
	}
	munmap(unit, PC_UNIT);
}

/* Protected are pages 2 to 5 of eight, of which 3 is absent, 4 written since, 5 shared with a child. */
static void protection_is_seen(void **state)
{
	char *unit = unit_map();
	pc_addr at = (pc_addr)unit;
	struct uffd u;
	pid_t child;

	(void)state;
	if (uffd_open_protecting(&u)) {
		print_message("SKIP: userfaultfd is not permitted, or cannot protect\n");
		skip();
	}
	for (unsigned i = 0; i < 8; i++)
		if (i != 3)
			unit[i * PC_PAGE] = 1;
	assert_int_equal(uffd_register(&u, at, at + 8 * PC_PAGE), 0);
	assert_int_equal(uffd_protect(&u, at + 2 * PC_PAGE, at + 6 * PC_PAGE), UFFD_DONE);
	assert_int_equal(uffd_unprotect(&u, at + 4 * PC_PAGE, at + 5 * PC_PAGE), UFFD_DONE);
	assert_int_equal(pagemap_protected(&pm, at, at + 8 * PC_PAGE, present), 2);
	assert_true(is_set(2) && is_set(5));
	assert_int_equal(pagemap_protected(&pm, at + 5 * PC_PAGE, at + 6 * PC_PAGE, present), 1);
	assert_true(is_set(0));
	assert_int_equal(madvise(unit, 5 * PC_PAGE, MADV_DONTFORK), 0);
	child = fork();
	if (child == 0)
		_exit(pause());
	assert_int_equal(pagemap_protected(&pm, at, at + 8 * PC_PAGE, present), 1);
	assert_true(is_set(2));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	uffd_close(&u);
	munmap(unit, PC_UNIT);
}

static void pages_of_a_living_child_are_shared(void **state)
{
	char *unit = unit_map();
	int status, go[2];
	char c = 0;
	pid_t pid;

	(void)state;
	memset(unit + PC_PAGE, 1, 3 * PC_PAGE);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit((int)read(go[0], &c, 1) - 1);
	unit[2 * PC_PAGE] = 2;
	assert_int_equal(pagemap_unshared(&pm, (pc_addr)unit, (pc_addr)unit + PC_UNIT, present), 1);
	assert_true(is_set(2));
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(pagemap_unshared(&pm, (pc_addr)unit, (pc_addr)unit + PC_UNIT, present), 3);
	assert_true(is_set(1) && is_set(2) && is_set(3));
	close(go[0]);
	close(go[1]);
	munmap(unit, PC_UNIT);
}

/* Most kernels have none: a file is read in place of the kernel's. */
static void soft_dirty_bits_are_read(void **state)
{
	const uint64_t entry[] = {~(1ull << 55), 1ull << 55};
	FILE *f = tmpfile();
	struct pagemap played = {.way = PAGEMAP_READ};

	(void)state;
	assert_non_null(f);
	played.fd = fileno(f);
	assert_int_equal(pwrite(played.fd, entry, sizeof(entry), 0), sizeof(entry));
	assert_int_equal(pagemap_dirtied(&played, 0), 0);
	assert_int_equal(pagemap_dirtied(&played, PC_PAGE), 1);
	assert_int_equal(pagemap_dirtied(&played, 2 * PC_PAGE), -EIO);
	fclose(f);
	played.fd = -1;
	assert_int_equal(pagemap_dirtied(&played, 0), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_then_everything),
	    cmocka_unit_test(alternating_pages),
	    cmocka_unit_test(parts_are_counted_from_their_start),
	    cmocka_unit_test(random_writes_and_drops),
	    cmocka_unit_test(zero_pages_count),
	    cmocka_unit_test(huge_pages_count),
	    cmocka_unit_test(only_private_anonymous_pages_count),
	    cmocka_unit_test(long_ranges_are_counted),
	    cmocka_unit_test(pages_of_a_living_child_are_shared),
	    cmocka_unit_test(errors_are_told),
	    cmocka_unit_test(protection_is_seen),
	    cmocka_unit_test(soft_dirty_bits_are_read),
	};
	char here = 1;
	int failed, read;

	if (pagemap_open(&pm, PAGEMAP_SCANNED) || pagemap_count(&pm, page_floor((pc_addr)&here),
					       page_floor((pc_addr)&here) + PC_PAGE) == -ENOTTY) {
		puts("SKIP: PAGEMAP_SCAN is missing; the entries are read instead");
		failed = 77;
	} else {
		failed = cmocka_run_group_tests_name("by scan", tests, NULL, NULL);
	}
	pm.way = PAGEMAP_READ;
	read = cmocka_run_group_tests_name("by entries", tests, NULL, NULL);
	return read ? read : failed;
}
