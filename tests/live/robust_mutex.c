/* The owner of a robust mutex dies; the next one is told, wherever the mutex lies. */
#include "host.h"

#include <pthread.h>

#define LEN   (2 * MIB)
#define COUNT 64

/* One to a page, so that each has a chance to leave. */
static pthread_mutex_t *mutex_at(char *memory, size_t i)
{
	return (pthread_mutex_t *)(void *)(memory + i * (LEN / COUNT));
}

static void *lock_all_and_die(void *memory)
{
	for (size_t i = 0; i < COUNT; i++)
		HOST_CHECK(pthread_mutex_lock(mutex_at(memory, i)) == 0);
	host_nap();
	return NULL;
}

static void make(char *memory)
{
	pthread_mutexattr_t attr;

	HOST_CHECK(pthread_mutexattr_init(&attr) == 0);
	HOST_CHECK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	for (size_t i = 0; i < COUNT; i++)
		HOST_CHECK(pthread_mutex_init(mutex_at(memory, i), &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void take_over(char *memory)
{
	struct timespec soon;

	for (size_t i = 0; i < COUNT; i++) {
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec += 2;
		HOST_CHECK(pthread_mutex_timedlock(mutex_at(memory, i), &soon) == EOWNERDEAD);
		HOST_CHECK(pthread_mutex_consistent(mutex_at(memory, i)) == 0);
		HOST_CHECK(pthread_mutex_unlock(mutex_at(memory, i)) == 0);
	}
}

int main(void)
{
	char *other = host_cold(LEN, 1), *memory = host_cold(LEN, 2);
	pthread_t t;

	make(memory);
	for (unsigned i = 0; i < 5; i++) {
		host_nap();
		HOST_CHECK(pthread_create(&t, NULL, lock_all_and_die, memory) == 0);
		HOST_CHECK(pthread_join(t, NULL) == 0);
		take_over(memory);
	}
	/* Unlocking memory does not make the mutexes in it fair game. */
	HOST_CHECK(munlock(memory, LEN) == 0);
	host_nap();
	HOST_CHECK(pthread_create(&t, NULL, lock_all_and_die, memory) == 0);
	HOST_CHECK(pthread_join(t, NULL) == 0);
	take_over(memory);
	HOST_CHECK(host_same(other, LEN, 1));
	return 0;
}
