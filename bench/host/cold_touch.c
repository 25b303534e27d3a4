/*
 * cold_touch MIB - fills MIB, then does what each line of standard input says and answers with one
 * line of name=value words. What it touches is touched once by each command, in whole pages.
 *
 *   pageout            asks the kernel to swap all of it out (MADV_PAGEOUT)
 *   sequential COUNT   reads the first word of COUNT pages in order of address
 *   random COUNT       the same of COUNT different pages in random order
 *   check              compares every byte with what was written
 *
 * A touch that took longer than STALL_NS had to wait for its page. The clock is read once a touch;
 * what that costs is in the figures (tens of ns).
 */
#include "host.h"

#define STALL_NS 400u
#define LINE	 256

static unsigned char *memory;
static size_t pages;

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t *sequence(int shuffled)
{
	uint32_t *order = calloc(pages, sizeof(*order));
	uint64_t state = 1;

	if (!order)
		host_die(HOST_FAILED, "no memory for the order of touches");
	for (size_t i = 0; i < pages; i++)
		order[i] = (uint32_t)i;
	for (size_t i = pages - 1; shuffled && i > 0; i--) {
		size_t j = host_random(&state) % (i + 1);
		uint32_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	return order;
}

static void touch(size_t count, int shuffled)
{
	uint32_t *order, *took;
	uint64_t start, before, sum = 0, stalls = 0;

	if (count < 1 || count > pages)
		host_die(HOST_USAGE, "COUNT must be from 1 to %zu", pages);
	order = sequence(shuffled);
	took = malloc(count * sizeof(*took));
	if (!took)
		host_die(HOST_FAILED, "no memory for the times");
	memset(took, 0, count * sizeof(*took));
	start = before = host_now();
	for (size_t i = 0; i < count; i++) {
		uint64_t now;

		sum += *(volatile uint64_t *)(void *)(memory + (size_t)order[i] * HOST_PAGE);
		now = host_now();
		took[i] = (uint32_t)(now - before < UINT32_MAX ? now - before : UINT32_MAX);
		before = now;
	}
	qsort(took, count, sizeof(*took), by_value);
	for (size_t i = 0; i < count; i++)
		stalls += took[i] > STALL_NS;
	printf("pages=%zu mean_ns=%.0f p50_ns=%u p99_ns=%u max_ns=%u stalls=%llu sum=%llx\n", count,
	       (double)(before - start) / (double)count, took[count / 2], took[count * 99 / 100],
	       took[count - 1], (unsigned long long)stalls, (unsigned long long)sum);
	free(order);
	free(took);
}

static void pageout(void)
{
	if (madvise(memory, pages * HOST_PAGE, MADV_PAGEOUT) != 0)
		host_die(HOST_FAILED, "MADV_PAGEOUT failed");
	printf("pages=%zu\n", pages);
}

static void check(void)
{
	for (size_t i = 0; i < pages; i++)
		host_page_check(memory + i * HOST_PAGE, i);
	printf("pages_checked=%zu\n", pages);
}

static void obey(char *line)
{
	char *word = strtok(line, " \n"), *argument = strtok(NULL, " \n");

	if (!word)
		host_die(HOST_USAGE, "an empty command");
	if (strcmp(word, "pageout") == 0)
		pageout();
	else if (strcmp(word, "check") == 0)
		check();
	else if (argument && strcmp(word, "sequential") == 0)
		touch(host_number(argument, "COUNT", UINT32_MAX), 0);
	else if (argument && strcmp(word, "random") == 0)
		touch(host_number(argument, "COUNT", UINT32_MAX), 1);
	else
		host_die(HOST_USAGE, "unknown command %s", word);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[LINE];

	if (argc != 2)
		host_die(HOST_USAGE, "usage: cold_touch MIB < commands");
	pages = host_number(argv[1], "MIB", 1 << 20) << 8;
	if (!pages)
		host_die(HOST_USAGE, "MIB must not be 0");
	memory = host_map(pages * HOST_PAGE);
	/* Pages one by one: a huge page would leave and come back as one. */
	madvise(memory, pages * HOST_PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		host_page_make(memory + i * HOST_PAGE, i);
	printf("pages=%zu\n", pages);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return HOST_OK;
}
