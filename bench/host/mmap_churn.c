/*
 * mmap_churn KIB RATE SECONDS [BALLAST_MIB] - maps, fills, checks and unmaps KIB, RATE times a
 * second (0: as fast as it goes). The ballast is touched once and then left alone, so that the
 * process is large enough to be worth managing while it churns.
 */
#include "host.h"

static void sleep_until(uint64_t when)
{
	struct timespec t = {(time_t)(when / 1000000000u), (long)(when % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		continue;
}

/* One word in each page is enough to fault it in, and is checked. */
static void churn(size_t bytes, uint64_t round)
{
	unsigned char *at = host_map(bytes);

	for (size_t i = 0; i < bytes; i += HOST_PAGE)
		*(uint64_t *)(void *)(at + i) = round + i;
	for (size_t i = 0; i < bytes; i += HOST_PAGE) {
		if (*(uint64_t *)(void *)(at + i) != round + i)
			host_die(HOST_WRONG_BYTES, "byte %zu of mapping %llu is wrong", i,
				 (unsigned long long)round);
	}
	if (munmap(at, bytes) != 0)
		host_die(HOST_FAILED, "munmap failed");
}

int main(int argc, char **argv)
{
	uint64_t rounds = 0, busy = 0, start, now, rate, length;
	size_t bytes, ballast_pages = 0;
	unsigned char *ballast = NULL;

	if (argc != 4 && argc != 5)
		host_die(HOST_USAGE, "usage: mmap_churn KIB RATE SECONDS [BALLAST_MIB]");
	bytes = host_number(argv[1], "KIB", 1 << 20) << 10;
	rate = host_number(argv[2], "RATE", 1000000);
	length = host_number(argv[3], "SECONDS", 3600) * 1000000000u;
	if (argc == 5 && (ballast_pages = host_number(argv[4], "BALLAST_MIB", 1 << 20) << 8) != 0)
		ballast = host_map(ballast_pages * HOST_PAGE);
	for (size_t i = 0; i < ballast_pages; i++)
		host_page_make(ballast + i * HOST_PAGE, i);

	start = host_now();
	for (now = start; now - start < length; now = host_now()) {
		churn(bytes, rounds++);
		busy += host_now() - now;
		if (rate)
			sleep_until(start + rounds * 1000000000u / rate);
	}
	printf("rounds_per_s=%.1f\n", (double)rounds * 1e9 / (double)(now - start));
	printf("us_per_round=%.3f\n", (double)busy / (double)rounds / 1e3);
	for (size_t i = 0; i < ballast_pages; i++)
		host_page_check(ballast + i * HOST_PAGE, i);
	printf("pages_checked=%zu\n", ballast_pages);
	return HOST_OK;
}
