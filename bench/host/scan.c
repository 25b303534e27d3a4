/*
 * scan - uses a small part of its memory at random all the time and reads through all the rest in
 * order at a rate, again and again: what is scanned must not push out what is used. Only the
 * touches of the part in use are timed.
 */
#include "workload.h"

#define NOTED	  (1u << 22)
#define NOTE_EACH 4u

static uint64_t region_mb = 512, hot_mb = 64, scan_mb_per_sec = 200;
static unsigned char *region;
static struct touches took[WORKLOAD_WORKERS];

static void check_page(size_t i)
{
	host_page_check(region + i * HOST_PAGE, i);
}

/* Scans on to where it should be by now; a page is compared as a whole. */
static size_t scan_on(const struct worker *w, uint64_t now, size_t first, size_t count,
		      size_t scanned)
{
	size_t due = (now - w->start) / 1000u * (scan_mb_per_sec << 8) / 1000000u;

	for (; scanned < due; scanned++)
		check_page(first + scanned % count);
	return scanned;
}

static void work(struct worker *w)
{
	size_t first, count, hot, scanned = 0;

	workload_part(w, region_mb << 8, &first, &count);
	hot = (hot_mb << 8) / w->workload->workers;
	for (uint64_t now = w->start, after; now < w->deadline; now = host_now()) {
		check_page(first + host_random(&w->seed) % hot);
		after = host_now();
		if (w->done++ % NOTE_EACH == 0)
			touches_note(&took[w->index], after - now);
		scanned = scan_on(w, after, first + hot, count - hot, scanned);
	}
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "scan",
			     .about = "Uses a part of its memory and scans the rest.",
			     .duration_sec = 20,
			     .workers = 1,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB of all workers together", &region_mb, 1 << 20, NULL},
	    {"hot-mb", "MiB of them in use", &hot_mb, 1 << 20, NULL},
	    {"scan-mb-per-sec", "speed of each worker's scan", &scan_mb_per_sec, 1 << 20, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 3, argc, argv);
	if (hot_mb >= region_mb || hot_mb << 8 < w.workers)
		host_die(HOST_USAGE, "--hot-mb: less than --region-mb, a page for each worker");
	region = host_ballast(region_mb << 8);
	for (unsigned i = 0; i < w.workers; i++)
		touches_make(&took[i], NOTED / w.workers);
	workload_ready(&w);
	did = workload_run(&w, work);
	host_ballast_check(region, region_mb << 8);
	workload_print_touches(&w, did.done, (double)(did.deadline - did.start) / 1e9, took);
	return HOST_OK;
}
