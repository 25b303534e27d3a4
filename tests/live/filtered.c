/*
 * A program forbids itself system calls that it does not make, and dies by SIGSYS when one is made: in
 * its name by whoever else is in the process, too. Then it goes on as programs do, also after exec.
 */
#include "host.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <threads.h>

#define LEN (4 * MIB)

/* What neither this program nor libc needs for it, and a library in its place might think of. */
/* clang-format off */
static const int forbidden[] = {
	SYS_getpid,
	SYS_gettid,
	SYS_process_vm_readv,
	SYS_sched_getscheduler,
	SYS_getrlimit,
	SYS_close_range,
	SYS_memfd_create,
	SYS_userfaultfd,
	SYS_tgkill,
	SYS_sched_yield,
	SYS_pidfd_open,
	SYS_eventfd2,
	SYS_futex_waitv,
	SYS_shmctl,
	SYS_flock,
	SYS_ftruncate,
	SYS_readlink,
	SYS_io_uring_setup,
	SYS_process_madvise,
};
/* clang-format on */

#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static int by_prctl(struct sock_fprog *filter)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0);
}

static int by_number(struct sock_fprog *filter)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
}

static void forbid(int (*install)(struct sock_fprog *))
{
	struct sock_filter code[2 * FORBIDDEN + 2], *c = code;
	struct sock_fprog filter = {2 * FORBIDDEN + 2, code};

	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < FORBIDDEN; i++) {
		*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    (unsigned)forbidden[i], 0, 1);
		*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	*c = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	HOST_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	HOST_CHECK(install(&filter) == 0);
}

static void *posix_thread(void *arg)
{
	return arg;
}

static int c11_thread(void *arg)
{
	return arg != NULL;
}

static void have_threads(void)
{
	pthread_t thread;
	thrd_t other;

	HOST_CHECK(pthread_create(&thread, NULL, posix_thread, NULL) == 0);
	HOST_CHECK(pthread_join(thread, NULL) == 0);
	HOST_CHECK(thrd_create(&other, c11_thread, NULL) == thrd_success);
	HOST_CHECK(thrd_join(other, NULL) == thrd_success);
}

static void have_children(void)
{
	pid_t child = fork();

	if (!child)
		exit(0);
	HOST_CHECK(host_reap(child) == 0);
	child = _Fork();
	if (!child)
		_exit(0);
	HOST_CHECK(host_reap(child) == 0);
	child = (pid_t)syscall(SYS_fork);
	if (!child)
		_exit(0);
	HOST_CHECK(host_reap(child) == 0);
}

static void have_memory(void)
{
	char *at = host_map(LEN), *moved;
	struct rlimit limit;

	moved = mremap(at, LEN, 2 * LEN, MREMAP_MAYMOVE);
	HOST_CHECK(moved != MAP_FAILED);
	HOST_CHECK(madvise(moved, PAGE, MADV_WIPEONFORK) == 0);
	HOST_CHECK(madvise(moved, PAGE, MADV_DONTFORK) == 0);
	HOST_CHECK(mlock(moved, PAGE) == 0 && munlock(moved, PAGE) == 0);
	HOST_CHECK(munmap(moved, 2 * LEN) == 0);
	HOST_CHECK(prlimit(0, RLIMIT_AS, NULL, &limit) == 0);
	HOST_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	HOST_CHECK(prlimit(0, RLIMIT_DATA, &limit, NULL) == 0);
	HOST_CHECK(setgid(getgid()) == 0 && setuid(getuid()) == 0);
}

static void go_on(void)
{
	have_threads();
	have_children();
	have_memory();
}

static void filtered(int (*install)(struct sock_fprog *))
{
	pid_t child = fork();
	char *at;

	if (!child) {
		at = host_cold(LEN, 2);
		forbid(install);
		go_on();
		HOST_CHECK(host_same(at, LEN, 2));
		exit(0);
	}
	HOST_CHECK(host_reap(child) == 0);
}

static void filtered_before_exec(const char *self)
{
	pid_t child = fork();

	if (!child) {
		forbid(by_prctl);
		execl(self, self, "inside", NULL);
		_exit(127);
	}
	HOST_CHECK(host_reap(child) == 0);
}

int main(int argc, char **argv)
{
	char *at;

	if (argc == 2) {
		go_on();
		return 0;
	}
	at = host_cold(LEN, 1);
	filtered(by_prctl);
	filtered(by_number);
	filtered_before_exec(argv[0]);
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
