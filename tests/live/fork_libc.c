/*
 * What libc itself touches in a child, before any handler of the child runs: its streams, the control
 * blocks of threads that were (their stacks are cached), thread-specific data beyond the first 32
 * keys. All of it lies in memory that leaves. The child must find it as it was, and work on with it.
 */
#include "host.h"

#include <pthread.h>

#define KEYS	48 /* beyond 32 they are kept in a block from calloc() */
#define FILES	24
#define THREADS 8
#define ROUNDS	6
#define BLOCK	(16 * 1024) /* keeps streams on pages that nothing else keeps warm */

static pthread_key_t key[KEYS];
static FILE *file[FILES];
static pthread_barrier_t ready;

static void *value_of(uintptr_t who, unsigned i)
{
	return (void *)(who * 1000 + i + 1);
}

static void set_values(uintptr_t who)
{
	for (unsigned i = 0; i < KEYS; i++)
		HOST_CHECK(pthread_setspecific(key[i], value_of(who, i)) == 0);
}

static void *stay(void *who)
{
	set_values((uintptr_t)who);
	pthread_barrier_wait(&ready);
	pause();
	return NULL;
}

/* On a cached stack: whatever was there, nothing of it is this thread's. */
static void *come_and_go(void *who)
{
	for (unsigned i = 0; i < KEYS; i++)
		HOST_CHECK(!pthread_getspecific(key[i]));
	set_values((uintptr_t)who);
	return who;
}

static void threads_come_and_go(void)
{
	pthread_t t[THREADS];
	void *who;

	for (uintptr_t i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, come_and_go, (void *)(i + 100)) == 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(t[i], &who) == 0 && who == (void *)(i + 100));
}

/* What is in their buffers is not written out: the parent has the same. */
static void open_files(void)
{
	for (unsigned i = 0; i < FILES; i++) {
		HOST_CHECK(malloc(BLOCK));
		file[i] = tmpfile();
		HOST_CHECK(file[i] && fprintf(file[i], "%*u", (int)i + 10, i) == (int)i + 10);
	}
}

static void files_are_right(void)
{
	for (unsigned i = 0; i < FILES; i++) {
		HOST_CHECK(ftell(file[i]) == (long)i + 10);
		HOST_CHECK(putc('.', file[i]) == '.' && ftell(file[i]) == (long)i + 11);
	}
}

static void child(void)
{
	files_are_right();
	for (unsigned i = 0; i < KEYS; i++)
		HOST_CHECK(pthread_getspecific(key[i]) == value_of(1, i));
	threads_come_and_go();
	HOST_CHECK(malloc(BLOCK));
	_exit(0);
}

static unsigned files_away(void)
{
	unsigned away = 0;

	for (unsigned i = 0; i < FILES; i++) {
		uintptr_t page = (uintptr_t)file[i] & ~(PAGE - 1);

		away += host_absent((void *)page, PAGE) > 0;
	}
	return away;
}

int main(void)
{
	const long patience = host_number("HOST_PATIENCE_MS", 50);
	unsigned away = 0;
	size_t len;
	char *heap;

	HOST_CHECK(pthread_barrier_init(&ready, NULL, THREADS + 1) == 0);
	for (unsigned i = 0; i < KEYS; i++)
		HOST_CHECK(pthread_key_create(&key[i], NULL) == 0);
	set_values(1);
	for (uintptr_t i = 0; i < THREADS; i++) {
		pthread_t t;

		HOST_CHECK(pthread_create(&t, NULL, stay, (void *)(i + 2)) == 0);
	}
	pthread_barrier_wait(&ready);
	threads_come_and_go();
	open_files();
	heap = host_mapping("[heap]", &len);
	HOST_CHECK(heap);
	for (unsigned i = 0; i < ROUNDS; i++) {
		pid_t pid;

		host_wait_absent(heap, len, patience / 10);
		host_nap(); /* and is packed */
		away += files_away();
		pid = fork();
		if (pid == 0)
			child();
		HOST_CHECK(host_reap(pid) == 0);
	}
	if (!away && host_number("HOST_MUST_LEAVE", 0))
		HOST_FAIL("no stream was away at any fork");
	fprintf(stderr, "figure: streams away at %u forks: %u\n", ROUNDS, away);
	return 0;
}
