/* random_touch_heap - blocks from malloc, of which random ones are written to at a rate. */
#include "workload.h"

#define BLOCK ((size_t)4080) /* with malloc's header about a page, from its heap */
#define BATCH 100u	     /* touches between two looks at the clock */

struct block {
	uint64_t number, touches;
	unsigned char rest[BLOCK - 16];
};

static uint64_t region_mb = 256, ops_per_sec = 100000;
static struct block **blocks;
static size_t block_count;

static void make_blocks(void)
{
	block_count = (region_mb << 20) / (BLOCK + 16);
	blocks = calloc(block_count, sizeof(void *));
	for (size_t i = 0; blocks && i < block_count; i++) {
		blocks[i] = malloc(sizeof(**blocks));
		if (!blocks[i])
			host_die(HOST_FAILED, "no memory for block %zu", i);
		memset(blocks[i], (int)(i & 0x3f), sizeof(**blocks));
		blocks[i]->number = i;
		blocks[i]->touches = 0;
	}
	if (!blocks)
		host_die(HOST_FAILED, "no memory for %zu blocks", block_count);
}

static void work(struct worker *w)
{
	size_t first, count;

	workload_part(w, block_count, &first, &count);
	for (uint64_t now = w->start; now < w->deadline; now = host_now()) {
		for (unsigned i = 0; i < BATCH; i++) {
			size_t at = first + host_random(&w->seed) % count;

			if (blocks[at]->number != at)
				host_die(HOST_WRONG_BYTES, "block %zu is wrong", at);
			blocks[at]->touches++;
		}
		w->done += BATCH;
		w->busy += host_now() - now;
		workload_pace(w->start, w->done, ops_per_sec);
	}
}

static void check(uint64_t touches)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < block_count; i++) {
		sum += blocks[i]->touches;
		for (size_t j = 0; j < sizeof(blocks[i]->rest); j++) {
			if (blocks[i]->rest[j] != (i & 0x3f))
				host_die(HOST_WRONG_BYTES, "block %zu is wrong", i);
		}
		free(blocks[i]);
	}
	free(blocks);
	if (sum != touches)
		host_die(HOST_WRONG_BYTES, "%llu touches were counted, not %llu",
			 (unsigned long long)sum, (unsigned long long)touches);
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "random_touch_heap",
			     .about = "Writes to random blocks of a heap.",
			     .duration_sec = 20,
			     .workers = 4,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"region-mb", "MiB of blocks", &region_mb, 1 << 20, NULL},
	    {"ops-per-sec", "touches a second by each worker", &ops_per_sec, 1000000000, NULL},
	};
	uint64_t touches = 0;

	workload_parse(&w, flags, 2, argc, argv);
	make_blocks();
	if (block_count < w.workers)
		host_die(HOST_USAGE, "--region-mb: a block for each worker at least");
	while (workload_turn(&w)) {
		struct worker did = workload_run(&w, work);

		workload_print(&w,
			       (struct workload_figure[]){
				   {"touches_per_s", workload_rate(&did)},
				   {"ns_per_touch", (double)did.busy / (double)did.done},
				   {"touches", (double)did.done}},
			       3);
		touches += did.done;
	}
	check(touches);
	return HOST_OK;
}
