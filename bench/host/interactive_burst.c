/* interactive_burst - uses random pages of a region for a while, then does nothing for a while. */
#include "workload.h"

static uint64_t region_mb = 128, active_ms = 100, idle_ms = 400;
static unsigned char *region;

/* A page begins with its number, which nobody changes, and a count of its uses. */
static uint64_t burst(struct worker *w, size_t first, size_t count, uint64_t until)
{
	uint64_t uses = 0;

	do {
		for (unsigned i = 0; i < 64; i++, uses++) {
			size_t at = first + host_random(&w->seed) % count;
			uint64_t *page = (uint64_t *)(void *)(region + at * HOST_PAGE);

			if (page[0] != at)
				host_die(HOST_WRONG_BYTES, "page %zu is wrong", at);
			page[1]++;
		}
	} while (host_now() < until);
	return uses;
}

static void work(struct worker *w)
{
	size_t first, count;

	workload_part(w, region_mb << 8, &first, &count);
	for (uint64_t now = w->start; now < w->deadline; now = host_now()) {
		w->done += burst(w, first, count, now + active_ms * 1000000u);
		w->busy += host_now() - now;
		if (idle_ms)
			workload_sleep_until(host_now() + idle_ms * 1000000u);
	}
}

static uint64_t uses_counted(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < region_mb << 8; i++)
		sum += ((uint64_t *)(void *)(region + i * HOST_PAGE))[1];
	return sum;
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "interactive_burst",
			     .about = "Uses random pages of a region for a while, then rests.",
			     .duration_sec = 20,
			     .workers = 4,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB of all workers together", &region_mb, 1 << 20, NULL},
	    {"active-ms", "length of a burst", &active_ms, 3600000, NULL},
	    {"idle-ms", "rest between two bursts", &idle_ms, 3600000, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 3, argc, argv);
	if (region_mb << 8 < w.workers)
		host_die(HOST_USAGE, "--region-mb: a page for each worker at least");
	region = host_map(region_mb << 20);
	for (size_t i = 0; i < region_mb << 8; i++)
		*(uint64_t *)(void *)(region + i * HOST_PAGE) = i;
	workload_ready(&w);
	did = workload_run(&w, work);
	if (uses_counted() != did.done)
		host_die(HOST_WRONG_BYTES, "%llu uses were counted, not %llu",
			 (unsigned long long)uses_counted(), (unsigned long long)did.done);
	workload_print(&w,
		       (struct workload_figure[]){
			   {"uses_per_s", host_per_second(did.done, did.busy) * (double)w.workers},
			   {"ns_per_use", (double)did.busy / (double)did.done},
			   {"uses", (double)did.done}},
		       3);
	return HOST_OK;
}
