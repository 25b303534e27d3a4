/*
 * A stack and memory that are one mapping: the memory leaves while the thread lives, the stack does
 * not; and so in its child, and the child of that. The kernel makes it so wherever a stack comes to lie
 * below what was mapped before.
 */
#include "host.h"

#include <pthread.h>
#include <sys/wait.h>

#define STACK  MIB
#define MEMORY (7 * MIB)
#define LOW    (256ul << 10) /* of the stack, where its thread never gets */
#define TRIES  40

static pthread_barrier_t cold;
static char *memory;
static size_t len;

static void have_children(int generations)
{
	int status;
	pid_t child;

	if (!generations)
		return;
	child = fork();
	HOST_CHECK(child >= 0);
	if (!child) {
		host_turn_cold(memory, len, (uint64_t)generations);
		HOST_CHECK(host_same(memory, len, (uint64_t)generations));
		have_children(generations - 1);
		_exit(0);
	}
	HOST_CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void *live(void *arg)
{
	pthread_barrier_wait(&cold);
	have_children(2);
	return arg;
}

/* What was about to leave when the thread was made may do so once more. */
static bool stays(char *at)
{
	for (int i = 0; i < TRIES; i++) {
		HOST_CHECK(host_same(at, LOW, 2));
		host_nap();
		if (!host_absent(at, LOW))
			return true;
	}
	return false;
}

int main(void)
{
	char *at = host_map(STACK + MEMORY);
	pthread_attr_t attr;
	pthread_t t;

	memory = at + STACK + 2 * PAGE;
	len = MEMORY - 2 * PAGE;
	HOST_CHECK(pthread_barrier_init(&cold, NULL, 2) == 0);
	HOST_CHECK(pthread_attr_init(&attr) == 0);
	HOST_CHECK(pthread_attr_setstack(&attr, at, STACK) == 0);
	host_fill(at, LOW, 2);
	HOST_CHECK(pthread_create(&t, &attr, live, NULL) == 0);
	host_nap();
	host_turn_cold(memory, len, 3);
	HOST_CHECK(stays(at));
	HOST_CHECK(host_same(memory, len, 3));
	pthread_barrier_wait(&cold);
	HOST_CHECK(pthread_join(t, NULL) == 0);
	return 0;
}
