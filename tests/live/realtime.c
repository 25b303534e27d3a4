/*
 * A program that asks for real-time scheduling is left alone from then on: whichever way it asks, its
 * memory comes home and stays. A child for each way, for it cannot be undone.
 */
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define LEN (4 * MIB)

struct attributes { /* struct sched_attr, whose header does not go together with libc's */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static const struct sched_param lowest = {.sched_priority = 1};

static int by_scheduler(void)
{
	return sched_setscheduler(0, SCHED_FIFO, &lowest) ? errno : 0;
}

static int by_attributes(void)
{
	struct attributes a = {.size = sizeof(a), .policy = SCHED_RR, .priority = 1};

	return syscall(SYS_sched_setattr, 0, &a, 0) ? errno : 0;
}

static int by_thread(void)
{
	return pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest);
}

static void *nothing(void *arg)
{
	return arg;
}

static pthread_attr_t of_realtime(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &lowest);
	return attr;
}

static int by_birth(void)
{
	const pthread_attr_t attr = of_realtime();
	pthread_t thread;
	int err = pthread_create(&thread, &attr, nothing, NULL);

	return err ? err : pthread_join(thread, NULL);
}

static int by_default(void)
{
	const pthread_attr_t attr = of_realtime();
	pthread_t thread;
	int err = pthread_setattr_default_np(&attr);

	if (!err)
		err = pthread_create(&thread, NULL, nothing, NULL);
	return err ? err : pthread_join(thread, NULL);
}

static int (*const ways[])(void) = {by_scheduler, by_attributes, by_thread, by_birth, by_default};

static void ask(int (*way)(void))
{
	char *memory = host_cold(LEN, 2);

	HOST_CHECK(way() == 0);
	HOST_CHECK(host_absent(memory, LEN) == 0);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_absent(memory, LEN) == 0 && host_same(memory, LEN, 2));
	exit(0);
}

/* Asked by a child: who has asked is left alone. */
static bool is_permitted(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(by_scheduler() == EPERM);
	return host_reap(pid) == 0;
}

int main(void)
{
	char *memory;

	if (!is_permitted())
		HOST_SKIP("real-time scheduling is not permitted for this user");
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		pid_t pid = fork();

		if (pid == 0)
			ask(ways[i]);
		HOST_CHECK(host_reap(pid) == 0);
	}
	memory = host_cold(LEN, 1);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
