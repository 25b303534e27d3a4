/*
 * storm - allocates blocks of all sizes from malloc, writes to all of each, checks and frees them
 * in no order, while a share of them lives long: what allocators do to memory that left.
 */
#include "workload.h"

#define NOTED	  (1u << 22)
#define SLOTS	  4096u
#define LIVE_LONG 8u /* one slot in so many is only replaced by a thousandth of the operations */

struct slot {
	unsigned char *bytes;
	size_t size;
	unsigned char fill;
};

static uint64_t most_kb = 256;
static struct touches took[WORKLOAD_WORKERS];

/* From 16 bytes to most_kb KiB, small ones often: each doubling as likely as the next. */
static size_t random_size(uint64_t *seed)
{
	size_t size = 16;

	while (size < most_kb << 10 && host_random(seed) % 8)
		size *= 2;
	return size / 2 + host_random(seed) % (size / 2);
}

static void release(struct slot *s)
{
	for (size_t i = 0; i < s->size; i++) {
		if (s->bytes[i] != (unsigned char)(s->fill + i))
			host_die(HOST_WRONG_BYTES, "byte %zu of a block of %zu is wrong", i,
				 s->size);
	}
	free(s->bytes);
	*s = (struct slot){0};
}

static void fill(struct slot *s, uint64_t *seed)
{
	s->size = random_size(seed);
	s->fill = (unsigned char)host_random(seed);
	s->bytes = malloc(s->size);
	if (!s->bytes)
		host_die(HOST_FAILED, "no memory for %zu bytes", s->size);
	for (size_t i = 0; i < s->size; i++)
		s->bytes[i] = (unsigned char)(s->fill + i);
}

static unsigned pick(uint64_t *seed)
{
	unsigned slot = host_random(seed) % SLOTS;

	if (slot % LIVE_LONG == 0 && host_random(seed) % 1000)
		slot++;
	return slot;
}

static void work(struct worker *w)
{
	struct slot *slots = calloc(SLOTS, sizeof(*slots));

	if (!slots)
		host_die(HOST_FAILED, "no memory for the slots");
	for (unsigned i = 0; i < SLOTS; i++)
		fill(&slots[i], &w->seed);
	for (uint64_t now = host_now(), after; now < w->deadline; now = after) {
		struct slot *s = &slots[pick(&w->seed)];

		release(s);
		fill(s, &w->seed);
		after = host_now();
		w->done++;
		touches_note(&took[w->index], after - now);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		release(&slots[i]);
	free(slots);
}

int main(int argc, char **argv)
{
	struct workload w = {.name = "storm",
			     .about = "Allocates, touches and frees blocks of all sizes.",
			     .duration_sec = 20,
			     .workers = 4,
			     .seed = 12345};
	const struct workload_flag flags[] = {
	    {"most-kb", "largest block in KiB", &most_kb, 1 << 20, NULL},
	};
	struct worker did;

	workload_parse(&w, flags, 1, argc, argv);
	if (!most_kb)
		host_die(HOST_USAGE, "--most-kb: from 1");
	for (unsigned i = 0; i < w.workers; i++)
		touches_make(&took[i], NOTED / w.workers);
	workload_ready(&w);
	did = workload_run(&w, work);
	workload_print_touches(&w, did.done, (double)(did.deadline - did.start) / 1e9, took);
	return HOST_OK;
}
