/*
 * mmap_churn - maps, fills, checks and unmaps memory. The ballast is touched once and then left
 * alone, so that the process is large enough to be worth managing while it churns.
 */
#include "workload.h"

static uint64_t map_kb = 512, ops_per_sec = 500, ballast_mb;

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

static void work(struct worker *w)
{
	for (uint64_t now = w->start; now < w->deadline; now = host_now()) {
		churn(map_kb << 10, w->done++);
		w->busy += host_now() - now;
		workload_pace(w->start, w->done, ops_per_sec);
	}
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "mmap_churn",
			     .about = "Maps, fills, checks and unmaps KiB of memory.",
			     .duration_sec = 20,
			     .workers = 4,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"map-kb", "KiB a mapping", &map_kb, 1 << 20, NULL},
	    {"ops-per-sec", "mappings a second by each worker", &ops_per_sec, 1000000, NULL},
	    {"ballast-mb", "MiB that are made and left alone", &ballast_mb, 1 << 20, NULL},
	};
	unsigned char *ballast;

	workload_parse(&w, flags, 3, argc, argv);
	ballast = host_ballast(ballast_mb << 8);
	while (workload_turn(&w)) {
		struct worker did = workload_run(&w, work);

		workload_print(&w,
			       (struct workload_figure[]){
				   {"rounds_per_s", workload_rate(&did)},
				   {"us_per_round", (double)did.busy / (double)did.done / 1e3},
				   {"rounds", (double)did.done}},
			       3);
	}
	host_ballast_check(ballast, ballast_mb << 8);
	return HOST_OK;
}
