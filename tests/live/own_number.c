/*
 * A process that shares this one's memory, in a PID namespace of its own where both have the number 1,
 * is not the one whose pager it is: what it asks of libc does not move the pager into it, where it would
 * keep the process alive, or end with it.
 */
#include "host.h"

#include <pthread.h>
#include <sched.h>

#define LEN   (4 * MIB)
#define STACK (256ul << 10)
#define STUCK 20u /* seconds */

static char *memory;

/* The first process of a namespace has no alarm that would end it. */
static void *watch(void *unused)
{
	sleep(STUCK);
	HOST_FAIL("not at its end after %u s", STUCK);
	return unused;
}

/* Calls that the pager has a part in, the first of them for its threads. */
static int share(void *unused)
{
	(void)unused;
	if (getpid() != 1 || setgid(getgid()) || mlock(memory, PAGE) || munlock(memory, PAGE))
		return 1;
	return host_same(memory, LEN, 1) ? 2 : 1;
}

static int first_of_namespace(void)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD;
	char *stack = host_map(STACK);
	pthread_t t;

	HOST_CHECK(getpid() == 1);
	HOST_CHECK(pthread_create(&t, NULL, watch, NULL) == 0);
	memory = host_cold(LEN, 1);
	for (unsigned i = 0; i < 3; i++) {
		HOST_CHECK(host_reap(clone(share, stack + STACK, flags, NULL)) == 2);
		HOST_CHECK(host_same(memory, LEN, 1));
		host_turn_cold(memory, LEN, 1);
	}
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
