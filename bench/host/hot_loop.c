/* hot_loop MIB SECONDS - keeps MIB of memory hot: every page is written in each pass. */
#include "host.h"

/* The first word of a page counts the passes; the rest is as it was made. */
static void pass(unsigned char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		++*(uint64_t *)(void *)(memory + i * HOST_PAGE);
}

static void check(unsigned char *memory, size_t pages, uint64_t passes)
{
	uint64_t made[HOST_PAGE / 8];

	for (size_t i = 0; i < pages; i++) {
		uint64_t *page = (uint64_t *)(void *)(memory + i * HOST_PAGE);

		host_page_make(made, i);
		if (page[0] - made[0] != passes)
			host_die(HOST_WRONG_BYTES, "page %zu missed a pass", i);
		page[0] = made[0];
		host_page_check(page, i);
	}
}

int main(int argc, char **argv)
{
	uint64_t passes = 0, start, end, seconds;
	unsigned char *memory;
	size_t pages;

	if (argc != 3)
		host_die(HOST_USAGE, "usage: hot_loop MIB SECONDS");
	pages = host_number(argv[1], "MIB", 1 << 20) << 20 >> 12;
	seconds = host_number(argv[2], "SECONDS", 3600);
	memory = host_map(pages * HOST_PAGE);
	for (size_t i = 0; i < pages; i++)
		host_page_make(memory + i * HOST_PAGE, i);

	start = host_now();
	do {
		pass(memory, pages);
		passes++;
		end = host_now();
	} while (end - start < seconds * 1000000000u);

	printf("pages_per_s=%.0f\n", (double)passes * (double)pages * 1e9 / (double)(end - start));
	check(memory, pages, passes);
	printf("pages_checked=%zu\n", pages);
	return HOST_OK;
}
