#include "kernel/anchor.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Counts down to the system call that fails; -1 for none. close and munmap are not failed. */
static int fail_in = -1;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != __NR_close && nr != __NR_munmap && fail_in >= 0 && fail_in-- == 0)
		return -EPERM;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned ring_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	unsigned n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "io_uring") != NULL;
	fclose(maps);
	return n;
}

/* True if the other end of the pipe is closed within `ms`. The ring is taken down by a worker. */
static bool hangs_up(int fd, int ms)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, ms) == 1 && (p.revents & POLLHUP);
}

#define AT_ONCE	   200
#define IN_A_WHILE 20000

static void file_outlives_its_descriptors(void **state)
{
	const unsigned before = open_descriptors();
	struct anchor a;
	int ends[2];
	char c;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(anchor_hold(&a, ends[1]), 0);
	assert_non_null(a.ring);
	assert_int_equal(write(ends[1], "x", 1), 1);
	close(ends[1]);
	assert_int_equal(open_descriptors(), before + 1);
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_false(hangs_up(ends[0], AT_ONCE));
	anchor_drop(&a);
	assert_null(a.ring);
	assert_true(hangs_up(ends[0], IN_A_WHILE));
	assert_int_equal(read(ends[0], &c, 1), 0);
	close(ends[0]);
	assert_int_equal(ring_mappings(), 0);
}

/* The file lives as long as the process, whatever becomes of its descriptors. */
static void file_ends_with_the_process(void **state)
{
	int held[2], go[2], status;
	struct anchor a;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(held), 0);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		close(go[1]);
		if (anchor_hold(&a, held[1]))
			_exit(1);
		close(held[1]);
		_exit(read(go[0], &c, 1) == 0 ? 0 : 2);
	}
	close(held[1]);
	close(go[0]);
	assert_false(hangs_up(held[0], AT_ONCE));
	close(go[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(hangs_up(held[0], IN_A_WHILE));
	close(held[0]);
}

/* By both ways to look, in place, mapped over by memory or by a ring, and gone. */
static void what_lies_in_its_place_is_told(void **state)
{
	int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), ends[2];
	const bool queried = !vma_query(maps, (pc_addr)&maps, &(struct vma){0});
	struct anchor a, other;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(anchor_hold(&a, ends[1]), 0);
	assert_int_equal(anchor_hold(&other, ends[1]), 0);
	assert_true(anchor_holds(&a, vma_search, maps));
	assert_true(anchor_holds(&other, vma_search, maps));
	if (queried)
		assert_true(anchor_holds(&a, vma_query, maps));
	assert_ptr_equal(mmap(a.ring, a.bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 a.ring);
	assert_false(anchor_holds(&a, vma_search, maps));
	if (queried)
		assert_false(anchor_holds(&a, vma_query, maps));
	assert_true(anchor_holds(&other, vma_search, maps));
	assert_int_equal(munmap(a.ring, a.bytes), 0);
	assert_false(anchor_holds(&a, vma_search, maps));
	a = (struct anchor){0};
	assert_false(anchor_holds(&a, vma_search, maps));
	anchor_drop(&other);
	close(ends[0]);
	close(ends[1]);
	close(maps);
}

static void child_does_not_inherit(void **state)
{
	int ends[2], status;
	struct anchor a;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(anchor_hold(&a, ends[1]), 0);
	child = fork();
	if (child == 0)
		_exit(msync(a.ring, a.bytes, MS_ASYNC) && errno == ENOMEM ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(msync(a.ring, a.bytes, MS_ASYNC), 0);
	anchor_drop(&a);
	close(ends[0]);
	close(ends[1]);
}

static void bad_descriptor_is_refused(void **state)
{
	const unsigned before = open_descriptors();
	struct anchor a;

	(void)state;
	assert_int_equal(anchor_hold(&a, 9999), -EBADF);
	assert_null(a.ring);
	anchor_drop(&a); /* nothing to drop */
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(ring_mappings(), 0);
}

static void every_failure_leaves_nothing_behind(void **state)
{
	const unsigned before = open_descriptors();
	struct anchor a;
	int ends[2];
	int err, k;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (k = 0;; k++) {
		fail_in = k;
		err = anchor_hold(&a, ends[1]);
		if (fail_in >= 0)
			break;
		assert_int_equal(err, -EPERM);
		assert_null(a.ring);
		assert_int_equal(open_descriptors(), before + 2);
		assert_int_equal(ring_mappings(), 0);
	}
	fail_in = -1;
	assert_int_equal(err, 0);
	assert_int_equal(k, 5); /* set up, register, ask its number, map, keep from children */
	anchor_drop(&a);
	close(ends[1]);
	assert_true(hangs_up(ends[0], IN_A_WHILE));
	close(ends[0]);
}

static void probe_leaves_nothing_behind(void **state)
{
	const unsigned before = open_descriptors();
	int k;

	(void)state;
	for (k = 0;; k++) {
		int err;

		fail_in = k;
		err = anchor_probe();
		if (fail_in >= 0) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -EPERM);
	}
	fail_in = -1;
	assert_int_equal(k, 6);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(ring_mappings(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(file_outlives_its_descriptors),
	    cmocka_unit_test(file_ends_with_the_process),
	    cmocka_unit_test(what_lies_in_its_place_is_told),
	    cmocka_unit_test(child_does_not_inherit),
	    cmocka_unit_test(bad_descriptor_is_refused),
	    cmocka_unit_test(every_failure_leaves_nothing_behind),
	    cmocka_unit_test(probe_leaves_nothing_behind),
	};

	if (anchor_probe()) {
		puts("SKIP: io_uring is missing");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
