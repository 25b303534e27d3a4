/*
 * phases DATASET MIB SEED [FILE] - makes MIB of a dataset: repetitive, unique, mixed_50_50, or heap
 * (the pages of FILE, again and again); then does what each line of standard input says and answers
 * with one line of name=value words.
 *
 *   hot PERCENT MS         keeps reading the first PERCENT of its memory for so long
 *   reread PERCENT         reads so much of the rest in order of address
 *   random PERCENT DIST    reads as many pages as PERCENT are, at random; DIST: the next page is at
 *                          most so many pages away from the last, 0 for anywhere
 *   check                  compares every byte with what was written
 */
#include "host.h"
#include "touches.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE 256

enum dataset { REPETITIVE, UNIQUE, MIXED, HEAP };

static const char *const dataset_names[] = {"repetitive", "unique", "mixed_50_50", "heap"};

static unsigned char *memory;
static const unsigned char *heap;
static size_t pages, heap_pages, hot_pages;
static enum dataset dataset;
static uint64_t seed, dice; /* of the data, and of what is read */

static void make_unique(unsigned char *page, size_t i)
{
	uint64_t state = seed + i, word;

	for (size_t at = 0; at < HOST_PAGE; at += 8) {
		word = host_random(&state);
		memcpy(page + at, &word, 8);
	}
}

static void make_repetitive(unsigned char *page, size_t i)
{
	const char text[] = "all work and no play makes a dull page of memory; ";

	for (size_t at = 0; at < HOST_PAGE; at++)
		page[at] = (unsigned char)text[(at + i) % (sizeof(text) - 1)];
}

static void make(unsigned char *page, size_t i)
{
	if (dataset == HEAP)
		memcpy(page, heap + i % heap_pages * HOST_PAGE, HOST_PAGE);
	else if (dataset == UNIQUE || (dataset == MIXED && i % 2))
		make_unique(page, i);
	else
		make_repetitive(page, i);
}

static void map_heap(const char *path)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at;

	if (fd < 0 || fstat(fd, &about) != 0 || about.st_size < HOST_PAGE)
		host_die(HOST_USAGE, "%s: a file of a page or more", path);
	heap_pages = (size_t)about.st_size / HOST_PAGE;
	at = mmap(NULL, heap_pages * HOST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		host_die(HOST_FAILED, "%s cannot be mapped", path);
	heap = at;
	close(fd);
}

static void read_page(struct touches *took, size_t i)
{
	uint64_t start = host_now();

	(void)*(volatile uint64_t *)(void *)(memory + i * HOST_PAGE);
	touches_note(took, host_now() - start);
}

static void finish(struct touches *took)
{
	touches_print(took, 1);
	printf("\n");
}

static void keep_hot(uint64_t percent, uint64_t ms)
{
	uint64_t until = host_now() + ms * 1000000u;
	const struct timespec pause = {0, 20000000};
	struct touches took;

	hot_pages = pages * percent / 100;
	if (!hot_pages) {
		while (host_now() < until)
			nanosleep(&pause, NULL);
		printf("touches=0\n");
		return;
	}
	touches_make(&took, 1 << 20);
	do {
		for (size_t i = 0; i < hot_pages; i++)
			read_page(&took, i);
		nanosleep(&pause, NULL);
	} while (host_now() < until);
	finish(&took);
}

static void reread(uint64_t percent)
{
	size_t count = (pages - hot_pages) * percent / 100;
	struct touches took;

	touches_make(&took, count);
	for (size_t i = 0; i < count; i++)
		read_page(&took, hot_pages + i);
	finish(&took);
}

static void reread_random(uint64_t percent, uint64_t distance)
{
	const size_t all = pages;
	size_t count = all * percent / 100, at = 0;
	struct touches took;

	if (!all || distance > all)
		host_die(HOST_USAGE, "there is no such memory to read");
	touches_make(&took, count);
	for (size_t i = 0; i < count; i++) {
		if (distance) {
			at += all + host_random(&dice) % (2 * distance + 1) - distance;
			while (at >= all)
				at -= all;
		} else {
			at = host_random(&dice) % all;
		}
		read_page(&took, at);
	}
	finish(&took);
}

static void check(void)
{
	unsigned char expected[HOST_PAGE];

	for (size_t i = 0; i < pages; i++) {
		make(expected, i);
		if (memcmp(memory + i * HOST_PAGE, expected, HOST_PAGE) != 0)
			host_die(HOST_WRONG_BYTES, "page %zu does not hold what was written", i);
	}
	printf("pages_checked=%zu\n", pages);
}

static void obey(char *line)
{
	char word[16];
	unsigned long long a = 0, b = 0;
	int n = sscanf(line, "%15s %llu %llu", word, &a, &b);

	if (n >= 2 && (a > 100 || (b >= pages && strcmp(word, "random") == 0)))
		host_die(HOST_USAGE, "a percentage, and a distance within the memory, not: %s",
			 line);
	if (n == 3 && strcmp(word, "hot") == 0)
		keep_hot(a, b);
	else if (n == 2 && a && strcmp(word, "reread") == 0)
		reread(a);
	else if (n == 3 && a && strcmp(word, "random") == 0)
		reread_random(a, b);
	else if (n == 1 && strcmp(word, "check") == 0)
		check();
	else
		host_die(HOST_USAGE, "unknown command %s", line);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[LINE];

	if (argc != 4 && argc != 5)
		host_die(HOST_USAGE, "usage: phases DATASET MIB SEED [FILE] < commands");
	while (strcmp(argv[1], dataset_names[dataset]) != 0) {
		if (dataset++ == HEAP)
			host_die(HOST_USAGE, "DATASET: repetitive, unique, mixed_50_50 or heap");
	}
	pages = host_number(argv[2], "MIB", 1 << 20) << 8;
	seed = host_number(argv[3], "SEED", UINT32_MAX);
	dice = seed;
	if (!pages || (dataset == HEAP) != (argc == 5))
		host_die(HOST_USAGE, "MIB must not be 0; FILE goes with heap, and with it alone");
	if (dataset == HEAP)
		map_heap(argv[4]);
	memory = host_map(pages * HOST_PAGE);
	madvise(memory, pages * HOST_PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		make(memory + i * HOST_PAGE, i);
	printf("pages=%zu\n", pages);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return HOST_OK;
}
