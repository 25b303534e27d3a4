/*
 * What the kernel answers, as the rest of the pager sees it: every errno its result, partial work
 * honoured, every message decoded; and the ioctls carry what was meant. Then, of the calls with
 * which pages are protected, that the kernel of this machine does what flow/shed.h takes for
 * granted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "kernel/uapi.h"
#include "kernel/uffd.h"

#define FD	9
#define TO	0x7f0000001000ull
#define FROM	0x7f0000800000ull
#define STORIES 8u

#define DIED 99

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2);

_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2)
{
	(void)what;
	(void)fact1;
	(void)fact2;
	_exit(DIED);
}

/* The kernel of these tests: one answer for each call, noted as it was asked. */
static struct {
	long answer;
	long long count; /* what it says to have moved or copied */
	unsigned long request;
	union {
		struct uffdio_move move;
		struct uffdio_copy copy;
		struct uffdio_zeropage zero;
		struct uffdio_register reg;
		struct uffdio_range range;
		struct uffdio_writeprotect protect;
	} arg;
	struct uffd_msg message;
	/* for opening */
	long device, ioc_new, syscall_fd;
	uint64_t features_refused;
	int next_fd, closed[STORIES];
	unsigned closes;
	bool real; /* all calls go to the machine's own */
} kernel;

static long answer_ioctl(int fd, unsigned long request, void *arg)
{
	struct uffdio_api *api = arg;

	if (request == USERFAULTFD_IOC_NEW)
		return kernel.ioc_new < 0 ? kernel.ioc_new : kernel.next_fd++;
	if (request == UFFDIO_API)
		return api->features & kernel.features_refused ? -EINVAL : 0;
	assert_int_equal(fd, FD);
	kernel.request = request;
	memcpy(&kernel.arg, arg, _IOC_SIZE(request));
	if (request == UFFDIO_MOVE)
		((struct uffdio_move *)arg)->move = kernel.count;
	if (request == UFFDIO_COPY)
		((struct uffdio_copy *)arg)->copy = kernel.count;
	return kernel.answer;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (kernel.real)
		return __real_sys_call(nr, a, b, c, d, e, f);
	switch (nr) {
	case __NR_ioctl:
		return answer_ioctl((int)a, (unsigned long)b, (void *)c);
	case __NR_openat:
		return kernel.device;
	case __NR_userfaultfd:
		return kernel.syscall_fd < 0 ? kernel.syscall_fd : kernel.next_fd++;
	case __NR_close:
		kernel.closed[kernel.closes++ % STORIES] = (int)a;
		return 0;
	case __NR_read:
		assert_int_equal(a, FD);
		if (kernel.answer >= 0)
			memcpy((void *)b, &kernel.message, (size_t)c);
		return kernel.answer;
	}
	fail_msg("system call %ld", nr);
	return 0;
}

static const struct uffd uffd = {.fd = FD};

static int start(void **unused)
{
	(void)unused;
	memset(&kernel, 0, sizeof(kernel));
	kernel.next_fd = 100;
	kernel.device = 50;
	return 0;
}

/* ---- results -------------------------------------------------------------------------------- */

static const struct {
	int error;
	enum uffd_result result;
} results[] = {
    {0, UFFD_DONE},	    {EAGAIN, UFFD_AGAIN}, {EEXIST, UFFD_EXISTS},
    {ENOENT, UFFD_GONE},    {ESRCH, UFFD_GONE},	  {EBUSY, UFFD_BUSY},
    {EINVAL, UFFD_INVALID}, {ENOMEM, UFFD_NOMEM}, {EPERM, UFFD_FAILED},
};

static void test_every_error_has_its_result(void **unused)
{
	uint64_t done;
	int error;

	(void)unused;
	for (unsigned i = 0; i < PC_ARRAY_LEN(results); i++) {
		kernel.answer = -results[i].error;
		kernel.count = kernel.answer;
		assert_int_equal(uffd_move(&uffd, TO, FROM, PC_PAGE, &done, &error),
				 results[i].result);
		assert_int_equal(error, -results[i].error);
		assert_int_equal(done, 0);
		assert_int_equal(uffd_copy(&uffd, TO, NULL, PC_PAGE, true, &done, &error),
				 results[i].result);
		assert_int_equal(done, 0);
		assert_int_equal(uffd_zero(&uffd, TO, PC_PAGE), results[i].result);
		assert_int_equal(uffd_protect(&uffd, TO, TO + PC_PAGE), results[i].result);
		assert_int_equal(uffd_unprotect(&uffd, TO, TO + PC_PAGE), results[i].result);
	}
}

static void test_partial_work_counts(void **unused)
{
	uint64_t done;
	int error;

	(void)unused;
	kernel.answer = -EAGAIN;
	kernel.count = 3 * PC_PAGE;
	assert_int_equal(uffd_move(&uffd, TO, FROM, 8 * PC_PAGE, &done, &error), UFFD_AGAIN);
	assert_int_equal(done, 3 * PC_PAGE);
	assert_int_equal(uffd_copy(&uffd, TO, NULL, 8 * PC_PAGE, true, &done, &error), UFFD_AGAIN);
	assert_int_equal(done, 3 * PC_PAGE);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static void test_a_move_allows_no_holes(void **unused)
{
	uint64_t done;
	int error;

	(void)unused;
	uffd_move(&uffd, TO, FROM, UFFD_MOVE_MAX, &done, &error);
	assert_int_equal(kernel.request, UFFDIO_MOVE);
	assert_int_equal(kernel.arg.move.dst, TO);
	assert_int_equal(kernel.arg.move.src, FROM);
	assert_int_equal(kernel.arg.move.len, UFFD_MOVE_MAX);
	assert_int_equal(kernel.arg.move.mode, 0);
}

static void test_a_copy_wakes_if_asked(void **unused)
{
	uint64_t done;
	int error;

	(void)unused;
	uffd_copy(&uffd, TO, &kernel, 2 * PC_PAGE, true, &done, &error);
	assert_int_equal(kernel.request, UFFDIO_COPY);
	assert_int_equal(kernel.arg.copy.dst, TO);
	assert_int_equal(kernel.arg.copy.src, (uint64_t)&kernel);
	assert_int_equal(kernel.arg.copy.len, 2 * PC_PAGE);
	assert_int_equal(kernel.arg.copy.mode, 0);
	uffd_copy(&uffd, TO, &kernel, PC_PAGE, false, &done, &error);
	assert_int_equal(kernel.arg.copy.mode, UFFDIO_COPY_MODE_DONTWAKE);
}

static void test_ranges_are_passed_as_start_and_length(void **unused)
{
	(void)unused;
	uffd_register(&uffd, TO, TO + 5 * PC_PAGE);
	assert_int_equal(kernel.request, UFFDIO_REGISTER);
	assert_int_equal(kernel.arg.reg.range.start, TO);
	assert_int_equal(kernel.arg.reg.range.len, 5 * PC_PAGE);
	assert_int_equal(kernel.arg.reg.mode, UFFDIO_REGISTER_MODE_MISSING);
	uffd_unregister(&uffd, TO, TO + 2 * PC_PAGE);
	assert_int_equal(kernel.request, UFFDIO_UNREGISTER);
	assert_int_equal(kernel.arg.range.len, 2 * PC_PAGE);
	uffd_wake(&uffd, TO, TO + PC_PAGE);
	assert_int_equal(kernel.request, UFFDIO_WAKE);
	assert_int_equal(kernel.arg.range.start, TO);
	assert_int_equal(kernel.arg.range.len, PC_PAGE);
	uffd_zero(&uffd, TO, PC_PAGE);
	assert_int_equal(kernel.request, UFFDIO_ZEROPAGE);
	assert_int_equal(kernel.arg.zero.range.start, TO);
	assert_int_equal(kernel.arg.zero.mode, 0);
}

static void test_what_protects_registers_for_it(void **unused)
{
	const struct uffd protecting = {.fd = FD, .protects = true};

	(void)unused;
	uffd_register(&protecting, TO, TO + PC_PAGE);
	assert_int_equal(kernel.arg.reg.mode,
			 UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	uffd_protect(&protecting, TO, TO + 3 * PC_PAGE);
	assert_int_equal(kernel.request, UFFDIO_WRITEPROTECT);
	assert_int_equal(kernel.arg.protect.range.start, TO);
	assert_int_equal(kernel.arg.protect.range.len, 3 * PC_PAGE);
	assert_int_equal(kernel.arg.protect.mode, UFFDIO_WRITEPROTECT_MODE_WP);
	/* Without DONTWAKE: who waits is woken. */
	uffd_unprotect(&protecting, TO, TO + 3 * PC_PAGE);
	assert_int_equal(kernel.arg.protect.mode, 0);
}

static void test_a_pending_event_is_seen(void **unused)
{
	(void)unused;
	kernel.answer = -EAGAIN;
	assert_true(uffd_pending(&uffd));
	assert_int_equal(kernel.arg.zero.range.len, 0);
	kernel.answer = -EINVAL;
	assert_false(uffd_pending(&uffd));
	kernel.answer = -EBUSY;
	assert_true(uffd_pending(&uffd));
}

static int exit_of_move(uint64_t from, uint64_t len)
{
	pid_t pid = fork();
	uint64_t done;
	int error, status;

	if (pid == 0) {
		uffd_move(&uffd, TO, from, len, &done, &error);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

/* Hazard N4: no move may ever take a whole huge page. */
static void test_moves_that_could_be_huge_end_the_process(void **unused)
{
	(void)unused;
	assert_int_equal(exit_of_move(FROM, PC_PAGE), 0);
	assert_int_equal(exit_of_move(FROM, UFFD_MOVE_MAX + PC_PAGE), DIED);
	assert_int_equal(exit_of_move(TO + 8 * PC_UNIT, PC_PAGE), DIED);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void test_nothing_to_read_is_no_error(void **unused)
{
	struct uffd_event e;

	(void)unused;
	kernel.answer = -EAGAIN;
	assert_int_equal(uffd_read(&uffd, &e), 0);
	kernel.answer = -EINTR;
	assert_int_equal(uffd_read(&uffd, &e), 0);
	kernel.answer = -EBADF;
	assert_int_equal(uffd_read(&uffd, &e), -EBADF);
}

static struct uffd_event read_back(void)
{
	struct uffd_event e;

	kernel.answer = sizeof(kernel.message);
	assert_int_equal(uffd_read(&uffd, &e), 1);
	return e;
}

static void test_a_fault_is_of_its_page(void **unused)
{
	struct uffd_event e;

	(void)unused;
	kernel.message.event = UFFD_EVENT_PAGEFAULT;
	kernel.message.arg.pagefault.address = TO + 123;
	kernel.message.arg.pagefault.flags = UFFD_PAGEFAULT_FLAG_WRITE;
	kernel.message.arg.pagefault.feat.ptid = 77;
	e = read_back();
	assert_int_equal(e.kind, UFFD_FAULT);
	assert_int_equal(e.start, TO);
	assert_int_equal(e.end, TO + PC_PAGE);
	assert_int_equal(e.thread, 77);
	assert_true(e.write && !e.wp && !e.minor);
	kernel.message.arg.pagefault.flags = UFFD_PAGEFAULT_FLAG_WP;
	e = read_back();
	assert_true(!e.write && e.wp);
}

static void test_unmap_and_remove_have_a_range(void **unused)
{
	const struct {
		uint8_t event;
		enum uffd_event_kind kind;
	} both[] = {{UFFD_EVENT_UNMAP, UFFD_UNMAP}, {UFFD_EVENT_REMOVE, UFFD_REMOVE}};

	(void)unused;
	for (unsigned i = 0; i < PC_ARRAY_LEN(both); i++) {
		struct uffd_event e;

		kernel.message.event = both[i].event;
		kernel.message.arg.remove.start = TO;
		kernel.message.arg.remove.end = TO + 3 * PC_PAGE;
		e = read_back();
		assert_int_equal(e.kind, both[i].kind);
		assert_int_equal(e.start, TO);
		assert_int_equal(e.end, TO + 3 * PC_PAGE);
	}
}

static void test_a_remap_has_two_places(void **unused)
{
	struct uffd_event e;

	(void)unused;
	kernel.message.event = UFFD_EVENT_REMAP;
	kernel.message.arg.remap.from = FROM;
	kernel.message.arg.remap.to = TO;
	kernel.message.arg.remap.len = 4 * PC_PAGE;
	e = read_back();
	assert_int_equal(e.kind, UFFD_REMAP);
	assert_int_equal(e.start, FROM);
	assert_int_equal(e.end, FROM + 4 * PC_PAGE);
	assert_int_equal(e.to, TO);
}

static void test_an_unknown_message_is_said_to_be(void **unused)
{
	(void)unused;
	kernel.message.event = 0x77;
	assert_int_equal(read_back().kind, UFFD_UNKNOWN);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void test_the_device_comes_first(void **unused)
{
	struct uffd u;

	(void)unused;
	kernel.syscall_fd = -EPERM;
	assert_int_equal(uffd_open(&u), 0);
	assert_int_equal(u.fd, 100);
	assert_true(u.thread_id);
	assert_int_equal(kernel.closes, 1);
	assert_int_equal(kernel.closed[0], 50);
}

static void test_without_the_device_the_system_call_serves(void **unused)
{
	struct uffd u;

	(void)unused;
	kernel.device = -EACCES;
	assert_int_equal(uffd_open(&u), 0);
	assert_int_equal(u.fd, 100);
}

static void test_thread_ids_are_optional(void **unused)
{
	struct uffd u;

	(void)unused;
	kernel.device = -ENOENT;
	kernel.features_refused = UFFD_FEATURE_THREAD_ID;
	assert_int_equal(uffd_open(&u), 0);
	assert_int_equal(u.fd, 101);
	assert_false(u.thread_id);
	assert_int_equal(kernel.closed[0], 100);
}

static void test_events_are_not(void **unused)
{
	struct uffd u;

	(void)unused;
	kernel.device = -ENOENT;
	kernel.features_refused = UFFD_FEATURE_EVENT_REMAP;
	assert_int_equal(uffd_open(&u), -EINVAL);
	assert_int_equal(u.fd, -1);
	assert_int_equal(kernel.closes, 2);
}

static void test_no_permission_is_said(void **unused)
{
	struct uffd u;

	(void)unused;
	kernel.device = -EACCES;
	kernel.syscall_fd = -EPERM;
	assert_int_equal(uffd_open(&u), -EPERM);
	assert_int_equal(u.fd, -1);
	uffd_close(&u);
	assert_int_equal(kernel.closes, 0);
}

/* ---- the machine's own kernel ---------------------------------------------------------------- */

#define PAGES	   8u
#define REAL(test) cmocka_unit_test_setup_teardown(test, start_real, stop_real)

/* Memory that a userfaultfd of the protecting kind has registered; page 6 is absent. */
static struct {
	struct uffd fd;
	uint8_t *at;
	pc_addr start;
} ours;

static pc_addr page(unsigned i)
{
	return ours.start + i * PC_PAGE;
}

static int start_real(void **unused)
{
	start(unused);
	kernel.real = true;
	ours.at =
	    mmap(NULL, PAGES * PC_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ours.at == MAP_FAILED)
		return -1;
	ours.start = (pc_addr)ours.at;
	for (unsigned i = 0; i < PAGES; i++)
		if (i != 6)
			ours.at[i * PC_PAGE] = 1;
	if (uffd_open_protecting(&ours.fd))
		return 0;
	return uffd_register(&ours.fd, page(0), page(PAGES));
}

static int stop_real(void **unused)
{
	(void)unused;
	uffd_close(&ours.fd);
	return munmap(ours.at, PAGES * PC_PAGE);
}

static void want_userfaultfd(void)
{
	if (ours.fd.fd >= 0)
		return;
	print_message("SKIP: userfaultfd is not permitted, or cannot protect\n");
	skip();
}

/* The next message; the test fails if none comes. */
static struct uffd_event next_message(void)
{
	struct pollfd p = {.fd = ours.fd.fd, .events = POLLIN};
	struct uffd_event e;

	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(uffd_read(&ours.fd, &e), 1);
	return e;
}

static void no_message(void)
{
	struct uffd_event e;

	assert_int_equal(uffd_read(&ours.fd, &e), 0);
}

/* Atomic, for others look at the byte while it is being written. */
static void *write_byte(void *at)
{
	__atomic_store_n((uint8_t *)at, 7, __ATOMIC_RELAXED);
	return NULL;
}

static int byte_at(unsigned i)
{
	return __atomic_load_n((uint8_t *)ours.at + i * PC_PAGE, __ATOMIC_RELAXED);
}

static void *read_byte(void *at)
{
	return (void *)(uintptr_t) * (volatile uint8_t *)at;
}

static void *unmap_page(void *at)
{
	return (void *)(intptr_t)munmap(at, PC_PAGE);
}

static pthread_t begin(void *(*fn)(void *), unsigned i)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, ours.at + i * PC_PAGE), 0);
	return thread;
}

static uintptr_t end(pthread_t thread)
{
	void *ret;

	assert_int_equal(pthread_join(thread, &ret), 0);
	return (uintptr_t)ret;
}

static void test_a_write_waits_until_it_is_let_through(void **unused)
{
	struct uffd_event e;
	pthread_t writer;

	(void)unused;
	want_userfaultfd();
	assert_int_equal(uffd_protect(&ours.fd, page(1), page(3)), UFFD_DONE);
	writer = begin(write_byte, 2);
	e = next_message();
	assert_int_equal(e.kind, UFFD_FAULT);
	assert_int_equal(e.start, page(2));
	assert_true(e.wp && e.write && !e.minor);
	assert_int_equal(byte_at(2), 1);
	/* Its neighbour's protection is another matter. */
	assert_int_equal(uffd_unprotect(&ours.fd, page(1), page(2)), UFFD_DONE);
	usleep(20000);
	assert_int_equal(byte_at(2), 1);
	assert_int_equal(uffd_unprotect(&ours.fd, page(2), page(3)), UFFD_DONE);
	end(writer);
	assert_int_equal(byte_at(2), 7);
	write_byte(ours.at + PC_PAGE);
	no_message();
}

/* Taken while a write waits: what the copy brings is what it writes to. */
static void test_a_copy_wakes_who_waited_to_write(void **unused)
{
	static uint8_t bytes[PC_PAGE] = {3, 4};
	pthread_t writer;
	uint64_t done;
	int error;

	(void)unused;
	want_userfaultfd();
	assert_int_equal(uffd_protect(&ours.fd, page(4), page(5)), UFFD_DONE);
	writer = begin(write_byte, 4);
	assert_true(next_message().wp);
	assert_int_equal(madvise(ours.at + 4 * PC_PAGE, PC_PAGE, MADV_DONTNEED), 0);
	assert_int_equal(uffd_copy(&ours.fd, page(4), bytes, PC_PAGE, true, &done, &error),
			 UFFD_DONE);
	end(writer);
	assert_int_equal(ours.at[4 * PC_PAGE], 7);
	assert_int_equal(ours.at[4 * PC_PAGE + 1], 4);
	no_message();
}

/* Discards raise nothing, absent pages are not protected, and zeros come to who waits. */
static void test_what_is_absent_is_filled_unprotected(void **unused)
{
	pthread_t reader;
	struct uffd_event e;

	(void)unused;
	want_userfaultfd();
	assert_int_equal(uffd_protect(&ours.fd, page(5), page(7)), UFFD_DONE);
	assert_int_equal(madvise(ours.at + 5 * PC_PAGE, PC_PAGE, MADV_DONTNEED), 0);
	no_message();
	reader = begin(read_byte, 6);
	e = next_message();
	assert_int_equal(e.start, page(6));
	assert_true(!e.wp && !e.write);
	assert_int_equal(uffd_zero(&ours.fd, page(5), 2 * PC_PAGE), UFFD_DONE);
	assert_int_equal(end(reader), 0);
	write_byte(ours.at + 5 * PC_PAGE);
	write_byte(ours.at + 6 * PC_PAGE);
	no_message();
	assert_int_equal(uffd_zero(&ours.fd, page(5), PC_PAGE), UFFD_EXISTS);
}

/* Until the report has been read nothing is protected, and nothing let through. */
static void test_a_pending_unmap_refuses_protection(void **unused)
{
	struct uffd_event e;
	pthread_t unmapper;
	bool pending = false;

	(void)unused;
	want_userfaultfd();
	assert_false(uffd_pending(&ours.fd));
	unmapper = begin(unmap_page, 0);
	for (unsigned tries = 0; !pending && tries < 30000; tries++) {
		pending = uffd_pending(&ours.fd);
		usleep(1000);
	}
	assert_true(pending);
	assert_int_equal(uffd_protect(&ours.fd, page(1), page(2)), UFFD_AGAIN);
	assert_int_equal(uffd_unprotect(&ours.fd, page(1), page(2)), UFFD_AGAIN);
	e = next_message();
	assert_int_equal(e.kind, UFFD_UNMAP);
	assert_int_equal(e.start, page(0));
	assert_int_equal(end(unmapper), 0);
	assert_false(uffd_pending(&ours.fd));
	assert_int_equal(uffd_protect(&ours.fd, page(1), page(2)), UFFD_DONE);
}

static void test_only_registered_memory_is_protected(void **unused)
{
	(void)unused;
	want_userfaultfd();
	assert_int_equal(uffd_protect(&ours.fd, page(1), page(4)), UFFD_DONE);
	/* With the registration the protection goes: nobody would answer. */
	assert_int_equal(uffd_unregister(&ours.fd, page(2), page(4)), 0);
	write_byte(ours.at + 2 * PC_PAGE);
	assert_int_equal(uffd_protect(&ours.fd, page(2), page(3)), UFFD_GONE);
	/* What came before the part that is not registered may have been done, or not. */
	assert_int_equal(uffd_protect(&ours.fd, page(0), page(3)), UFFD_GONE);
	end(begin(write_byte, 3));
	assert_int_equal(uffd_unprotect(&ours.fd, page(0), page(2)), UFFD_DONE);
	write_byte(ours.at);
	no_message();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_every_error_has_its_result, start),
	    cmocka_unit_test_setup(test_partial_work_counts, start),
	    cmocka_unit_test_setup(test_a_move_allows_no_holes, start),
	    cmocka_unit_test_setup(test_a_copy_wakes_if_asked, start),
	    cmocka_unit_test_setup(test_ranges_are_passed_as_start_and_length, start),
	    cmocka_unit_test_setup(test_what_protects_registers_for_it, start),
	    cmocka_unit_test_setup(test_a_pending_event_is_seen, start),
	    cmocka_unit_test_setup(test_moves_that_could_be_huge_end_the_process, start),
	    cmocka_unit_test_setup(test_nothing_to_read_is_no_error, start),
	    cmocka_unit_test_setup(test_a_fault_is_of_its_page, start),
	    cmocka_unit_test_setup(test_unmap_and_remove_have_a_range, start),
	    cmocka_unit_test_setup(test_a_remap_has_two_places, start),
	    cmocka_unit_test_setup(test_an_unknown_message_is_said_to_be, start),
	    cmocka_unit_test_setup(test_the_device_comes_first, start),
	    cmocka_unit_test_setup(test_without_the_device_the_system_call_serves, start),
	    cmocka_unit_test_setup(test_thread_ids_are_optional, start),
	    cmocka_unit_test_setup(test_events_are_not, start),
	    cmocka_unit_test_setup(test_no_permission_is_said, start),
	    REAL(test_a_write_waits_until_it_is_let_through),
	    REAL(test_a_copy_wakes_who_waited_to_write),
	    REAL(test_what_is_absent_is_filled_unprotected),
	    REAL(test_a_pending_unmap_refuses_protection),
	    REAL(test_only_registered_memory_is_protected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
