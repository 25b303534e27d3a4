#include "layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "array.h"

#define RING_BYTES (32u * PC_PAGE) /* some thousand mappings between two looks */
#define MAPS_EVERY PC_SEC

/* brk() begins at most this far above the program. */
#define HEAP_WITHIN (2ull << 30)

struct layout_change {
	pc_ns time;
	bool exec; /* or `region` was mapped */
	struct region region;
};

/* What follows a record, as asked for by sample_type. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
};

struct mmap_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	char name[];
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

/* --- hearing of changes --------------------------------------------------------------------- */

static void forget_told(struct layout *l)
{
	memmove(l->change, l->change + l->next, (l->count - l->next) * sizeof(*l->change));
	l->count -= l->next;
	l->next = 0;
}

static struct layout_change *new_change(struct layout *l)
{
	struct layout_change *change =
		array_room(l->change, &l->room, l->count + 1, sizeof(*change));

	if (!change)
		return NULL;
	l->change = change;
	return &l->change[l->count++];
}

static pc_ns time_of(const struct perf_event_header *record)
{
	struct trailer trailer;

	memcpy(&trailer, (const char *)record + record->size - sizeof(trailer), sizeof(trailer));
	return trailer.time;
}

static void take_mapping(struct layout *l, const struct mmap_record *m)
{
	struct layout_change *change = m->pid == (uint32_t)l->pid ? new_change(l) : NULL;

	if (!change) {
		l->lost += m->pid == (uint32_t)l->pid;
		return;
	}
	*change = (struct layout_change){.time = time_of(&m->header)};
	change->region.start = m->start;
	change->region.end = m->start + m->length;
	region_name(&change->region, strcmp(m->name, "//anon") == 0 ? "" : m->name);
}

static void take_exec(struct layout *l, const struct comm_record *c)
{
	struct layout_change *change = c->pid == (uint32_t)l->pid ? new_change(l) : NULL;

	if (change)
		*change = (struct layout_change){.time = time_of(&c->header), .exec = true};
}

static void take_record(void *arg, const struct perf_event_header *record)
{
	if (record->type == PERF_RECORD_MMAP)
		take_mapping(arg, (const struct mmap_record *)record);
	else if (record->type == PERF_RECORD_COMM && record->misc & PERF_RECORD_MISC_COMM_EXEC)
		take_exec(arg, (const struct comm_record *)record);
}

static int by_time(const void *a, const void *b)
{
	const struct layout_change *x = a, *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

static void hear(struct layout *l)
{
	const uint64_t lost = l->rings.lost;

	forget_told(l);
	l->heard = now_monotonic();
	perf_rings_read(&l->rings, take_record, l);
	if (l->count)
		qsort(l->change, l->count, sizeof(*l->change), by_time);
	if (l->rings.lost != lost)
		l->next_maps = 0;
}

/* --- the layout ----------------------------------------------------------------------------- */

/* Without an event that counts nothing perf would tell nothing. */
static int listen(struct layout *l)
{
	const struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_DUMMY,
	    .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	    .sample_id_all = 1,
	    .inherit = 1,
	    .exclude_kernel = 1,
	    .mmap = 1,
	    .mmap_data = 1,
	    .comm = 1,
	    .comm_exec = 1,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};
	int err = perf_rings_begin(&l->rings, RING_BYTES);

	return err ? err : perf_rings_add(&l->rings, l->pid, &attr);
}

void layout_begin(struct layout *l, pid_t pid)
{
	*l = (struct layout){.pid = pid};
	l->told = listen(l) == 0;
	if (!l->told)
		perf_rings_end(&l->rings);
	image_changed(&l->image, pid);
	layout_refresh(l);
}

void layout_end(struct layout *l)
{
	if (l->told)
		perf_rings_end(&l->rings);
	regions_free(&l->regions);
	free(l->change);
}

void layout_look(struct layout *l)
{
	l->asked = false;
	if (!l->told && image_changed(&l->image, l->pid))
		l->other = regions_read(&l->regions, l->pid) == 0;
	if (now_monotonic() >= l->next_maps)
		layout_refresh(l);
}

/* To the program belongs what lies against it, as its bss does. */
static bool is_of_program(struct region *program, const struct region *one)
{
	if (!program->end && one->class == REGION_FILE)
		*program = *one;
	if (one->start > program->end || one->end < program->start)
		return false;
	program->start = PC_MIN(program->start, one->start);
	program->end = PC_MAX(program->end, one->end);
	return true;
}

static int put(struct layout *l, struct region one)
{
	const bool inside = is_of_program(&l->program, &one);

	if (l->program.end && !inside && one.class == REGION_ANON && one.start > l->program.end &&
	    one.start - l->program.end < HEAP_WITHIN)
		region_name(&one, "[heap]");
	return regions_put(&l->regions, &one);
}

bool layout_advance(struct layout *l, pc_ns time)
{
	const bool other = l->other;

	l->other = false;
	if (!l->told)
		return other;
	if (time > l->heard)
		hear(l);
	while (l->next < l->count && l->change[l->next].time <= time) {
		const struct layout_change *change = &l->change[l->next++];

		if (change->exec) {
			l->regions.count = 0;
			l->program = (struct region){0};
			return true;
		}
		if (put(l, change->region) != 0)
			l->lost++;
	}
	return false;
}

const struct region *layout_at(struct layout *l, pc_addr addr)
{
	const struct region *r = regions_at(&l->regions, addr);

	if (r || l->asked)
		return r;
	/* Once a look: a burst of faults in memory that has gone again must not read maps each time. */
	l->asked = true;
	return layout_refresh(l) == 0 ? regions_at(&l->regions, addr) : NULL;
}

int layout_refresh(struct layout *l)
{
	l->next_maps = now_monotonic() + MAPS_EVERY;
	return regions_update(&l->regions, l->pid);
}
