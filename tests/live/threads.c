/* Threads come and go while memory is packed; none of them may be lost to a join. */
#include "host.h"

#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

#define LEN   (32 * MIB)
#define CROWD 16

static char *memory;
static sem_t detached_done;

static void read_slice(size_t n)
{
	const size_t slice = LEN / 64, start = n % 64 * slice;

	for (size_t i = start; i < start + slice; i += 16 * PAGE)
		HOST_CHECK(host_page_begins(memory, i, 1));
}

static void *reader(void *arg)
{
	read_slice((size_t)arg);
	return arg;
}

static void *detached_reader(void *arg)
{
	read_slice((size_t)arg);
	sem_post(&detached_done);
	return NULL;
}

static int c11_reader(void *arg)
{
	read_slice((size_t)arg);
	return (int)(size_t)arg;
}

/* A long life on a stack that turns cold, then its end. */
static void *sleeper(void *arg)
{
	char on_stack[4 * PAGE];

	host_fill(on_stack, sizeof(on_stack), (uint64_t)(size_t)arg);
	host_nap();
	HOST_CHECK(host_same(on_stack, sizeof(on_stack), (uint64_t)(size_t)arg));
	pthread_exit(arg);
}

static void crowd(void *(*body)(void *), size_t salt)
{
	pthread_t t[CROWD];

	for (size_t i = 0; i < CROWD; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, body, (void *)(salt + i)) == 0);
	for (size_t i = 0; i < CROWD; i++) {
		void *result;

		HOST_CHECK(pthread_join(t[i], &result) == 0);
		HOST_CHECK(result == (void *)(salt + i));
	}
}

static void detached(size_t salt)
{
	pthread_attr_t attr;
	pthread_t t;

	HOST_CHECK(pthread_attr_init(&attr) == 0);
	HOST_CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	HOST_CHECK(pthread_create(&t, &attr, detached_reader, (void *)salt) == 0);
	HOST_CHECK(sem_wait(&detached_done) == 0);
	pthread_attr_destroy(&attr);
}

static void c11(size_t salt)
{
	thrd_t t;
	int result;

	HOST_CHECK(thrd_create(&t, c11_reader, (void *)salt) == thrd_success);
	HOST_CHECK(thrd_join(t, &result) == thrd_success);
	HOST_CHECK(result == (int)salt);
}

/* A stack of the program's own, used twice. */
static void own_stack(void)
{
	static char stack[256 * 1024] __attribute__((aligned(4096)));
	pthread_attr_t attr;
	pthread_t t;

	HOST_CHECK(pthread_attr_init(&attr) == 0);
	HOST_CHECK(pthread_attr_setstack(&attr, stack, sizeof(stack)) == 0);
	for (unsigned i = 0; i < 2; i++) {
		HOST_CHECK(pthread_create(&t, &attr, sleeper, (void *)7) == 0);
		HOST_CHECK(pthread_join(t, NULL) == 0);
	}
	pthread_attr_destroy(&attr);
}

int main(void)
{
	uint64_t until;
	size_t salt = 0;

	HOST_CHECK(sem_init(&detached_done, 0, 0) == 0);
	memory = host_cold(LEN, 1);
	own_stack();
	crowd(sleeper, 100);
	for (until = host_deadline(); host_now_ms() < until; salt += CROWD) {
		crowd(reader, salt);
		detached(salt);
		c11(salt);
		if (salt % (CROWD * 32) == 0)
			crowd(sleeper, salt);
	}
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
