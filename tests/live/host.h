/*
 * host.h - what the tiny programs of this folder share. They know nothing of the library: each must
 * pass without it, and shows one behaviour that must stay the same with it.
 *
 * EXIT  0 as it should be, 1 with a line that says what was not, 77 with a line that says what is
 *       missing here.
 * ENVIRONMENT, set by `drive`
 *       HOST_PATIENCE_MS   how long to wait for memory to leave (default 50)
 *       HOST_MUST_LEAVE    1: it is a failure when none does
 *       HOST_SECONDS       length of the storms (default 1)
 */
#ifndef LIVE_HOST_H
#define LIVE_HOST_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)

#ifndef MADV_GUARD_INSTALL /* since Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

/* Whole or not at all, so that lines of threads and children do not mix. */
#define HOST_END(status, word, ...)                                                                \
	do {                                                                                       \
		char line_[512];                                                                   \
		int n_ = snprintf(line_, sizeof(line_) - 1, word ": " __VA_ARGS__);                \
		line_[n_] = '\n';                                                                  \
		if (write(1, line_, (size_t)n_ + 1) < 0)                                           \
			_exit(2);                                                                  \
		exit(status);                                                                      \
	} while (0)
#define HOST_FAIL(...) HOST_END(1, "FAIL", __VA_ARGS__)
#define HOST_SKIP(...) HOST_END(77, "SKIP", __VA_ARGS__)
#define HOST_CHECK(c)                                                                              \
	do {                                                                                       \
		if (!(c))                                                                          \
			HOST_FAIL("%s:%d: %s (errno %s)", __FILE_NAME__, __LINE__, #c,             \
				  strerror(errno));                                                \
	} while (0)

static inline long host_number(const char *name, long otherwise)
{
	const char *s = getenv(name);

	return s ? atol(s) : otherwise;
}

static inline uint64_t host_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t host_now_ms(void)
{
	return host_now_us() / 1000;
}

static inline void host_sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Long enough for cold memory to leave, where nothing shows that it did. */
static inline void host_nap(void)
{
	host_sleep_ms(host_number("HOST_PATIENCE_MS", 50) / 20 + 20);
}

static inline uint64_t host_deadline(void)
{
	return host_now_ms() + (uint64_t)host_number("HOST_SECONDS", 1) * 1000;
}

/* xorshift64*: small, and the same everywhere. */
static inline uint64_t host_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ull;
}

static inline uint64_t host_seed(void)
{
	const char *s = getenv("TEST_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : host_now_ms() * 2654435761u + (uint64_t)getpid();

	fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed | 1;
}

/* Bytes that pack well, differ from page to page, and name their place. */
static inline uint64_t host_word(uint64_t seed, size_t i)
{
	return (seed + i / 512) * 0x9e3779b97f4a7c15ull ^ (i >> 4);
}

static inline void host_fill(void *at, size_t len, uint64_t seed)
{
	uint64_t *w = at;

	for (size_t i = 0; i < len / 8; i++)
		w[i] = host_word(seed, i);
}

static inline bool host_same(const void *at, size_t len, uint64_t seed)
{
	const uint64_t *w = at;

	for (size_t i = 0; i < len / 8; i++)
		if (w[i] != host_word(seed, i))
			return false;
	return true;
}

/* The first word of the page at `offset` of a pattern that begins at `at`. */
static inline bool host_page_begins(const void *at, size_t offset, uint64_t seed)
{
	return *(const uint64_t *)((const char *)at + offset) == host_word(seed, offset / 8);
}

static inline bool host_zero(const void *at, size_t len)
{
	const uint64_t *w = at;

	for (size_t i = 0; i < len / 8; i++)
		if (w[i])
			return false;
	return true;
}

static inline void *host_map(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(at != MAP_FAILED);
	return at;
}

/* Pages of [at, at + len) that are not in memory, by mincore(2), which touches none of them. */
static inline size_t host_absent(void *at, size_t len)
{
	unsigned char in[1024];
	size_t absent = 0;

	for (size_t done = 0; done < len; done += sizeof(in) * PAGE) {
		size_t part = len - done < sizeof(in) * PAGE ? len - done : sizeof(in) * PAGE;

		HOST_CHECK(mincore((char *)at + done, part, in) == 0);
		for (size_t i = 0; i < part / PAGE; i++)
			absent += !(in[i] & 1);
	}
	return absent;
}

/* Waits until most of [at, at + len) has left, at most `ms`; tells whether any has. */
static inline bool host_wait_absent(void *at, size_t len, long ms)
{
	uint64_t until = host_now_ms() + (uint64_t)ms;
	size_t absent;

	while ((absent = host_absent(at, len)) < len / PAGE * 3 / 4 && host_now_ms() < until)
		host_sleep_ms(2);
	return absent > 0;
}

/* For memory that was in use before, and may rightly be thought warm. */
static inline void host_let_leave(void *at, size_t len)
{
	host_wait_absent(at, len, host_number("HOST_PATIENCE_MS", 50) / 10);
}

/*
 * Fills new memory, and waits until it has left and had time to be packed. It is a failure when
 * nothing of it has and HOST_MUST_LEAVE is set: what follows would then show nothing.
 */
static inline void host_turn_cold(void *at, size_t len, uint64_t seed)
{
	host_fill(at, len, seed);
	if (!host_wait_absent(at, len, host_number("HOST_PATIENCE_MS", 50)) &&
	    host_number("HOST_MUST_LEAVE", 0))
		HOST_FAIL("no page of %zu KiB left", len >> 10);
	host_nap();
}

static inline void *host_cold(size_t len, uint64_t seed)
{
	void *at = host_map(len);

	host_turn_cold(at, len, seed);
	return at;
}

/* How many names a folder has, "." and ".." among them. */
static inline unsigned host_entries(const char *folder)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	HOST_CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The first mapping whose line in /proc/self/maps has `word`; NULL if none has. */
static inline char *host_mapping(const char *word, size_t *len)
{
	unsigned long start, end;
	char line[512], *at = NULL;
	FILE *maps = fopen("/proc/self/maps", "r");

	HOST_CHECK(maps);
	while (!at && fgets(line, sizeof(line), maps))
		if (strstr(line, word) && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			at = (char *)start;
			*len = end - start;
		}
	fclose(maps);
	return at;
}

/* The child's exit status as a shell shows it. */
static inline int host_reap(pid_t pid)
{
	int status = 0;

	HOST_CHECK(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		HOST_CHECK(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
