/*
 * Memory that was packed is read when the memory cgroup has not a page left. Driven by
 * memory_limit.sh, line by line on standard input and output:
 *
 *   > filled                 the memory is written
 *   < (packed by the script) any line
 *   > full                   not one more page is to be had
 *   < (nothing)              READS pages are read, far from each other
 *   > read                   and were right
 *   < (limit lifted)         any line
 *   > ok                     all of it is right
 */
#include "host.h"

#define LEN   (24 * MIB)
#define READS 48u
#define EAT   (1ul << 30)

/* No stdio from the limit on: it may want memory. */
static void say(const char *line)
{
	HOST_CHECK(write(1, line, strlen(line)) == (ssize_t)strlen(line));
}

static void wait_for_line(void)
{
	char c = 0;

	while (c != '\n')
		HOST_CHECK(read(0, &c, 1) == 1);
}

/* By a call that fails at the limit, where a touch would wait or kill. */
static void eat_everything(void)
{
	char *at = mmap(NULL, EAT, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t eaten = 0;

	HOST_CHECK(at != MAP_FAILED);
	HOST_CHECK(madvise(at, EAT, MADV_NOHUGEPAGE) == 0);
	while (eaten < EAT && madvise(at + eaten, PAGE, MADV_POPULATE_WRITE) == 0)
		eaten += PAGE;
	HOST_CHECK(eaten < EAT);
	HOST_CHECK(errno == ENOMEM);
}

int main(void)
{
	char *at = host_map(LEN);

	host_fill(at, LEN, 3);
	say("filled\n");
	wait_for_line();
	eat_everything();
	say("full\n");
	for (size_t i = 0; i < READS; i++)
		if (!host_page_begins(at, i * (LEN / READS), 3))
			HOST_FAIL("page %zu is wrong", i);
	say("read\n");
	wait_for_line();
	HOST_CHECK(host_same(at, LEN, 3));
	say("ok\n");
	return 0;
}
