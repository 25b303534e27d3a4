/*
 * System calls read from and write to memory that has left: each gets a source and a target that
 * are packed, and must move the same bytes as ever.
 */
#include "host.h"
#include "support/io_ring.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define LEN    (2 * MIB)
#define SOURCE 11
#define TARGET 12

struct buffers {
	char *source, *target;
};

static int file_with_pattern(void)
{
	int fd = memfd_create("live", 0);
	static char pattern[LEN];

	HOST_CHECK(fd >= 0);
	host_fill(pattern, LEN, SOURCE);
	HOST_CHECK(pwrite(fd, pattern, LEN, 0) == (ssize_t)LEN);
	return fd;
}

static void has_pattern(int fd)
{
	static char read_back[LEN];

	HOST_CHECK(pread(fd, read_back, LEN, 0) == (ssize_t)LEN);
	HOST_CHECK(host_same(read_back, LEN, SOURCE));
	close(fd);
}

static void test_write(struct buffers b)
{
	int fd = memfd_create("live", 0);

	HOST_CHECK(write(fd, b.source, LEN) == (ssize_t)LEN);
	has_pattern(fd);
}

static void test_read(struct buffers b)
{
	int fd = file_with_pattern();

	HOST_CHECK(read(fd, b.target, LEN) == (ssize_t)LEN);
	close(fd);
}

static void test_pread(struct buffers b)
{
	int fd = file_with_pattern();

	HOST_CHECK(pread(fd, b.target, LEN / 2, 0) == (ssize_t)LEN / 2);
	HOST_CHECK(pread(fd, b.target + LEN / 2, LEN / 2, LEN / 2) == (ssize_t)LEN / 2);
	close(fd);
}

static void test_readv(struct buffers b)
{
	struct iovec v[2] = {{b.target, PAGE + 24}, {b.target + PAGE + 24, LEN - PAGE - 24}};
	int fd = file_with_pattern();

	HOST_CHECK(readv(fd, v, 2) == (ssize_t)LEN);
	close(fd);
}

static void test_writev(struct buffers b)
{
	struct iovec v[2] = {{b.source, 3 * PAGE - 8},
			     {b.source + 3 * PAGE - 8, LEN - 3 * PAGE + 8}};
	int fd = memfd_create("live", 0);

	HOST_CHECK(writev(fd, v, 2) == (ssize_t)LEN);
	has_pattern(fd);
}

struct transfer {
	int fd;
	char *at;
};

static void *send_all(void *arg)
{
	struct transfer *t = arg;

	for (size_t done = 0; done < LEN;) {
		ssize_t n = send(t->fd, t->at + done, LEN - done, 0);

		HOST_CHECK(n > 0);
		done += (size_t)n;
	}
	return NULL;
}

static void test_send_recv(struct buffers b)
{
	struct transfer t = {.at = b.source};
	pthread_t sender;
	int pair[2];

	HOST_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	t.fd = pair[0];
	HOST_CHECK(pthread_create(&sender, NULL, send_all, &t) == 0);
	for (size_t done = 0; done < LEN;) {
		ssize_t n = recv(pair[1], b.target + done, LEN - done, 0);

		HOST_CHECK(n > 0);
		done += (size_t)n;
	}
	HOST_CHECK(pthread_join(sender, NULL) == 0);
	close(pair[0]);
	close(pair[1]);
}

/* Header, vector and both ends of the data all lie in packed memory. */
static void test_sendmsg(struct buffers b)
{
	struct msghdr *m = (struct msghdr *)(void *)(b.target + 8 * PAGE);
	struct iovec *v = (struct iovec *)(void *)(b.target + 9 * PAGE);
	int pair[2];

	HOST_CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	*v = (struct iovec){b.source, PAGE};
	*m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1};
	host_let_leave(b.target, LEN);
	HOST_CHECK(sendmsg(pair[0], m, 0) == (ssize_t)PAGE);
	HOST_CHECK(recv(pair[1], b.target, PAGE, 0) == (ssize_t)PAGE);
	close(pair[0]);
	close(pair[1]);
	memcpy(b.target + PAGE, b.source + PAGE, LEN - PAGE);
}

static void test_process_vm(struct buffers b)
{
	struct iovec to = {b.target, LEN}, from = {b.source, LEN};

	HOST_CHECK(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)LEN);
	host_let_leave(b.target, LEN);
	HOST_CHECK(process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)LEN);
}

static void test_vmsplice(struct buffers b)
{
	struct iovec v = {b.source, 4 * PAGE};
	int ends[2];

	HOST_CHECK(pipe(ends) == 0);
	HOST_CHECK(vmsplice(ends[1], &v, 1, 0) == (ssize_t)(4 * PAGE));
	host_nap();
	HOST_CHECK(read(ends[0], b.target, 4 * PAGE) == (ssize_t)(4 * PAGE));
	close(ends[0]);
	close(ends[1]);
	memcpy(b.target + 4 * PAGE, b.source + 4 * PAGE, LEN - 4 * PAGE);
}

static void test_poll(struct buffers b)
{
	struct pollfd *p = (struct pollfd *)(void *)b.target;
	int ends[2];

	HOST_CHECK(pipe(ends) == 0);
	HOST_CHECK(write(ends[1], "x", 1) == 1);
	for (unsigned i = 0; i < 1000; i++)
		p[i] = (struct pollfd){.fd = i == 999 ? ends[0] : -1, .events = POLLIN};
	host_let_leave(b.target, LEN);
	HOST_CHECK(poll(p, 1000, 1000) == 1);
	HOST_CHECK(p[999].revents == POLLIN);
	close(ends[0]);
	close(ends[1]);
	memcpy(b.target, b.source, LEN);
}

static void test_paths(struct buffers b)
{
	char *path = b.target + 5 * PAGE - 3; /* across two pages */
	struct stat *st = (struct stat *)(void *)(b.target + 10 * PAGE);

	strcpy(path, "/proc/self/exe");
	host_let_leave(b.target, LEN);
	HOST_CHECK(stat(path, st) == 0);
	HOST_CHECK(S_ISREG(st->st_mode));
	host_let_leave(b.target, LEN);
	HOST_CHECK(readlink(path, b.target + 20 * PAGE - 2, 1000) > 2);
	HOST_CHECK(b.target[20 * PAGE - 2] == '/');
	memcpy(b.target, b.source, LEN);
}

static void test_getrandom(struct buffers b)
{
	HOST_CHECK(getrandom(b.target, LEN, 0) == (ssize_t)LEN);
	HOST_CHECK(!host_same(b.target, PAGE, TARGET));
	memcpy(b.target, b.source, LEN);
}

static void *wake_later(void *arg)
{
	host_nap();
	__atomic_store_n((uint32_t *)arg, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, arg, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

static void test_futex(struct buffers b)
{
	uint32_t *word = (uint32_t *)(void *)b.target;
	struct timespec soon = {0, 1000000},
			*timeout = (struct timespec *)(void *)(b.target + PAGE);
	pthread_t waker;

	*word = 0;
	*timeout = soon;
	host_let_leave(b.target, LEN);
	HOST_CHECK(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, timeout, NULL, 0) == -1);
	HOST_CHECK(errno == EAGAIN);
	host_let_leave(b.target, LEN);
	HOST_CHECK(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, timeout, NULL, 0) == -1);
	HOST_CHECK(errno == ETIMEDOUT);
	HOST_CHECK(pthread_create(&waker, NULL, wake_later, word) == 0);
	while (!__atomic_load_n(word, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	HOST_CHECK(pthread_join(waker, NULL) == 0);
	memcpy(b.target, b.source, LEN);
}

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
}

/* The kernel writes the signal frame itself. */
static void test_sigaltstack(struct buffers b)
{
	stack_t stack = {.ss_sp = b.target, .ss_size = LEN};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

	HOST_CHECK(sigaltstack(&stack, NULL) == 0);
	HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	host_let_leave(b.target, LEN);
	HOST_CHECK(raise(SIGUSR1) == 0);
	HOST_CHECK(signalled);
	stack.ss_flags = SS_DISABLE;
	HOST_CHECK(sigaltstack(&stack, NULL) == 0);
	memcpy(b.target, b.source, LEN);
}

static void test_direct_io(struct buffers b)
{
	char path[] = "/var/tmp/live.XXXXXX";
	int plain = mkstemp(path), fd;

	HOST_CHECK(plain >= 0);
	close(plain);
	fd = open(path, O_RDWR | O_DIRECT);
	unlink(path);
	if (fd < 0) { /* tmpfs: nothing to test */
		memcpy(b.target, b.source, LEN);
		return;
	}
	HOST_CHECK(pwrite(fd, b.source, LEN, 0) == (ssize_t)LEN);
	HOST_CHECK(pread(fd, b.target, LEN, 0) == (ssize_t)LEN);
	close(fd);
}

static void test_mlock(struct buffers b)
{
	HOST_CHECK(mlock(b.target, LEN) == 0 || errno == ENOMEM || errno == EPERM);
	HOST_CHECK(host_same(b.target, LEN, TARGET));
	munlock(b.target, LEN);
	memcpy(b.target, b.source, LEN);
}

/* First from plain memory, then into a registered buffer, which stays pinned. */
static void test_io_uring(struct buffers b)
{
	struct io_uring_sqe sqe;
	struct io_ring r;
	int fd = memfd_create("live", 0);

	if (!io_ring_open(&r)) {
		memcpy(b.target, b.source, LEN);
		close(fd);
		return;
	}
	sqe = (struct io_uring_sqe){
	    .opcode = IORING_OP_WRITE, .fd = fd, .addr = (uintptr_t)b.source, .len = LEN};
	HOST_CHECK(io_ring_do(&r, sqe) == (int)LEN);
	HOST_CHECK(io_ring_pin(&r, b.target, LEN) == 0);
	host_nap();
	sqe = (struct io_uring_sqe){
	    .opcode = IORING_OP_READ_FIXED, .fd = fd, .addr = (uintptr_t)b.target, .len = LEN};
	HOST_CHECK(io_ring_do(&r, sqe) == (int)LEN);
	io_ring_close(&r);
	has_pattern(fd);
}

static const struct {
	const char *name;
	void (*test)(struct buffers);
} tests[] = {
    {"write", test_write},	    {"read", test_read},
    {"pread", test_pread},	    {"readv", test_readv},
    {"writev", test_writev},	    {"send and recv", test_send_recv},
    {"sendmsg", test_sendmsg},	    {"process_vm_readv and writev", test_process_vm},
    {"vmsplice", test_vmsplice},    {"poll", test_poll},
    {"paths", test_paths},	    {"getrandom", test_getrandom},
    {"futex", test_futex},	    {"sigaltstack", test_sigaltstack},
    {"direct I/O", test_direct_io}, {"mlock", test_mlock},
    {"io_uring", test_io_uring},
};

/* A test leaves the source as it was, and the target either untouched or equal to the source. */
int main(void)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct buffers b = {host_cold(LEN, SOURCE), host_cold(LEN, TARGET)};

		printf("%s\n", tests[i].name);
		fflush(stdout);
		tests[i].test(b);
		HOST_CHECK(host_same(b.source, LEN, SOURCE));
		HOST_CHECK(host_same(b.target, LEN, SOURCE) || host_same(b.target, LEN, TARGET));
		munmap(b.source, LEN);
		munmap(b.target, LEN);
	}
	return 0;
}
