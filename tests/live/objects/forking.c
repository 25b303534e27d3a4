/*
 * An object that forks while the loader loads it, and again when it takes it away: the loader's lock is
 * held by the thread that forks, and by nobody's in the child. See ../fork_places.c.
 */
#include "host.h"

#include <pthread.h>

#define LEN (4 * MIB)

__attribute__((visibility("default"))) extern int object_forks; /* that went well */

int object_forks;

static char *memory;

static void *nothing(void *arg)
{
	return arg;
}

static void fork_here(int status)
{
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		HOST_CHECK(host_same(memory, LEN, 5));
		HOST_CHECK(pthread_create(&t, NULL, nothing, NULL) == 0);
		HOST_CHECK(pthread_join(t, NULL) == 0);
		host_turn_cold(memory, LEN, 6);
		HOST_CHECK(host_same(memory, LEN, 6));
		_exit(status);
	}
	HOST_CHECK(host_reap(pid) == status);
	HOST_CHECK(host_same(memory, LEN, 5));
	object_forks++;
}

__attribute__((constructor)) static void when_loaded(void)
{
	memory = host_cold(LEN, 5);
	fork_here(21);
}

__attribute__((destructor)) static void when_unloaded(void)
{
	host_turn_cold(memory, LEN, 5);
	fork_here(22);
	munmap(memory, LEN);
}
