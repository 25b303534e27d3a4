/*
 * Every touch is answered within a second: of memory that leaves all the time, while mappings come and
 * go, pages are discarded and children are made. What the machine itself was held up meanwhile is
 * measured on each CPU by a thread that only sleeps, and four times that allowed for.
 */
#include "host.h"

#include <pthread.h>
#include <sched.h>

#define READERS	 3
#define CPUS	 64
#define LEN	 (16 * MIB)
#define BURST	 64
#define BOUND_US 1000000
#define MAPPED	 (256 * 1024ul)

static char *memory;
static uint64_t until;
static uint64_t seed;
static uint64_t worst_touch[READERS]; /* us */
static uint64_t touches[READERS];
static uint64_t worst_sleep[CPUS]; /* us beyond what was asked for, on each */

static void note(uint64_t *worst, uint64_t us)
{
	if (us > *worst)
		*worst = us;
}

/* Each page names its place; some are written again as they were. */
static void *read_all(void *arg)
{
	const size_t self = (size_t)arg;
	uint64_t random = seed + self, begun;

	while (host_now_ms() < until) {
		size_t page = host_random(&random) % (LEN / PAGE);
		uint64_t *word = (uint64_t *)(void *)(memory + page * PAGE);

		begun = host_now_us();
		HOST_CHECK(*(volatile uint64_t *)word == page);
		if (random % 4 == 0)
			*(volatile uint64_t *)word = page;
		note(&worst_touch[self], host_now_us() - begun);
		touches[self]++;
		if (touches[self] % BURST == 0)
			host_sleep_ms(20);
	}
	return NULL;
}

static void *change_mappings(void *arg)
{
	while (host_now_ms() < until) {
		char *at = host_map(MAPPED);

		memset(at, 1, MAPPED);
		host_sleep_ms(5);
		HOST_CHECK(madvise(at, MAPPED / 2, MADV_DONTNEED) == 0 && !at[0]);
		HOST_CHECK(munmap(at, MAPPED) == 0);
	}
	return arg;
}

/* Where it may not run it sleeps elsewhere. */
static void *only_sleep(void *arg)
{
	const size_t cpu = (size_t)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (host_now_ms() < until) {
		uint64_t begun = host_now_us();

		host_sleep_ms(1);
		note(&worst_sleep[cpu], host_now_us() - begun - 1000);
	}
	return NULL;
}

static void make_children(void)
{
	while (host_now_ms() < until) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		HOST_CHECK(host_reap(child) == 0);
		host_sleep_ms(500);
	}
}

int main(void)
{
	const long there = sysconf(_SC_NPROCESSORS_CONF);
	const size_t cpus = there < CPUS ? (size_t)there : CPUS;
	pthread_t thread[READERS + 1 + CPUS];
	uint64_t longest = 0, held_up = 0, all = 0;

	seed = host_seed();
	until = host_deadline();
	memory = host_map(LEN);
	for (size_t page = 0; page < LEN / PAGE; page++)
		*(uint64_t *)(void *)(memory + page * PAGE) = page;
	for (size_t i = 0; i < READERS; i++)
		HOST_CHECK(pthread_create(&thread[i], NULL, read_all, (void *)i) == 0);
	HOST_CHECK(pthread_create(&thread[READERS], NULL, change_mappings, NULL) == 0);
	for (size_t i = 0; i < cpus; i++)
		HOST_CHECK(pthread_create(&thread[READERS + 1 + i], NULL, only_sleep, (void *)i) ==
			   0);
	make_children();
	for (size_t i = 0; i < READERS + 1 + cpus; i++)
		HOST_CHECK(pthread_join(thread[i], NULL) == 0);
	for (unsigned i = 0; i < READERS; i++) {
		note(&longest, worst_touch[i]);
		all += touches[i];
	}
	for (size_t i = 0; i < cpus; i++)
		note(&held_up, worst_sleep[i]);
	fprintf(stderr,
		"figure: the longest of %llu touches took %llu us, a sleep %llu us too long\n",
		(unsigned long long)all, (unsigned long long)longest, (unsigned long long)held_up);
	if (longest > BOUND_US + 4 * held_up)
		HOST_FAIL("a touch took %llu us", (unsigned long long)longest);
	return 0;
}
