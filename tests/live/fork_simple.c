/* Children see all that their parent had, change it at will, and the parent sees nothing of it. */
#include "host.h"
#include "support/forks.h"

#include <pthread.h>
#include <sched.h>

#define LEN (16 * MIB)

static char *memory;

static void child_reads_all(void)
{
	HOST_CHECK(host_same(memory, LEN, 1));
}

static void child_writes_all(void)
{
	host_fill(memory, LEN, 2);
	host_nap();
	HOST_CHECK(host_same(memory, LEN, 2));
}

static void child_does_nothing(void)
{
}

/* The child outlives its parent, as a daemon does. */
static void child_has_a_child(void)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		child_reads_all();
		child_writes_all();
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
	child_reads_all();
}

/* Some children live long enough to pack memory of their own: what they have written. */
static void child_lets_leave(void)
{
	child_reads_all();
	host_fill(memory, LEN, 3);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_same(memory, LEN, 3));
}

static void (*const lives[])(void) = {
    child_reads_all, child_writes_all, child_does_nothing, child_has_a_child, child_lets_leave,
};
#define LIVES (sizeof(lives) / sizeof(lives[0]))

static pid_t (*const ways[])(void) = {
    fork_plainly,
    fork_barely,
    fork_by_number,
    clone_by_number,
};

static void one(pid_t (*way)(void), void (*life)(void))
{
	pid_t pid = way();

	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		life();
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
}

static int cloned(void *arg)
{
	(void)arg;
	child_reads_all();
	child_writes_all();
	return 0;
}

static void by_clone(void)
{
	char *stack = host_map(MIB);

	HOST_CHECK(host_reap(clone(cloned, stack + MIB, SIGCHLD, NULL)) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	munmap(stack, MIB);
}

static void many_at_once(void)
{
	pid_t pid[12];

	for (unsigned i = 0; i < 12; i++) {
		pid[i] = fork();
		HOST_CHECK(pid[i] >= 0);
		if (pid[i] == 0) {
			lives[i % LIVES]();
			_exit(0);
		}
	}
	for (unsigned i = 0; i < 12; i++)
		HOST_CHECK(host_reap(pid[i]) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
}

static void *forks(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 8; i++) {
		pid_t pid = fork();

		HOST_CHECK(pid >= 0);
		if (pid == 0) {
			child_reads_all();
			_exit(0);
		}
		HOST_CHECK(host_reap(pid) == 0);
	}
	return NULL;
}

static void from_threads(void)
{
	pthread_t t[4];

	for (unsigned i = 0; i < 4; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, forks, NULL) == 0);
	for (unsigned i = 0; i < 4; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
}

int main(void)
{
	memory = host_cold(LEN, 1);
	for (unsigned w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
		for (unsigned l = 0; l < LIVES; l++) {
			one(ways[w], lives[l]);
			host_nap();
		}
	by_clone();
	many_at_once();
	from_threads();
	/* Pages that were shared with a child can leave again once they have been written. */
	host_fill(memory, LEN, 1);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
