/*
 * A process that dies while it writes packed memory out sends what it had, or nothing: never zeros.
 * When the descriptors of a dying process are closed before its last thread has left the kernel, a
 * userfaultfd among them turns absent pages into zeros under a write(2) in progress.
 */
#include "host.h"

#include <pthread.h>
#include <sys/socket.h>

#define LEN    (4 * MIB)
#define TRIALS 48

struct writer {
	int fd;
	char *memory;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (size_t at = 0; at < LEN;) {
		ssize_t n = write(w->fd, w->memory + at, LEN - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return NULL;
}

/* Writes on one thread, and dies on another after a moment, or waits to be killed. */
static void live_and_die(int fd, bool by_itself, unsigned moment_us)
{
	struct writer w = {fd, host_map(LEN)};
	pthread_t thread;

	host_fill(w.memory, LEN, 5);
	host_wait_absent(w.memory, LEN, host_number("HOST_PATIENCE_MS", 50) / 10);
	HOST_CHECK(pthread_create(&thread, NULL, write_all, &w) == 0);
	usleep(moment_us);
	if (by_itself)
		_exit(0);
	pause();
}

/* Every byte that arrives is what was written. Returns how many did. */
static size_t receive(int fd)
{
	static char got[64 * PAGE];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, got, sizeof(got))) > 0)
		for (ssize_t i = 0; i < n; i++, total++) {
			uint64_t word = host_word(5, total / 8);

			HOST_CHECK(got[i] == ((char *)&word)[total % 8]);
		}
	return total;
}

static void trial(unsigned i)
{
	int end[2];
	pid_t pid;
	bool by_itself = i % 2;
	unsigned moment_us = i * 37 % 900;

	if (i % 3)
		HOST_CHECK(pipe(end) == 0);
	else
		HOST_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		close(end[0]);
		live_and_die(end[1], by_itself, moment_us);
	}
	close(end[1]);
	if (!by_itself) {
		/* The first bytes say that it is in the middle of writing. */
		char first[PAGE];
		ssize_t n = recv(end[0], first, sizeof(first), MSG_PEEK);

		if (n < 0)
			host_sleep_ms(host_number("HOST_PATIENCE_MS", 50) / 10 + 5);
		usleep(moment_us);
		kill(pid, SIGKILL);
	}
	receive(end[0]);
	close(end[0]);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	void *own = host_cold(LEN, 1);

	for (unsigned i = 0; i < TRIALS; i++)
		trial(i);
	HOST_CHECK(host_same(own, LEN, 1));
	return 0;
}
