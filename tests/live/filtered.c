/*
 * A program forbids itself system calls that it does not make, and dies by SIGSYS when one is made: in
 * its name by whoever else is in the process, too. Then it goes on as programs do, also after exec.
 */
#include "host.h"
#include "support/forbid.h"

#include <pthread.h>
#include <sys/resource.h>
#include <threads.h>

#define LEN (4 * MIB)

static int by_prctl(struct sock_fprog *filter)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0);
}

static int by_number(struct sock_fprog *filter)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
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
		HOST_CHECK(forbid(install) == 0);
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
		HOST_CHECK(forbid(by_prctl) == 0);
		execl(self, self, "inside", NULL);
		_exit(127);
	}
	HOST_CHECK(host_reap(child) == 0);
}

/* The library leaves it alone from its start on, and is asked for a report. */
static void left_alone(const char *self)
{
	pid_t child = fork();

	if (!child) {
		setenv("PREDICOMP_EXCEPT", "filtered", 1);
		setenv("PREDICOMP_SUMMARY", "/dev/null", 1);
		execl(self, self, "inside", "filters", NULL);
		_exit(127);
	}
	HOST_CHECK(host_reap(child) == 0);
}

/* Calls that libc makes in other places, but not in the program's next steps. */
static void narrow(void)
{
	const int calls[] = {SYS_rt_sigprocmask, SYS_prlimit64};
	struct rlimit limit;
	pid_t child = fork();
	char *at;

	if (!child) {
		at = host_cold(LEN, 2);
		HOST_CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
		HOST_CHECK(madvise(at, PAGE, MADV_DONTFORK) == 0);
		HOST_CHECK(forbid_these(by_prctl, calls, 2) == 0);
		HOST_CHECK(munmap(at, LEN) == 0);
		HOST_CHECK(syscall(SYS_setrlimit, RLIMIT_CORE, &limit) == 0);
		_exit(0);
	}
	HOST_CHECK(host_reap(child) == 0);
}

int main(int argc, char **argv)
{
	char *at;

	if (argc >= 2) {
		HOST_CHECK(argc == 2 || forbid(by_prctl) == 0);
		go_on();
		return 0;
	}
	at = host_cold(LEN, 1);
	filtered(by_prctl);
	filtered(by_number);
	filtered_before_exec(argv[0]);
	left_alone(argv[0]);
	narrow();
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
