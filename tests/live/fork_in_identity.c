/*
 * A handler forks in the middle of a change of identity, and its child returns from the handler into that
 * call: it ends as in the parent, and the child's memory is right and leaves again.
 */
#include "host.h"

#include <sys/time.h>

#define LEN   (2 * MIB)
#define FORKS 40
#define RIGHT 3

static volatile sig_atomic_t forks, wrong, in_child;
static char *memory;

static void tick_every(long us)
{
	const struct itimerval t = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &t, NULL);
}

static void fork_here(int number)
{
	const int saved = errno;
	pid_t pid;

	(void)number;
	if (in_child)
		return;
	pid = fork();
	if (!pid) {
		in_child = 1;
		tick_every(0);
	} else if (pid > 0) {
		wrong = host_reap(pid) != RIGHT;
		forks++;
	}
	errno = saved;
}

static void as_child(int result)
{
	if (result || !host_same(memory, LEN, 1))
		_exit(1);
	if (forks % 8 == 0) {
		host_turn_cold(memory, LEN, 1);
		if (!host_same(memory, LEN, 1))
			_exit(1);
	}
	_exit(RIGHT);
}

int main(void)
{
	const struct sigaction on_tick = {.sa_handler = fork_here, .sa_flags = SA_RESTART};

	memory = host_cold(LEN, 1);
	HOST_CHECK(sigaction(SIGALRM, &on_tick, NULL) == 0);
	tick_every(3000);
	while (forks < FORKS && !wrong) {
		const int result = setgid(getgid());

		if (in_child)
			as_child(result);
		HOST_CHECK(result == 0);
	}
	tick_every(0);
	HOST_CHECK(!wrong);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
