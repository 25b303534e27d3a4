/*
 * host.h - what the measured programs share. They know nothing of the library.
 *
 * Each prints its results as lines of name=value and ends with status 0, 1 when something failed,
 * 2 for wrong usage, 3 when memory did not hold what was written.
 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HOST_PAGE 4096u

enum host_status { HOST_OK, HOST_FAILED, HOST_USAGE, HOST_WRONG_BYTES };

__attribute__((format(printf, 2, 3))) static inline _Noreturn void host_die(enum host_status status,
									    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit((int)status);
}

static inline uint64_t host_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CPU time of the calling thread, what it spends in the kernel included. */
static inline uint64_t host_thread_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* splitmix64: the next of a sequence that `state` alone decides. */
static inline uint64_t host_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t host_number(const char *text, const char *what, uint64_t most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > most)
		host_die(HOST_USAGE, "%s: a whole number up to %llu, not %s", what,
			 (unsigned long long)most, text);
	return n;
}

static inline unsigned char *host_map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		host_die(HOST_FAILED, "no memory for %zu bytes", bytes);
	return at;
}

/*
 * Page `number` as a heap of small objects would look: records of 64 bytes, each with a few words
 * of its own between repeated ones, so that it packs about three to one. A function of `number`
 * alone: anybody can check it.
 */
static inline void host_page_make(void *page, uint64_t number)
{
	uint64_t *word = page;
	uint64_t state = number;

	for (unsigned i = 0; i < HOST_PAGE / 64; i++, word += 8) {
		word[0] = 0x00007f0000401000u;
		word[1] = host_random(&state);
		word[2] = number << 12 | i;
		word[3] = 0;
		word[4] = 0x6f6d657265636f6cu;
		word[5] = host_random(&state) & 0xffff;
		word[6] = 0;
		word[7] = 0x0000000100000020u;
	}
}

static inline void host_page_check(const void *page, uint64_t number)
{
	uint64_t expected[HOST_PAGE / 8];

	host_page_make(expected, number);
	if (memcmp(page, expected, HOST_PAGE) != 0)
		host_die(HOST_WRONG_BYTES, "page %llu does not hold what was written",
			 (unsigned long long)number);
}

/* `pages` pages that are made, and then left alone; NULL for none. */
static inline unsigned char *host_ballast(size_t pages)
{
	unsigned char *memory = pages ? host_map(pages * HOST_PAGE) : NULL;

	for (size_t i = 0; i < pages; i++)
		host_page_make(memory + i * HOST_PAGE, i);
	return memory;
}

static inline void host_ballast_check(const unsigned char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		host_page_check(memory + i * HOST_PAGE, i);
}

static inline double host_per_second(uint64_t count, uint64_t ns)
{
	return (double)count * 1e9 / (double)(ns ? ns : 1);
}

#endif
