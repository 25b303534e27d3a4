#include "pattern.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PERCENT  70u
#define SOME_PERCENT  30u
#define AGAIN_PERCENT 50u

static const char *const names[] = {
    [PATTERN_FEW] = "too few",	 [PATTERN_SEQUENTIAL] = "sequential", [PATTERN_STRIDED] = "strided",
    [PATTERN_RANDOM] = "random", [PATTERN_MIXED] = "mixed",
};

const char *pattern_name(enum pattern_order order)
{
	return names[order];
}

void pattern_begin(struct pattern *p, unsigned block)
{
	*p = (struct pattern){.block = block};
}

void pattern_end(struct pattern *p)
{
	free(p->page);
	p->page = NULL;
}

/* --- steps ---------------------------------------------------------------------------------- */

static void count_step(struct pattern *p, int64_t pages)
{
	unsigned free_slot = PATTERN_STEPS;

	for (unsigned i = 0; i < PATTERN_STEPS; i++) {
		if (p->step[i].count && p->step[i].pages == pages) {
			p->step[i].count++;
			return;
		}
		if (!p->step[i].count)
			free_slot = i;
	}
	if (free_slot < PATTERN_STEPS) {
		p->step[free_slot].pages = pages;
		p->step[free_slot].count = 1;
		return;
	}
	for (unsigned i = 0; i < PATTERN_STEPS; i++)
		p->step[i].count--;
	p->slack++;
}

/* Where the thread faulted last; a thread that finds its place taken drives the other one out. */
static void note_step(struct pattern *p, uint32_t tid, uint64_t page)
{
	unsigned i = tid % PATTERN_THREADS;
	int64_t pages = (int64_t)(page - p->thread[i].page);
	bool known = p->thread[i].tid == tid;

	p->thread[i].tid = tid;
	p->thread[i].page = page;
	if (!known || pages == 0)
		return;
	p->steps++;
	p->forward += pages == 1;
	p->near += pages >= 1 && pages <= (int64_t)p->block;
	count_step(p, pages);
}

/* --- reuse ---------------------------------------------------------------------------------- */

static uint64_t *slot_of(const struct pattern *p, uint64_t page)
{
	size_t i = (size_t)(page * 0x9e3779b97f4a7c15ull >> 24) & (p->slots - 1);

	while (p->page[2 * i] && p->page[2 * i] != page + 1)
		i = (i + 1) & (p->slots - 1);
	return &p->page[2 * i];
}

static bool grow(struct pattern *p)
{
	struct pattern bigger = *p;

	if (p->slots >= 2 * PATTERN_PAGES)
		return false;
	bigger.slots = p->slots ? 2 * p->slots : 256;
	bigger.page = calloc(2 * bigger.slots, sizeof(*bigger.page));
	if (!bigger.page)
		return false;
	for (size_t i = 0; i < p->slots; i++)
		if (p->page[2 * i])
			memcpy(slot_of(&bigger, p->page[2 * i] - 1), &p->page[2 * i],
			       2 * sizeof(*p->page));
	free(p->page);
	p->page = bigger.page;
	p->slots = bigger.slots;
	return true;
}

static void note_reuse(struct pattern *p, uint64_t page)
{
	const bool full = 2 * (p->pages + 1) > p->slots && !grow(p);
	uint64_t *slot = p->slots ? slot_of(p, page) : NULL;

	if (!slot || (full && !slot[0])) {
		p->forgotten++;
		return;
	}
	if (slot[0]) {
		uint64_t distance = p->faults - slot[1];

		p->again++;
		p->distance[63 - __builtin_clzll(distance | 1)]++;
	} else {
		p->pages++;
		slot[0] = page + 1;
	}
	slot[1] = p->faults;
}

void pattern_fault(struct pattern *p, uint32_t tid, uint64_t page, bool major)
{
	p->faults++;
	p->major += major;
	note_step(p, tid, page);
	note_reuse(p, page);
}

/* --- what it was ---------------------------------------------------------------------------- */

int64_t pattern_step(const struct pattern *p, uint64_t *count)
{
	unsigned best = 0;

	for (unsigned i = 1; i < PATTERN_STEPS; i++)
		if (p->step[i].count > p->step[best].count)
			best = i;
	*count = p->step[best].count;
	return *count ? p->step[best].pages : 0;
}

static bool is_share(uint64_t part, uint64_t whole, unsigned percent)
{
	return part * 100 >= whole * percent;
}

enum pattern_order pattern_order(const struct pattern *p)
{
	uint64_t count;
	int64_t step = pattern_step(p, &count);

	if (p->steps < PATTERN_ENOUGH)
		return PATTERN_FEW;
	if (is_share(p->forward, p->steps, MOST_PERCENT))
		return PATTERN_SEQUENTIAL;
	if (is_share(count, p->steps, MOST_PERCENT))
		return step == -1 || step == (int64_t)p->block ? PATTERN_SEQUENTIAL
							       : PATTERN_STRIDED;
	if (p->block > 1 && is_share(p->near, p->steps, MOST_PERCENT))
		return PATTERN_SEQUENTIAL;
	return is_share(PC_MAX(count, p->near), p->steps, SOME_PERCENT) ? PATTERN_MIXED
									: PATTERN_RANDOM;
}

bool pattern_repeated(const struct pattern *p)
{
	return p->faults >= PATTERN_ENOUGH && is_share(p->again, p->faults, AGAIN_PERCENT);
}

uint64_t pattern_distance(const struct pattern *p)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < 64 && p->again; i++) {
		seen += p->distance[i];
		if (2 * seen >= p->again)
			return (2ull << i) - 1;
	}
	return 0;
}
