#include "base/stats.h"

#include "base/atomic.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/units.h"
#include "predicomp/predicomp.h"

#define CACHE_LINE 64
/* Between two pages there is more than one copy needs, but who counts one may be off its CPU. */
#define COPY_PATIENCE (100 * PC_MS)

#define ENTRY_COUNT (PC_V_COUNT + PC_H_COUNT)

struct values {
	uint64_t value[PC_V_COUNT];
} __attribute__((aligned(CACHE_LINE)));

struct histograms {
	struct pc_histogram histogram[PC_H_COUNT];
} __attribute__((aligned(CACHE_LINE)));

/* The LAYOUT of segment.h, as this build fills it. */
struct layout {
	struct pc_segment header;
	struct pc_entry entry[ENTRY_COUNT] __attribute__((aligned(PC_SEGMENT_HEADER)));
	struct values values[PC_SHARDS];
	struct histograms histograms[PC_SHARDS];
	struct pc_entry column[PC_U_COUNT];
} __attribute__((aligned(PC_PAGE)));

_Static_assert(offsetof(struct layout, entry) == PC_SEGMENT_HEADER, "the header outgrew its room");
_Static_assert((PC_SHARDS & (PC_SHARDS - 1)) == 0, "shards are chosen by a mask");

#define PC_ROOM(member) sizeof(((struct pc_entry *)0)->member)
#define PC_ENTRY(id, of)                                                                           \
	_Static_assert(sizeof(#id) <= PC_ROOM(name) && sizeof(of) <= PC_ROOM(unit), #id);
#define PC_COUNTER(name, unit, help)   PC_ENTRY(name, unit)
#define PC_GAUGE(name, unit, help)     PC_ENTRY(name, unit)
#define PC_HISTOGRAM(name, unit, help) PC_ENTRY(name, unit)
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_ENTRY
#undef PC_ROOM
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO

static const struct pc_entry entries[ENTRY_COUNT] = {
#define PC_COUNTER(name, unit, help)   {#name, unit, PC_ENTRY_COUNTER, PC_V_##name, 0},
#define PC_GAUGE(name, unit, help)     {#name, unit, PC_ENTRY_GAUGE, PC_V_##name, 0},
#define PC_HISTOGRAM(name, unit, help) {#name, unit, PC_ENTRY_HISTOGRAM, PC_H_##name, 0},
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
};

static struct layout scratch;
static struct layout *current = &scratch;

static struct layout *layout(void)
{
	return load_acquire(&current); /* pairs with stats_start() */
}

size_t stats_segment_bytes(void)
{
	return sizeof(struct layout) + PC_UNIT_ROWS * sizeof(struct pc_unit_row);
}

size_t stats_written_bytes(void)
{
	return sizeof(struct layout) + stats_segment()->unit_used * sizeof(struct pc_unit_row);
}

/* What belongs together of the pages: each is counted in the first and in one of the others. */
struct account {
	uint64_t evicted, restored, dropped, stored;
};

static uint64_t sum_of(const struct layout *l, enum pc_value_id id)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PC_SHARDS; i++)
		sum += load_relaxed(&l->values[i].value[id]);
	return sum;
}

static struct account account_of(const struct layout *l)
{
	return (struct account){
	    .evicted = sum_of(l, PC_V_pages_evicted),
	    .restored = sum_of(l, PC_V_pages_restored),
	    .dropped = sum_of(l, PC_V_pages_dropped),
	    .stored = sum_of(l, PC_V_pages_stored),
	};
}

/* It closes, and was the same before and after: nobody was in the middle of counting a page. */
static bool copy_values(struct layout *to, const struct layout *from)
{
	const struct account before = account_of(from);
	struct account copied, after;

	memcpy(to->values, from->values, sizeof(to->values));
	copied = account_of(to);
	after = account_of(from);
	return memcmp(&before, &after, sizeof(before)) == 0 &&
	       memcmp(&before, &copied, sizeof(before)) == 0 &&
	       copied.evicted == copied.restored + copied.dropped + copied.stored;
}

bool stats_copy(void *to)
{
	struct layout *copy = to, *now = layout();
	const pc_ns enough = sys_monotonic() + COPY_PATIENCE;

	memcpy(copy, now, stats_written_bytes());
	while (!copy_values(copy, now)) {
		if (sys_monotonic() > enough)
			return false;
		sys_yield();
	}
	return true;
}

struct pc_segment *stats_segment(void)
{
	return &layout()->header;
}

static void describe_tables(struct pc_segment *s)
{
	s->magic = PC_SEGMENT_MAGIC;
	s->version = PC_SEGMENT_VERSION;
	s->size = stats_segment_bytes();
	s->entry_count = ENTRY_COUNT;
	s->entry_offset = offsetof(struct layout, entry);
	s->counter_count = PC_V_COUNT;
	s->histogram_count = PC_H_COUNT;
	s->shard_count = PC_SHARDS;
	s->shard_stride = sizeof(struct values);
	s->value_offset = offsetof(struct layout, values);
	s->hist_offset = offsetof(struct layout, histograms);
	s->hist_stride = sizeof(struct histograms);
	s->unit_column_count = PC_U_COUNT;
	s->unit_column_offset = offsetof(struct layout, column);
	s->unit_offset = sizeof(struct layout);
	s->unit_stride = sizeof(struct pc_unit_row);
	s->unit_rows = PC_UNIT_ROWS;
}

static void describe_process(struct pc_segment *s, int pid, const char *program, pc_ns now)
{
	struct text name = text_begin(s->program, sizeof(s->program));

	text_str(&name, program);
	s->pid = pid;
	s->library_version =
	    PREDICOMP_VERSION_MAJOR << 16 | PREDICOMP_VERSION_MINOR << 8 | PREDICOMP_VERSION_PATCH;
	s->start_ns = now;
}

void stats_start(void *memory, int pid, const char *program, pc_ns now)
{
	struct layout *l = memory;

	describe_tables(&l->header);
	describe_process(&l->header, pid, program, now);
	memcpy(l->entry, entries, sizeof(entries));
	memcpy(l->column, unit_columns, sizeof(unit_columns));
	units_start((struct pc_unit_row *)(l + 1), &l->header.unit_used);
	store_release(&current, l);	     /* pairs with layout() */
	store_release(&l->header.ready, 1u); /* pairs with the reader of the segment */
}

void stats_leave(void)
{
	store_release(&current, &scratch); /* pairs with layout() */
}

static uint64_t *cell(struct layout *l, unsigned shard, enum pc_value_id id)
{
	return &l->values[shard & (PC_SHARDS - 1)].value[id];
}

void stats_add(unsigned shard, enum pc_value_id id, int64_t by)
{
	add_relaxed(cell(layout(), shard, id), (uint64_t)by);
}

void stats_set(enum pc_value_id id, uint64_t value)
{
	store_relaxed(cell(layout(), 0, id), value);
}

uint64_t stats_get(enum pc_value_id id)
{
	return sum_of(layout(), id);
}

static void raise_to(uint64_t *max, uint64_t value)
{
	uint64_t seen = load_relaxed(max);

	while (seen < value && !cas_acq_rel(max, &seen, value))
		;
}

void stats_observe(unsigned shard, enum pc_hist_id id, pc_ns value)
{
	stats_observe_n(shard, id, value, 1);
}

void stats_observe_n(unsigned shard, enum pc_hist_id id, pc_ns value, uint32_t times)
{
	struct pc_histogram *h = &layout()->histograms[shard & (PC_SHARDS - 1)].histogram[id];

	if (!times)
		return;
	add_relaxed(&h->bucket[hist_bucket(value)], times);
	add_relaxed(&h->count, (uint64_t)times);
	add_relaxed(&h->sum, value * times);
	raise_to(&h->max, value);
}

#define SUB_BITS 4u
_Static_assert(PC_HIST_SUB == 1u << SUB_BITS, "steps of a power of two");

unsigned hist_bucket(pc_ns value)
{
	unsigned step_bits;

	if (value < PC_HIST_SUB)
		return (unsigned)value;
	step_bits = 63 - (unsigned)__builtin_clzll(value) - SUB_BITS;
	if (step_bits >= PC_HIST_POWERS)
		return PC_HIST_BUCKETS - 1;
	return step_bits * PC_HIST_SUB + (unsigned)(value >> step_bits);
}

pc_ns hist_bucket_low(unsigned bucket)
{
	unsigned step_bits;

	if (bucket < PC_HIST_SUB)
		return bucket;
	step_bits = bucket / PC_HIST_SUB - 1;
	return (pc_ns)(bucket - step_bits * PC_HIST_SUB) << step_bits;
}
