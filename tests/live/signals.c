/*
 * Handlers that run in the middle of everything touch packed memory, and fork. Before that, a signal
 * that the whole program blocks runs nowhere.
 */
#include "host.h"

#include <sys/time.h>

#define LEN (8 * MIB)

static char *memory;
static volatile sig_atomic_t ticks, forks, failures, taken;

static void look(size_t at)
{
	if (!host_page_begins(memory, at % (LEN / PAGE) * PAGE, 1))
		failures = failures + 1;
}

static void on_alarm(int number)
{
	int saved = errno;

	(void)number;
	ticks = ticks + 1;
	look((size_t)ticks * 97);
	errno = saved;
}

static void on_user(int number)
{
	int saved = errno, status = 0;
	pid_t pid = _Fork();

	(void)number;
	if (pid == 0) {
		for (size_t i = 0; i < LEN / PAGE; i++)
			look(i);
		_exit(failures ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		failures = failures + 1;
	forks = forks + 1;
	errno = saved;
}

static void on_blocked(int number)
{
	(void)number;
	taken = taken + 1;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	HOST_CHECK(sigaction(number, &action, NULL) == 0);
}

/* What every thread of the program blocks stays pending: there is none that it could run on. */
static void block(void)
{
	sigset_t set, pending;

	handle(SIGUSR2, on_blocked);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	HOST_CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	HOST_CHECK(kill(getpid(), SIGUSR2) == 0);
	host_sleep_ms(20);
	HOST_CHECK(sigpending(&pending) == 0);
	HOST_CHECK(taken == 0 && sigismember(&pending, SIGUSR2) == 1);
	HOST_CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	HOST_CHECK(taken == 1);
}

/* Something with locks for the handlers to interrupt. */
static void allocate(uint64_t *random)
{
	size_t len = 1 + host_random(random) % (256 * 1024);
	char *at = malloc(len);

	HOST_CHECK(at);
	memset(at, 1, len);
	free(at);
}

int main(void)
{
	struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
	uint64_t random = host_seed(), until;

	memory = host_cold(LEN, 1);
	block();
	handle(SIGALRM, on_alarm);
	handle(SIGUSR1, on_user);
	HOST_CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (until = host_deadline(); host_now_ms() < until;) {
		look(host_random(&random) >> 20);
		allocate(&random);
		if (host_random(&random) % 512 == 0)
			HOST_CHECK(raise(SIGUSR1) == 0);
		if (host_random(&random) % 64 == 0)
			host_sleep_ms(5);
	}
	HOST_CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	HOST_CHECK(ticks > 0 && forks > 0);
	HOST_CHECK(failures == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
