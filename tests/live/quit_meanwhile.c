/*
 * Something ends the management while a call asks whether it concerns managed memory: a handler that
 * has interrupted it, and another thread that has come before it.
 */
#include "host.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

#define LEN	 (128 * MIB)
#define PART	 (4 * MIB)
#define RESERVED (64ul << 30) /* takes a while to be looked at */
#define SOON	 5000	      /* us */

static volatile sig_atomic_t limited;
static volatile bool stop;

/* Memory that is reserved counts, so nothing may be. */
static void limit_memory(int signal)
{
	struct rlimit limit = {1ul << 46, RLIM_INFINITY};

	(void)signal;
	if (setrlimit(RLIMIT_AS, &limit) == 0)
		limited = 1;
}

/* The same length at the same place changes nothing. */
static void ask_until_limited(void *reserved)
{
	const struct itimerval soon = {.it_value.tv_usec = SOON};
	const uint64_t until = host_now_ms() + 10000;

	HOST_CHECK(signal(SIGALRM, limit_memory) != SIG_ERR);
	HOST_CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	while (!limited && host_now_ms() < until)
		HOST_CHECK(mremap(reserved, RESERVED, RESERVED, 0) == reserved);
	HOST_CHECK(limited);
}

static void interrupted(void)
{
	char *at = host_cold(PART, 1);
	void *reserved =
	    mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (reserved == MAP_FAILED)
		HOST_SKIP("%lu GiB cannot be reserved", RESERVED >> 30);
	ask_until_limited(reserved);
	HOST_CHECK(host_same(at, PART, 1));
}

static void *discard(void *part)
{
	while (!stop) {
		HOST_CHECK(madvise(part, PART, MADV_DONTNEED) == 0);
		HOST_CHECK(host_zero(part, PART));
	}
	return NULL;
}

/* All comes home first, which takes long enough for the others to come to wait. */
static void overtaken(void)
{
	char *at = host_cold(LEN + PART, 1);
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, discard, at + LEN) == 0);
	host_let_leave(at, LEN);
	limit_memory(0);
	host_sleep_ms(20);
	stop = true;
	HOST_CHECK(pthread_join(thread, NULL) == 0);
	HOST_CHECK(limited && host_same(at, LEN, 1));
}

int main(void)
{
	void (*const ways[])(void) = {interrupted, overtaken};
	char *at = host_cold(PART, 2);

	for (unsigned i = 0; i < 2; i++) {
		pid_t child = fork();

		HOST_CHECK(child >= 0);
		if (child == 0) {
			ways[i]();
			exit(0);
		}
		HOST_CHECK(host_reap(child) == 0);
	}
	HOST_CHECK(host_same(at, PART, 2));
	return 0;
}
