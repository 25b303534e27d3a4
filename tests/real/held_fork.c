/*
 * held_fork: a fork that is held up between its first handlers and the copy of memory, for as long as
 * the other side likes. libc takes the lock of all streams there, and another thread has it while it
 * flushes one into a pipe that nobody reads. Says "forking", and lets go when a byte comes in; says
 * "forked" when the child has ended, and checks its own memory when another one comes.
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>

#define LEN (8 * MIB)

static int pipes[2];

static void fill_pipe(void)
{
	char some[PAGE] = {0};
	int flags = fcntl(pipes[1], F_GETFL);

	HOST_CHECK(fcntl(pipes[1], F_SETFL, flags | O_NONBLOCK) == 0);
	while (write(pipes[1], some, sizeof(some)) > 0)
		;
	HOST_CHECK(errno == EAGAIN);
	HOST_CHECK(fcntl(pipes[1], F_SETFL, flags) == 0);
}

static void *flush_all(void *arg)
{
	fflush(NULL);
	return arg;
}

static void *let_go(void *arg)
{
	char some[PAGE];

	HOST_CHECK(read(0, some, 1) == 1);
	while (read(pipes[0], some, sizeof(some)) > 0)
		;
	return arg;
}

static pthread_t begin(void *(*fn)(void *))
{
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, fn, NULL) == 0);
	return thread;
}

int main(void)
{
	char *at = host_map(LEN);
	pthread_t flusher, helper;
	FILE *stuck;
	pid_t child;
	char byte;

	host_fill(at, LEN, 1);
	HOST_CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	fill_pipe();
	stuck = fdopen(pipes[1], "w");
	HOST_CHECK(stuck && fputs("more than fits", stuck) >= 0);
	flusher = begin(flush_all);
	helper = begin(let_go);
	host_sleep_ms(200);
	HOST_CHECK(write(1, "forking\n", 8) == 8);
	child = fork();
	if (!child)
		_exit(!host_same(at, LEN, 1));
	HOST_CHECK(host_reap(child) == 0);
	pthread_join(flusher, NULL);
	HOST_CHECK(fclose(stuck) == 0);
	pthread_join(helper, NULL);
	HOST_CHECK(write(1, "forked\n", 7) == 7);
	HOST_CHECK(read(0, &byte, 1) == 1);
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
