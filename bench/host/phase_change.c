/*
 * phase_change - works on one part of its memory for a while, then on the next, and so on round:
 * what was cold becomes hot all at once.
 */
#include "workload.h"

#define NOTED	  (1u << 22)
#define NOTE_EACH 16u

static uint64_t region_mb = 512, parts = 4, phase_ms = 4000;
static unsigned char *region;
static struct touches took[WORKLOAD_WORKERS];

/* Pages of the part of the worker's memory that is in use at `now`. */
static size_t page_in_use(struct worker *w, size_t first, size_t count, uint64_t now)
{
	size_t part = (now - w->start) / (phase_ms * 1000000u) % parts, pages = count / parts;

	return first + part * pages + host_random(&w->seed) % pages;
}

static void work(struct worker *w)
{
	size_t first, count;

	workload_part(w, region_mb << 8, &first, &count);
	for (uint64_t now = w->start, after; now < w->deadline; now = after) {
		size_t at = page_in_use(w, first, count, now);
		uint64_t *page = (uint64_t *)(void *)(region + at * HOST_PAGE);

		if (page[0] != at)
			host_die(HOST_WRONG_BYTES, "page %zu is wrong", at);
		page[1]++;
		after = host_now();
		if (w->done % NOTE_EACH == 0)
			touches_note(&took[w->index], after - now);
		w->done++;
	}
}

static uint64_t touches_counted(void)
{
	uint64_t sum = 0, page[HOST_PAGE / 8];

	for (size_t i = 0; i < region_mb << 8; i++) {
		memcpy(page, region + i * HOST_PAGE, HOST_PAGE);
		sum += page[1];
		host_page_make(page, i);
		if (memcmp(page + 2, region + i * HOST_PAGE + 16, HOST_PAGE - 16) != 0)
			host_die(HOST_WRONG_BYTES, "page %zu is wrong", i);
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "phase_change",
			     .about = "Works on one part of its memory, then on the next.",
			     .duration_sec = 20,
			     .workers = 1,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB of all workers together", &region_mb, 1 << 20, NULL},
	    {"parts", "parts of it", &parts, 64, NULL},
	    {"phase-ms", "how long one is in use", &phase_ms, 3600000, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 3, argc, argv);
	if (!parts || !phase_ms || region_mb << 8 < w.workers * parts)
		host_die(HOST_USAGE,
			 "--parts and --phase-ms from 1, a page for each part at least");
	region = host_ballast(region_mb << 8);
	for (size_t i = 0; i < region_mb << 8; i++)
		memcpy(region + i * HOST_PAGE, (uint64_t[]){i, 0}, 16);
	for (unsigned i = 0; i < w.workers; i++)
		touches_make(&took[i], NOTED / w.workers);
	workload_ready(&w);
	did = workload_run(&w, work);
	if (touches_counted() != did.done)
		host_die(HOST_WRONG_BYTES, "not every touch was counted");
	workload_print_touches(&w, did.done, (double)(did.deadline - did.start) / 1e9, took);
	return HOST_OK;
}
