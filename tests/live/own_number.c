/*
 * A process that shares this one's memory, in a PID namespace of its own where both have the number 1,
 * is not the one whose pager it is: what it asks of libc does not move the pager into it, where it would
 * keep the process alive, or end with it.
 */
#include "host.h"

#include <pthread.h>
#include <sched.h>

#define LEN    (4 * MIB)
#define STACK  (256ul << 10)
#define STUCK  20u /* seconds */
#define TIMES  20u
#define PAUSED 150u

static char *memory, *stack;
static bool enough;

/* The first process of a namespace has no alarm that would end it. */
static void *watch(void *unused)
{
	sleep(STUCK);
	HOST_FAIL("not at its end after %u s", STUCK);
	return unused;
}

/* Another thread of the process itself has the pager pause all the time. */
static void *pause_pager(void *unused)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		HOST_CHECK(unshare(0) == 0);
		usleep(100);
	}
	return unused;
}

/* Calls that the pager has a part in, the first of them for its threads. */
static int share(void *unused)
{
	(void)unused;
	if (getpid() != 1 || setgid(getgid()) || mlock(memory, PAGE) || munlock(memory, PAGE))
		return 1;
	for (unsigned i = 0; i < TIMES; i++)
		if (unshare(0))
			return 1;
	return host_same(memory, LEN, 1) ? 2 : 1;
}

static void have_shared(void)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD;

	HOST_CHECK(host_reap(clone(share, stack + STACK, flags, NULL)) == 2);
	HOST_CHECK(host_same(memory, LEN, 1));
}

static int first_of_namespace(void)
{
	pthread_t t, pauser;

	HOST_CHECK(getpid() == 1);
	HOST_CHECK(pthread_create(&t, NULL, watch, NULL) == 0);
	stack = host_map(STACK);
	memory = host_cold(LEN, 1);
	for (unsigned i = 0; i < 3; i++) {
		have_shared();
		host_turn_cold(memory, LEN, 1);
	}
	HOST_CHECK(pthread_create(&pauser, NULL, pause_pager, NULL) == 0);
	for (unsigned i = 0; i < PAUSED; i++)
		have_shared();
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	HOST_CHECK(pthread_join(pauser, NULL) == 0);
	host_turn_cold(memory, LEN, 1);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}

int main(void)
{
	char *here = host_cold(LEN, 2);
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		HOST_SKIP("no PID namespace is to be had: %s", strerror(errno));
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (!pid)
		exit(first_of_namespace());
	HOST_CHECK(host_reap(pid) == 0);
	HOST_CHECK(host_same(here, LEN, 2));
	return 0;
}
