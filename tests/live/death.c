/*
 * A process that dies while it writes packed memory out sends what it had, or nothing: never zeros.
 * When the descriptors of a dying process are closed before its last thread has left the kernel, a
 * userfaultfd among them turns absent pages into zeros under a write(2) in progress.
 *
 * Each cause of death meets each kind of sink. HOST_TRIALS says how many deaths there are (default
 * 150, at each of two cold ages).
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define LEN (4 * MIB)

enum sink { SINK_PIPE, SINK_SOCKET, SINK_FILE, SINKS };

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

/* ---- causes of death ------------------------------------------------------------------------- */

static void by_exit_group(void)
{
	_exit(0);
}

static void by_return(void)
{
	exit(0);
}

static void by_abort(void)
{
	abort();
}

/* Another program takes the process over; its standard input is not what is being written. */
static void by_exec(void)
{
	execlp("true", "true", (char *)NULL);
	_exit(1);
}

static void by_segv(void)
{
	raise(SIGSEGV);
}

static void by_own_kill(void)
{
	kill(getpid(), SIGKILL);
}

static void is_killed(void)
{
	pause();
}

static void by_timer(void)
{
	ualarm(1, 0);
	pause();
}

static void (*const causes[])(void) = {by_exit_group, is_killed, by_abort, by_exec,
				       by_return,     by_timer,	 by_segv,  by_own_kill};
#define CAUSES (sizeof(causes) / sizeof(causes[0]))

/* ---- both sides ------------------------------------------------------------------------------ */

/* Writes on one thread, and dies on another after a moment. */
static void live_and_die(int fd, void (*die)(void), unsigned moment_us)
{
	struct writer w = {fd, host_map(LEN)};
	pthread_t thread;

	host_fill(w.memory, LEN, 5);
	host_wait_absent(w.memory, LEN, host_number("HOST_PATIENCE_MS", 50) / 10);
	HOST_CHECK(pthread_create(&thread, NULL, write_all, &w) == 0);
	usleep(moment_us);
	die();
	_exit(1);
}

/* Every byte that arrives is what was written. */
static void receive(int fd)
{
	static char got[64 * PAGE];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, got, sizeof(got))) > 0)
		for (ssize_t i = 0; i < n; i++, total++) {
			uint64_t word = host_word(5, total / 8);

			if (got[i] != ((char *)&word)[total % 8])
				HOST_FAIL("byte %zu arrived as %#x", total, got[i] & 255u);
		}
}

/* end[0] reads what is written to end[1]. */
static void open_sink(enum sink sink, int end[2])
{
	char path[] = "/var/tmp/death.XXXXXX";

	switch (sink) {
	case SINK_PIPE:
		HOST_CHECK(pipe(end) == 0);
		return;
	case SINK_SOCKET:
		HOST_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0);
		return;
	default:
		end[1] = mkstemp(path);
		end[0] = open(path, O_RDONLY);
		unlink(path);
		HOST_CHECK(end[0] >= 0 && end[1] >= 0);
	}
}

static off_t size_of(int fd)
{
	off_t at = lseek(fd, 0, SEEK_END);

	HOST_CHECK(at >= 0 && lseek(fd, 0, SEEK_SET) == 0);
	return at;
}

/* In the middle of writing: something has arrived. */
static void wait_for_first(enum sink sink, int fd)
{
	char first;
	uint64_t until = host_now_ms() + (uint64_t)host_number("HOST_PATIENCE_MS", 50) / 10 + 50;

	if (sink == SINK_SOCKET && recv(fd, &first, 1, MSG_PEEK) == 1)
		return;
	if (sink == SINK_FILE)
		while (!size_of(fd) && host_now_ms() < until)
			usleep(200);
	else
		host_sleep_ms(host_number("HOST_PATIENCE_MS", 50) / 10 + 5);
}

static void trial(unsigned i)
{
	enum sink sink = (enum sink)(i % SINKS);
	void (*cause)(void) = causes[i / SINKS % CAUSES];
	unsigned moment_us = i * 37 % 900;
	int end[2];
	pid_t pid;

	open_sink(sink, end);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		close(end[0]);
		live_and_die(end[1], cause, moment_us);
	}
	if (sink != SINK_FILE)
		close(end[1]);
	if (cause == is_killed) {
		wait_for_first(sink, end[0]);
		usleep(moment_us);
		kill(pid, SIGKILL);
	}
	if (sink == SINK_FILE)
		waitpid(pid, NULL, 0);
	receive(end[0]);
	close(end[0]);
	if (sink == SINK_FILE)
		close(end[1]);
	else
		waitpid(pid, NULL, 0);
}

int main(void)
{
	void *own = host_cold(LEN, 1);
	struct rlimit no_core = {0, 0};
	long trials = host_number("HOST_TRIALS", 150);

	HOST_CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
	for (long i = 0; i < trials; i++)
		trial((unsigned)i);
	HOST_CHECK(host_same(own, LEN, 1));
	fprintf(stderr, "figure: %ld deaths in mid-write\n", trials);
	return 0;
}
