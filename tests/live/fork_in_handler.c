/*
 * A handler forks, whatever call the thread was in when its signal came (hazard F9): here one that the
 * library carries out itself, most of the time. Nobody waits for ever, and each child has all memory.
 */
#include "host.h"

#include <pthread.h>
#include <sys/time.h>

#define LEN   (2 * MIB)
#define EVERY 3000 /* us */
#define FORKS 40
#define STUCK 20u /* seconds without a fork */

static char *cold;
static volatile sig_atomic_t forks, wrong;

static void fork_and_look(int number)
{
	const int saved = errno;
	pid_t pid = fork();

	(void)number;
	if (pid == 0)
		_exit(host_same(cold, LEN, 1) ? 3 : 4);
	wrong += host_reap(pid) != 3;
	forks++;
	errno = saved;
}

static void *watch(void *unused)
{
	for (;;) {
		const sig_atomic_t seen = forks;

		sleep(STUCK);
		if (forks == seen)
			HOST_FAIL("no handler has come to an end in %u s", STUCK);
	}
	return unused;
}

/* Signals go to the first thread alone. */
static void start_watch(void)
{
	sigset_t alarm, old;
	pthread_t t;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	HOST_CHECK(pthread_sigmask(SIG_BLOCK, &alarm, &old) == 0);
	HOST_CHECK(pthread_create(&t, NULL, watch, NULL) == 0);
	HOST_CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

static void set_timer(long us)
{
	const struct itimerval t = {{0, us}, {0, us}};

	HOST_CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

int main(void)
{
	const struct sigaction on_alarm = {.sa_handler = fork_and_look, .sa_flags = SA_RESTART};
	char *locked;

	cold = host_cold(LEN, 1);
	locked = host_cold(LEN, 2);
	start_watch();
	HOST_CHECK(sigaction(SIGALRM, &on_alarm, NULL) == 0);
	set_timer(EVERY);
	while (forks < FORKS) {
		HOST_CHECK(mlock(locked, LEN) == 0);
		HOST_CHECK(munlock(locked, LEN) == 0);
	}
	set_timer(0);
	HOST_CHECK(wrong == 0);
	HOST_CHECK(host_same(cold, LEN, 1) && host_same(locked, LEN, 2));
	return 0;
}
