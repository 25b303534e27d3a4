#include "kernel/pins.h"

#include "base/sys.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static int held(void)
{
	return pins_held(getpid());
}

static void links_are_judged(void **state)
{
	static const char *const none[] = {"pipe:[1]",
					   "socket:[22]",
					   "anon_inode:[eventfd]",
					   "anon_inode:[eventpoll]",
					   "anon_inode:inotify",
					   "/memfd:x (deleted)",
					   "pidfd:[3]"};
	static const char *const some[] = {
	    "anon_inode:[io_uring]",	"anon_inode:kvm-vm", "",
	    "anon_inode:[userfaultfd]", "dmabuf:",	     "anon_inode:"};

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(none); i++)
		assert_int_equal(pins_judge_link(none[i]), PIN_NONE);
	for (size_t i = 0; i < PC_ARRAY_LEN(some); i++)
		assert_int_equal(pins_judge_link(some[i]), PIN_SOME);
	assert_int_equal(pins_judge_link("/home/x"), PIN_ASK);
}

static void file_systems_are_judged(void **state)
{
	(void)state;
	assert_false(pins_judge_file_system("ext4"));
	assert_false(pins_judge_file_system("tmpfs"));
	assert_true(pins_judge_file_system("fuse"));
	assert_true(pins_judge_file_system("fuse.sshfs"));
	assert_true(pins_judge_file_system("9p"));
	assert_true(pins_judge_file_system(""));
}

static void ordinary_descriptors_pin_nothing(void **state)
{
	int fd[] = {eventfd(0, 0),
		    epoll_create1(0),
		    socket(AF_UNIX, SOCK_STREAM, 0),
		    open("/dev/zero", O_RDWR),
		    open("/proc/self/status", O_RDONLY),
		    (int)syscall(SYS_memfd_create, "m", 0u)};

	(void)state;
	assert_int_equal(held(), 0);
	for (size_t i = 0; i < PC_ARRAY_LEN(fd); i++)
		close(fd[i]);
}

static void a_direct_file_may_pin(void **state)
{
	char path[] = "/tmp/pins-XXXXXX";
	int fd = mkstemp(path);
	int direct = open(path, O_RDONLY | O_DIRECT);

	(void)state;
	unlink(path);
	close(fd);
	if (direct < 0) {
		print_message("SKIP: O_DIRECT is missing on /tmp\n");
		skip();
	}
	assert_int_equal(held(), 1);
	close(direct);
	assert_int_equal(held(), 0);
}

static void a_ring_may_pin(void **state)
{
	char params[120] = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 4, params);

	(void)state;
	if (ring < 0) {
		print_message("SKIP: io_uring is missing\n");
		skip();
	}
	assert_int_equal(held(), 1);
	close(ring);
	assert_int_equal(held(), 0);
}

static void a_device_may_pin(void **state)
{
	int fd = open("/dev/fuse", O_RDWR);

	(void)state;
	if (fd < 0)
		fd = open("/dev/loop-control", O_RDWR);
	if (fd < 0) {
		print_message("SKIP: no device to open\n");
		skip();
	}
	assert_int_equal(held(), 1);
	close(fd);
}

static void who_is_not_there_cannot_be_told(void **state)
{
	(void)state;
	assert_true(pins_held(1 << 30) < 0);
}

/* The tests themselves may be run with descriptors of any kind. */
static int inherit_little(void **state)
{
	int null = open("/dev/null", O_RDWR);

	(void)state;
	dup2(null, 0);
	syscall(SYS_close_range, 3, ~0u, 0);
	return held() == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(links_are_judged),
	    cmocka_unit_test(file_systems_are_judged),
	    cmocka_unit_test(ordinary_descriptors_pin_nothing),
	    cmocka_unit_test(a_direct_file_may_pin),
	    cmocka_unit_test(a_ring_may_pin),
	    cmocka_unit_test(a_device_may_pin),
	    cmocka_unit_test(who_is_not_there_cannot_be_told),
	};

	return cmocka_run_group_tests(tests, inherit_little, NULL);
}
