/*
 * hot_loop - keeps memory hot: each pass writes every page anew, all of it.
 *
 * A word follows from the one before it, so that a pass takes what the CPU takes. A loop that only
 * touches pages takes what the caches make of their physical addresses: two runs of it differ by
 * 15 %, which hides what is to be seen here, time that is taken from the program.
 */
#include "workload.h"

#define WORDS (HOST_PAGE / 8)

static uint64_t region_mb = 512, pages, written; /* pages, one after the other, pass after pass */
static uint64_t *memory;

static uint64_t first_word(uint64_t page, uint64_t pass)
{
	return page * 0x9e3779b97f4a7c15u + pass;
}

static uint64_t next_word(uint64_t word)
{
	word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9u;
	return word ^ word >> 32;
}

static void write_page(uint64_t page, uint64_t pass)
{
	uint64_t *at = memory + page * WORDS, word = first_word(page, pass);

	if (pass && at[0] != first_word(page, pass - 1))
		host_die(HOST_WRONG_BYTES, "page %llu missed a pass", (unsigned long long)page);
	for (unsigned i = 0; i < WORDS; i++, word = next_word(word))
		at[i] = word;
}

static void check_page(uint64_t page, uint64_t pass)
{
	const uint64_t *at = memory + page * WORDS;
	uint64_t word = first_word(page, pass);

	for (unsigned i = 0; i < WORDS; i++, word = next_word(word))
		if (at[i] != word)
			host_die(HOST_WRONG_BYTES, "word %u of page %llu is wrong", i,
				 (unsigned long long)page);
}

static void work(struct worker *w)
{
	for (uint64_t now = w->start; now < w->deadline; now = host_now()) {
		write_page(written % pages, written / pages);
		written++;
		w->done++;
		w->busy += host_now() - now;
	}
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "hot_loop",
			     .about = "Writes all pages of a region, over and over.",
			     .duration_sec = 20,
			     .workers = 1,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB that are kept hot", &region_mb, 1 << 20, NULL},
	};

	workload_parse(&w, flags, 1, argc, argv);
	if (w.workers != 1 || !region_mb)
		host_die(HOST_USAGE, "--workers: only 1; --region-mb: 1 or more");
	pages = region_mb << 8;
	memory = (uint64_t *)(void *)host_map(pages * HOST_PAGE);
	for (; written < pages; written++)
		write_page(written, 0);
	while (workload_turn(&w)) {
		struct worker did = workload_run(&w, work);

		workload_print(&w,
			       (struct workload_figure[]){
				   {"pages_per_s", workload_rate(&did)},
				   {"us_per_page", (double)did.busy / (double)did.done / 1e3},
				   {"pages", (double)did.done}},
			       3);
	}
	for (uint64_t i = written - pages; i < written; i++)
		check_page(i % pages, i / pages);
	return HOST_OK;
}
