/*
 * cold_touch MIB - fills MIB, then does what each line of standard input says and answers with one
 * line of name=value words. What it touches is touched once by each command, in whole pages.
 *
 *   pageout            asks the kernel to swap all of it out (MADV_PAGEOUT); the CPU time of that
 *   sequential COUNT   reads the first word of COUNT pages in order of address
 *   random COUNT       the same of COUNT different pages in random order
 *   fork COUNT         forks so often a child that ends at once; the wall time of each fork()
 *   check              compares every byte with what was written
 */
#include "host.h"
#include "touches.h"

#include <sys/wait.h>
#include <unistd.h>

#define LINE 256

static unsigned char *memory;
static size_t pages;

static void touch(size_t count, int shuffled)
{
	struct touches took;
	uint64_t before, sum = 0;
	uint32_t *order;

	if (count < 1 || count > pages)
		host_die(HOST_USAGE, "COUNT must be from 1 to %zu", pages);
	order = touches_sequence(pages, shuffled);
	touches_make(&took, count);
	before = host_now();
	for (size_t i = 0; i < count; i++) {
		uint64_t now;

		sum += *(volatile uint64_t *)(void *)(memory + (size_t)order[i] * HOST_PAGE);
		now = host_now();
		touches_note(&took, now - before);
		before = now;
	}
	touches_print(&took, 1);
	printf(" pages=%zu sum=%llx\n", count, (unsigned long long)sum);
	free(order);
}

static void pageout(void)
{
	uint64_t start = host_now(), cpu = host_thread_cpu();

	if (madvise(memory, pages * HOST_PAGE, MADV_PAGEOUT) != 0)
		host_die(HOST_FAILED, "MADV_PAGEOUT failed");
	printf("pages=%zu cpu_ns=%llu wall_ns=%llu\n", pages,
	       (unsigned long long)(host_thread_cpu() - cpu),
	       (unsigned long long)(host_now() - start));
}

/* What the first one waits is told apart: it may have more to do than those that follow. */
static void fork_often(size_t count)
{
	uint64_t first = 0, rest = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t before = host_now(), took;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		took = host_now() - before;
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			host_die(HOST_FAILED, "fork failed");
		*(i ? &rest : &first) += took;
	}
	printf("first_ns=%llu next_ns=%llu\n", (unsigned long long)first,
	       (unsigned long long)(count > 1 ? rest / (count - 1) : 0));
}

static void check(void)
{
	host_ballast_check(memory, pages);
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
	else if (argument && strcmp(word, "fork") == 0)
		fork_often(host_number(argument, "COUNT", UINT32_MAX));
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
