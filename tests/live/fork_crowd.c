/*
 * Forks in a crowd: while other threads are inside malloc, with every arena's lock held by somebody,
 * and while threads are born and end; then by 32 threads at the same time. Each child allocates, has a
 * thread of its own, reads packed memory byte for byte, and ends with the status that it chose.
 */
#include "host.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#define LEN	(2 * MIB)
#define STORM	6
#define FORKERS 32
#define BLOCKS	200
#define AT_ONCE 3 /* rounds of all of them */

static char *memory;
static _Atomic bool enough;

/* ---- what is in malloc's memory ------------------------------------------------------------- */

static void *filled(size_t size, uint64_t seed)
{
	void *block = malloc(size);

	HOST_CHECK(block);
	host_fill(block, size, seed);
	return block;
}

static void have_blocks(unsigned count, uint64_t seed)
{
	void *block[BLOCKS];
	uint64_t dice = seed + 1;

	for (unsigned i = 0; i < count; i++)
		block[i] = filled(8 + host_random(&dice) % 20000 / 8 * 8, i);
	for (unsigned i = 0; i < count; i++) {
		HOST_CHECK(host_same(block[i], malloc_usable_size(block[i]) / 16 * 8, i));
		free(block[i]);
	}
	/* Beyond what comes from an arena. */
	block[0] = filled(MIB, seed);
	block[0] = realloc(block[0], 2 * MIB);
	HOST_CHECK(block[0] && host_same(block[0], MIB, seed));
	free(block[0]);
}

static void *storm(void *arg)
{
	for (uintptr_t seed = (uintptr_t)arg; !enough; seed += STORM)
		have_blocks(BLOCKS, seed);
	return NULL;
}

static void *nothing(void *arg)
{
	return arg;
}

static void have_a_thread(void)
{
	pthread_t t;

	HOST_CHECK(pthread_create(&t, NULL, nothing, NULL) == 0);
	HOST_CHECK(pthread_join(t, NULL) == 0);
}

static void *births(void *arg)
{
	while (!enough) {
		have_a_thread();
		host_sleep_ms(2);
	}
	return arg;
}

/* ---- children -------------------------------------------------------------------------------- */

static uint64_t *kept[BLOCKS]; /* from malloc, before anybody forks; may be packed as well */

static void keep_blocks(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		kept[i] = filled(PAGE, i);
}

static void child(int status)
{
	HOST_CHECK(host_same(memory, LEN, 1));
	for (unsigned i = 0; i < BLOCKS; i++)
		HOST_CHECK(host_same(kept[i], PAGE, i));
	have_blocks(20, (uint64_t)status);
	for (unsigned i = 0; i < BLOCKS; i++)
		free(kept[i]);
	have_a_thread();
	host_fill(memory, LEN, 2);
	HOST_CHECK(host_same(memory, LEN, 2));
	if (status % 2)
		exit(status);
	_exit(status);
}

static void fork_one(int status)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (!pid)
		child(status);
	HOST_CHECK(host_reap(pid) == status);
}

/* ---- one forks while the others allocate ----------------------------------------------------- */

static void inside_malloc(void)
{
	const uint64_t until = host_deadline();
	pthread_t t[STORM + 1];
	unsigned forks = 0;

	for (uintptr_t i = 0; i < STORM; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, storm, (void *)i) == 0);
	HOST_CHECK(pthread_create(&t[STORM], NULL, births, NULL) == 0);
	do {
		host_fill(memory, LEN, 1);
		host_wait_absent(memory, LEN, 100);
		fork_one(40 + (int)(forks++ % 50));
	} while (host_now_ms() < until);
	enough = true;
	for (unsigned i = 0; i <= STORM; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	fprintf(stderr, "figure: forks inside malloc: %u\n", forks);
}

/* ---- all fork at once -------------------------------------------------------------------------- */

static pthread_barrier_t cold;

static void *forker(void *arg)
{
	const int status = 100 + (int)(intptr_t)arg;

	for (unsigned i = 0; i < AT_ONCE; i++) {
		pthread_barrier_wait(&cold);
		fork_one(status);
		pthread_barrier_wait(&cold);
	}
	return NULL;
}

static void at_once(void)
{
	pthread_t t[FORKERS];

	HOST_CHECK(pthread_barrier_init(&cold, NULL, FORKERS + 1) == 0);
	for (intptr_t i = 0; i < FORKERS; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, forker, (void *)i) == 0);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		/* What the children before made come back may rightly be thought warm. */
		memory = host_cold(LEN, 1);
		pthread_barrier_wait(&cold);
		pthread_barrier_wait(&cold); /* all have come back */
		HOST_CHECK(host_same(memory, LEN, 1));
	}
	for (unsigned i = 0; i < FORKERS; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
}

int main(void)
{
	memory = host_cold(LEN, 1);
	keep_blocks();
	at_once();
	inside_malloc();
	/* The storm is over, and memory leaves as ever. */
	memory = host_cold(LEN, 3);
	HOST_CHECK(host_same(memory, LEN, 3));
	return 0;
}
