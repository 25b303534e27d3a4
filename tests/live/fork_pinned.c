/*
 * A thread that is bound to one CPU, in batch, nice or idle, forks: the pager is made anew by it, and runs
 * where and when it did before all the same. Where that is refused, for the thread is idle for good, the
 * program is left alone, until the pager is made anew by another one.
 */
#include "host.h"
#include "support/rights.h"
#include "support/tasks.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LEN	(4 * MIB)
#define SEED	7
#define NAME	"Name:\tpredicomp\n"
#define THREADS 256
#define WAIT_MS 20000 /* for the pager to be there again */

struct turn {
	cpu_set_t cpus;
	int policy, nice;
};

struct turns {
	struct turn turn[THREADS]; /* sorted */
	unsigned count;
};

static bool is_ours(const char *tid)
{
	FILE *status = task_status(tid);
	char name[32] = "";

	if (!status)
		return false;
	if (!fgets(name, sizeof(name), status))
		name[0] = 0;
	fclose(status);
	return strcmp(name, NAME) == 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct turn));
}

static struct turns find_turns(void)
{
	DIR *tasks = tasks_open();
	struct turns all;
	const char *task;

	memset(&all, 0, sizeof(all));
	while ((task = tasks_next(tasks)) != NULL) {
		struct turn *t = &all.turn[all.count];
		const pid_t tid = atoi(task);

		if (!is_ours(task))
			continue;
		HOST_CHECK(++all.count < THREADS);
		sched_getaffinity(tid, sizeof(t->cpus), &t->cpus);
		t->policy = sched_getscheduler(tid);
		t->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	}
	closedir(tasks);
	qsort(all.turn, all.count, sizeof(all.turn[0]), by_bytes);
	return all;
}

static void expect(const struct turns *before)
{
	const uint64_t until = host_now_ms() + WAIT_MS;
	struct turns now = find_turns();

	while (memcmp(&now, before, sizeof(now)) != 0 && host_now_ms() < until) {
		host_sleep_ms(10);
		now = find_turns();
	}
	HOST_CHECK(memcmp(&now, before, sizeof(now)) == 0);
}

static void fork_once(void)
{
	const pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (!pid)
		_exit(0);
	HOST_CHECK(host_reap(pid) == 0);
}

/* A process that is one thread is where that thread is. */
_Noreturn static void stay_on(const cpu_set_t *one)
{
	const char *at = host_cold(LEN, SEED);
	const struct turns all = find_turns();

	for (unsigned i = 0; i < all.count; i++)
		HOST_CHECK(CPU_EQUAL(&all.turn[i].cpus, one));
	HOST_CHECK(host_same(at, LEN, SEED));
	_exit(0);
}

static void *pinned(void *unused)
{
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	HOST_CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	fork_once();
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (!pid)
		stay_on(&one);
	HOST_CHECK(host_reap(pid) == 0);
	return unused;
}

static void take_policy(int policy)
{
	const struct sched_param none = {0};

	HOST_CHECK(sched_setscheduler(0, policy, &none) == 0);
}

static void *in_batch(void *unused)
{
	take_policy(SCHED_BATCH);
	fork_once();
	return unused;
}

static void *nice_and_idle(void *unused)
{
	HOST_CHECK(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19) == 0);
	take_policy(SCHED_IDLE);
	fork_once();
	return unused;
}

static void *idle_for_good(void *at)
{
	const struct rlimit none = {0, 0};

	HOST_CHECK(setrlimit(RLIMIT_NICE, &none) == 0);
	rights_drop(CAP_SYS_NICE);
	host_turn_cold(at, LEN, SEED);
	take_policy(SCHED_IDLE);
	fork_once();
	host_fill(at, LEN, SEED + 1);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0);
	return at;
}

static void by_a_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, fn, arg) == 0);
	HOST_CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
	char *at = host_cold(LEN, SEED);
	struct turns before = find_turns();

	by_a_thread(pinned, NULL);
	expect(&before);
	by_a_thread(in_batch, NULL);
	expect(&before);
	if (geteuid() == 0) {
		by_a_thread(nice_and_idle, NULL);
		expect(&before);
	}
	HOST_CHECK(host_same(at, LEN, SEED));
	by_a_thread(idle_for_good, at);
	HOST_CHECK(setgid(getgid()) == 0);
	expect(&before);
	HOST_CHECK(host_same(at, LEN, SEED + 1));
	return 0;
}
