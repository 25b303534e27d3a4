/*
 * A handler that jumps out of the call it interrupts, again and again: what the library noted for the time
 * of the call has gone with it, and the next call does not wait for it.
 */
#include "host.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/time.h>

#define LEN   (64 * PAGE)
#define JUMPS 300 /* more than there is room for notes */
#define STUCK 20u /* seconds */

static sigjmp_buf before;
static volatile sig_atomic_t armed, jumps;
static char *place[2];

static void jump(int number)
{
	(void)number;
	if (!armed)
		return;
	armed = 0;
	jumps++;
	siglongjmp(before, 1);
}

/* To where it is not: a jump may have come before the move, or after it. */
static void move(void)
{
	const int from = msync(place[0], LEN, MS_ASYNC) ? 1 : 0;
	void *got = mremap(place[from], LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place[!from]);

	HOST_CHECK(got == place[!from]);
}

static void tick_every(long us)
{
	const struct itimerval t = {{0, us}, {0, us}};

	HOST_CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static void *watch(void *unused)
{
	sleep(STUCK);
	HOST_FAIL("stuck after %d jumps", (int)jumps);
	return unused;
}

/* On this thread alone the ticks arrive. */
static void start_watch(void)
{
	sigset_t ticks;
	pthread_t t;

	sigemptyset(&ticks);
	sigaddset(&ticks, SIGALRM);
	HOST_CHECK(pthread_sigmask(SIG_BLOCK, &ticks, NULL) == 0);
	HOST_CHECK(pthread_create(&t, NULL, watch, NULL) == 0);
	HOST_CHECK(pthread_sigmask(SIG_UNBLOCK, &ticks, NULL) == 0);
}

int main(void)
{
	const struct sigaction on_tick = {.sa_handler = jump};
	char *memory = host_cold(4 * MIB, 1);

	/* First, for its stack could come to lie where nothing is. */
	start_watch();
	place[0] = host_map(LEN);
	place[1] = host_map(LEN);
	HOST_CHECK(munmap(place[1], LEN) == 0);
	HOST_CHECK(sigaction(SIGALRM, &on_tick, NULL) == 0);
	tick_every(3000);
	while (jumps < JUMPS) {
		if (sigsetjmp(before, 1))
			continue;
		armed = 1;
		for (;;)
			move();
	}
	tick_every(0);
	/* Nobody jumps out of this one. */
	move();
	HOST_CHECK(host_same(memory, 4 * MIB, 1));
	return 0;
}
