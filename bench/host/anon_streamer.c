/* anon_streamer - writes to every page of a region in order, rests, and begins again. */
#include "workload.h"

static uint64_t region_mb = 512, idle_ms = 300;
static unsigned char *region;

/* The second word of a page counts the passes. */
static void work(struct worker *w)
{
	size_t first, count;

	workload_part(w, region_mb << 8, &first, &count);
	for (uint64_t now = w->start, pass = 1; now < w->deadline; now = host_now(), pass++) {
		for (size_t i = first; i < first + count; i++) {
			uint64_t *page = (uint64_t *)(void *)(region + i * HOST_PAGE);

			if (page[0] != i || page[1]++ != pass - 1)
				host_die(HOST_WRONG_BYTES, "page %zu is wrong", i);
		}
		w->done += count;
		w->busy += host_now() - now;
		if (idle_ms)
			workload_sleep_until(host_now() + idle_ms * 1000000u);
	}
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "anon_streamer",
			     .about = "Writes to every page of a region in order, then rests.",
			     .duration_sec = 20,
			     .workers = 4,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB of all workers together", &region_mb, 1 << 20, NULL},
	    {"idle-ms", "rest between two passes", &idle_ms, 3600000, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 2, argc, argv);
	region = host_map(region_mb << 20);
	for (size_t i = 0; i < region_mb << 8; i++)
		*(uint64_t *)(void *)(region + i * HOST_PAGE) = i;
	workload_ready(&w);
	did = workload_run(&w, work);
	workload_print(&w,
		       (struct workload_figure[]){
			   {"pages_per_s", host_per_second(did.done, did.deadline - did.start)},
			   {"ns_per_page", (double)did.busy / (double)did.done},
			   {"pages", (double)did.done}},
		       3);
	return HOST_OK;
}
