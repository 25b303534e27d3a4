/*
 * half_packed MIB THREADS - a heap of which every other 4 MiB is in use and the rest is not. It
 * keeps reading the first half until a line on standard input says what to do, and answers with
 * one line of name=value words:
 *
 *   pageout        asks the kernel to swap the unused half out (MADV_PAGEOUT)
 *   random COUNT   THREADS threads read COUNT random pages of the whole heap between them
 *   check          compares every byte with what was written
 */
#include "host.h"
#include "touches.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define LINE	     256
#define BLOCK	     ((size_t)1024) /* pages */
#define BETWEEN_MS   50
#define MOST_THREADS 64

struct toucher {
	pthread_t thread;
	struct touches *took;
	uint64_t seed, sum, began, ended;
	size_t count;
};

static unsigned char *memory;
static size_t pages, threads;
static pthread_barrier_t together;

static uint64_t read_page(size_t i)
{
	return *(volatile uint64_t *)(void *)(memory + i * HOST_PAGE);
}

static void keep_hot(void)
{
	for (size_t block = 0; block < pages; block += 2 * BLOCK) {
		for (size_t i = block; i < block + BLOCK && i < pages; i++)
			read_page(i);
	}
}

static void pageout(void)
{
	for (size_t block = BLOCK; block < pages; block += 2 * BLOCK) {
		size_t n = block + BLOCK < pages ? BLOCK : pages - block;

		if (madvise(memory + block * HOST_PAGE, n * HOST_PAGE, MADV_PAGEOUT) != 0)
			host_die(HOST_FAILED, "MADV_PAGEOUT failed");
	}
	printf("pages=%zu\n", pages / 2);
}

static void *touch(void *argument)
{
	struct toucher *t = argument;
	uint64_t before;

	pthread_barrier_wait(&together);
	before = t->began = host_now();
	for (size_t i = 0; i < t->count; i++) {
		uint64_t now;

		t->sum += read_page(host_random(&t->seed) % pages);
		now = host_now();
		touches_note(t->took, now - before);
		before = now;
	}
	t->ended = before;
	return NULL;
}

static void start_all(struct toucher *all, struct touches *took, size_t count)
{
	pthread_barrier_init(&together, NULL, (unsigned)threads);
	for (size_t i = 0; i < threads; i++) {
		all[i] =
		    (struct toucher){.took = &took[i], .seed = i + 1, .count = count / threads};
		touches_make(&took[i], all[i].count);
		if (pthread_create(&all[i].thread, NULL, touch, &all[i]) != 0)
			host_die(HOST_FAILED, "no thread");
	}
}

static void touch_random(size_t count)
{
	struct toucher all[MOST_THREADS];
	struct touches took[MOST_THREADS];
	const size_t workers = threads;
	uint64_t began = UINT64_MAX, ended = 0, sum = 0;

	if (!workers || count < workers)
		host_die(HOST_USAGE, "COUNT must be at least %zu", threads);
	start_all(all, took, count);
	for (size_t i = 0; i < threads; i++)
		pthread_join(all[i].thread, NULL);
	for (size_t i = 0; i < threads; i++) {
		began = all[i].began < began ? all[i].began : began;
		ended = all[i].ended > ended ? all[i].ended : ended;
		sum += all[i].sum;
	}
	printf("per_s=%.0f sum=%llx ", host_per_second(count / workers * workers, ended - began),
	       (unsigned long long)sum);
	touches_print(took, threads);
	printf("\n");
}

static void check(void)
{
	host_ballast_check(memory, pages);
	printf("pages_checked=%zu\n", pages);
}

static void obey(char *line)
{
	char *word = strtok(line, " \n"), *argument = strtok(NULL, " \n");

	if (word && strcmp(word, "pageout") == 0)
		pageout();
	else if (word && strcmp(word, "check") == 0)
		check();
	else if (word && argument && strcmp(word, "random") == 0)
		touch_random(host_number(argument, "COUNT", UINT32_MAX));
	else
		host_die(HOST_USAGE, "unknown command %s", word ? word : "");
	fflush(stdout);
}

/* One whole line from the descriptor that is polled; 0 at its end. */
static int next_line(char *line)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t length = 0;

	while (poll(&in, 1, BETWEEN_MS) == 0)
		keep_hot();
	while (length < LINE - 1 && read(STDIN_FILENO, line + length, 1) == 1) {
		if (line[length++] == '\n')
			break;
	}
	line[length] = '\0';
	return length > 0;
}

int main(int argc, char **argv)
{
	char line[LINE];

	if (argc != 3)
		host_die(HOST_USAGE, "usage: half_packed MIB THREADS < commands");
	pages = host_number(argv[1], "MIB", 1 << 20) << 8;
	threads = host_number(argv[2], "THREADS", MOST_THREADS);
	if (!pages || !threads)
		host_die(HOST_USAGE, "neither MIB nor THREADS may be 0");
	memory = host_map(pages * HOST_PAGE);
	madvise(memory, pages * HOST_PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		host_page_make(memory + i * HOST_PAGE, i);
	printf("pages=%zu\n", pages);
	fflush(stdout);
	while (next_line(line))
		obey(line);
	return HOST_OK;
}
