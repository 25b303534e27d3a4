/*
 * Threads count up in memory that leaves while they do: by instructions, by reads of a pipe
 * straight into it, and through /proc/self/mem. Not one step may be lost.
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>

#define COUNTERS 4
#define PAGES	 1024
#define STRIDE	 (PAGE / sizeof(uint64_t))

typedef void step_fn(uint64_t *at, uint64_t value);

struct counter {
	pthread_t thread;
	uint64_t *memory; /* the first word of each page counts */
	step_fn *step;
	uint64_t until, steps[PAGES];
	uint64_t seed; /* odd */
};

static int pipe_end[2], mem;
static pthread_mutex_t pipe_lock = PTHREAD_MUTEX_INITIALIZER;

static void by_instruction(uint64_t *at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

static void by_read(uint64_t *at, uint64_t value)
{
	pthread_mutex_lock(&pipe_lock);
	HOST_CHECK(write(pipe_end[1], &value, sizeof(value)) == sizeof(value));
	HOST_CHECK(read(pipe_end[0], at, sizeof(value)) == sizeof(value));
	pthread_mutex_unlock(&pipe_lock);
}

/* What is away cannot be written to like that: it is touched first, and may leave again between. */
static void by_file(uint64_t *at, uint64_t value)
{
	while (pwrite(mem, &value, sizeof(value), (off_t)(uintptr_t)at) != sizeof(value)) {
		HOST_CHECK(errno == EIO);
		*(volatile uint64_t *)at;
	}
}

static step_fn *const steps[COUNTERS] = {by_instruction, by_instruction, by_read, by_file};

/* In bursts, so that there is time to turn cold in between. */
static void *count(void *arg)
{
	struct counter *c = arg;
	uint64_t dice = c->seed;

	while (host_now_ms() < c->until) {
		unsigned first = (unsigned)(host_random(&dice) >> 20) % PAGES;

		for (unsigned i = 0; i < 200; i++) {
			unsigned page = (first + i) % PAGES;
			uint64_t *at = c->memory + page * STRIDE;

			HOST_CHECK(*(volatile uint64_t *)at == c->steps[page]);
			c->step(at, ++c->steps[page]);
		}
		host_sleep_ms((long)(host_random(&dice) >> 20) % 12);
	}
	/* What was counted last has time to leave too: all of it where a slow machine let nothing leave. */
	host_wait_absent(c->memory, PAGES * PAGE, host_number("HOST_PATIENCE_MS", 50));
	host_nap();
	for (unsigned page = 0; page < PAGES; page++)
		HOST_CHECK(c->memory[page * STRIDE] == c->steps[page]);
	return NULL;
}

int main(void)
{
	struct counter *c = calloc(COUNTERS, sizeof(*c));
	const uint64_t seed = host_seed();

	HOST_CHECK(c && pipe(pipe_end) == 0);
	mem = open("/proc/self/mem", O_RDWR);
	HOST_CHECK(mem >= 0);
	for (unsigned i = 0; i < COUNTERS; i++) {
		c[i].memory = host_map(PAGES * PAGE);
		memset(c[i].memory, 0, PAGES * PAGE);
		c[i].step = steps[i];
		c[i].until = host_deadline();
		c[i].seed = seed + 2 * i;
	}
	for (unsigned i = 0; i < COUNTERS; i++)
		HOST_CHECK(pthread_create(&c[i].thread, NULL, count, &c[i]) == 0);
	for (unsigned i = 0; i < COUNTERS; i++)
		HOST_CHECK(pthread_join(c[i].thread, NULL) == 0);
	return 0;
}
