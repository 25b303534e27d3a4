/* Four threads map, unmap, move, discard and protect as fast as they can, and know every byte. */
#include "host.h"

#include <pthread.h>

#define THREADS	  4
#define SLOTS	  64
#define MAX_PAGES 64

enum content { ABSENT, ZERO, PATTERN, EITHER }; /* EITHER: freed lazily */

struct slot {
	char *at;
	size_t pages; /* 0: not mapped */
	bool pieces;  /* mapped over in part: no longer one mapping, and mremap(2) wants one */
	enum content content[MAX_PAGES];
	uint64_t seed[MAX_PAGES];
};

struct storm {
	pthread_t thread;
	uint64_t random;
	uint64_t until;
	struct slot slot[SLOTS];
};

static uint64_t below(struct storm *s, uint64_t n)
{
	return (host_random(&s->random) >> 16) % n;
}

static void check_page(const struct slot *s, size_t i)
{
	const char *at = s->at + i * PAGE;

	if (s->content[i] == ZERO)
		HOST_CHECK(host_zero(at, PAGE));
	else if (s->content[i] == PATTERN)
		HOST_CHECK(host_same(at, PAGE, s->seed[i]));
	else
		HOST_CHECK(host_zero(at, PAGE) || host_same(at, PAGE, s->seed[i]));
}

static void check(const struct slot *s)
{
	for (size_t i = 0; i < s->pages; i++)
		check_page(s, i);
}

static void write_page(struct storm *storm, struct slot *s, size_t i)
{
	s->content[i] = PATTERN;
	s->seed[i] = host_random(&storm->random);
	host_fill(s->at + i * PAGE, PAGE, s->seed[i]);
}

static void become_zero(struct slot *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		s->content[i] = ZERO;
}

static void map(struct storm *storm, struct slot *s)
{
	s->pages = 1 + below(storm, MAX_PAGES);
	s->pieces = false;
	s->at = host_map(s->pages * PAGE);
	become_zero(s, 0, s->pages);
	for (size_t i = 0; i < s->pages; i++)
		if (below(storm, 4))
			write_page(storm, s, i);
}

static void unmap(struct storm *storm, struct slot *s)
{
	(void)storm;
	HOST_CHECK(munmap(s->at, s->pages * PAGE) == 0);
	s->pages = 0;
}

static void map_over(struct storm *storm, struct slot *s)
{
	size_t from = below(storm, s->pages), n = 1 + below(storm, s->pages - from);

	HOST_CHECK(mmap(s->at + from * PAGE, n * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	s->pieces = true;
	become_zero(s, from, from + n);
}

static void resize(struct storm *storm, struct slot *s)
{
	size_t pages = 1 + below(storm, MAX_PAGES), was = s->pages;

	if (s->pieces)
		return;
	s->at = mremap(s->at, was * PAGE, pages * PAGE, MREMAP_MAYMOVE);
	HOST_CHECK(s->at != MAP_FAILED);
	s->pages = pages;
	become_zero(s, was, pages);
}

static void move(struct storm *storm, struct slot *s)
{
	size_t len = s->pages * PAGE;
	char *room;

	(void)storm;
	if (s->pieces)
		return;
	room = host_map(len);
	HOST_CHECK(mremap(s->at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
	s->at = room;
}

static void discard(struct storm *storm, struct slot *s)
{
	size_t from = below(storm, s->pages), n = 1 + below(storm, s->pages - from);

	HOST_CHECK(madvise(s->at + from * PAGE, n * PAGE, MADV_DONTNEED) == 0);
	become_zero(s, from, from + n);
}

static void discard_lazily(struct storm *storm, struct slot *s)
{
	size_t from = below(storm, s->pages), n = 1 + below(storm, s->pages - from);

	HOST_CHECK(madvise(s->at + from * PAGE, n * PAGE, MADV_FREE) == 0);
	for (size_t i = from; i < from + n; i++)
		if (s->content[i] == PATTERN)
			s->content[i] = EITHER;
}

static void protect(struct storm *storm, struct slot *s)
{
	int prot = below(storm, 2) ? PROT_READ : PROT_NONE;

	HOST_CHECK(mprotect(s->at, s->pages * PAGE, prot) == 0);
	if (prot == PROT_READ)
		check(s);
	HOST_CHECK(mprotect(s->at, s->pages * PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void write_some(struct storm *storm, struct slot *s)
{
	write_page(storm, s, below(storm, s->pages));
}

static void (*const deeds[])(struct storm *, struct slot *) = {
    unmap, map_over, resize, move, discard, discard_lazily, protect, write_some, write_some,
};

static void *storm(void *arg)
{
	struct storm *s = arg;

	for (unsigned n = 0; host_now_ms() < s->until; n++) {
		struct slot *slot = &s->slot[below(s, SLOTS)];

		if (!slot->pages) {
			map(s, slot);
			continue;
		}
		if (below(s, 2))
			check(slot);
		deeds[below(s, sizeof(deeds) / sizeof(deeds[0]))](s, slot);
		if (n % 256 == 0)
			host_sleep_ms(20);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		check(&s->slot[i]);
	return NULL;
}

int main(void)
{
	struct storm *s = calloc(THREADS, sizeof(*s));
	uint64_t seed = host_seed();
	char *quiet = host_cold(MIB, 1); /* leaves, whatever the storm does */

	HOST_CHECK(s);
	for (unsigned i = 0; i < THREADS; i++) {
		s[i].random = (seed + i * 0x9e3779b97f4a7c15ull) | 1;
		s[i].until = host_deadline();
		HOST_CHECK(pthread_create(&s[i].thread, NULL, storm, &s[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(s[i].thread, NULL) == 0);
	HOST_CHECK(host_same(quiet, MIB, 1));
	return 0;
}
