#include "report/report.h"
#include "report/knob.h"
#include "base/atomic.h"
#include "base/mem.h"
#include "base/text.h"
#include "predicomp/predicomp.h"

_Static_assert(sizeof(struct pc_segment) <= PC_SEGMENT_HEADER, "the header outgrew its page");

static const char *const fault_texts[] = {
#define X(id, text) text,
    REPORT_FAULTS(X)
#undef X
};

static const char *const state_names[] = {
    [PC_STATE_STARTING] = "starting", [PC_STATE_WAITING] = "waiting", [PC_STATE_ACTIVE] = "active",
    [PC_STATE_DRAINING] = "draining", [PC_STATE_INERT] = "inert",
};

static const char *const hotness_names[] = {"none", "DAMON", "probe"};

static const char *const inert_texts[] = {
#define PC_INERT(id, text) text,
#include "predicomp/inert.def"
#undef PC_INERT
};

static const struct {
	const char *name, *help;
} caps_known[] = {
#define PC_CAP(id, name, need, consequence, remedy) {#id, name},
#include "predicomp/caps.def"
#undef PC_CAP
};

static const struct {
	const char *name, *help;
} entries_known[] = {
#define PC_COUNTER(name, unit, help)   {#name, help},
#define PC_GAUGE(name, unit, help)     {#name, help},
#define PC_HISTOGRAM(name, unit, help) {#name, help},
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
};

static const struct {
	const char *name, *above, *below, *help;
} ratios[] = {
#define PC_COUNTER(name, unit, help)
#define PC_GAUGE(name, unit, help)
#define PC_HISTOGRAM(name, unit, help)
#define PC_RATIO(name, num, den, help) {#name, num, den, help},
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
};

static const char *const unit_columns_known[] = {
#define PC_UNIT_COUNTER(name, unit, help) #name,
#define PC_UNIT_GAUGE(name, unit, help)	  #name,
#include "predicomp/units.def"
#undef PC_UNIT_COUNTER
#undef PC_UNIT_GAUGE
};

const char *report_fault_text(enum report_fault fault)
{
	return fault_texts[fault];
}

/* --- checking ------------------------------------------------------------------------------- */

static bool fits(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset % 8 == 0 && offset <= size && bytes <= size - offset;
}

/* `shards` rows of `bytes`, `stride` apart. */
static bool rows_fit(uint64_t offset, uint64_t stride, uint64_t shards, uint64_t bytes,
		     uint64_t size)
{
	if (shards == 0 || shards > REPORT_SHARDS_MAX || stride % 8 != 0 || stride > size)
		return false;
	return bytes <= stride && fits(offset, (shards - 1) * stride + bytes, size);
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_printable(char c)
{
	return c > ' ' && c < 0x7f;
}

/* All of `s` up to a NUL inside `size` bytes is `allowed`. */
static bool is_plain(const char *s, size_t size, bool (*allowed)(char))
{
	size_t len = 0;

	while (len < size && allowed(s[len]))
		len++;
	return len < size && s[len] == '\0';
}

static enum report_fault check_entry(const struct pc_segment *seg, const struct pc_entry *e)
{
	uint32_t slots = e->kind == PC_ENTRY_HISTOGRAM ? seg->histogram_count : seg->counter_count;

	if (e->name[0] == '\0' || !is_plain(e->name, sizeof(e->name), is_name) ||
	    !is_plain(e->unit, sizeof(e->unit), is_printable))
		return REPORT_FAULT_NAME;
	if (e->kind < PC_ENTRY_COUNTER || e->kind > PC_ENTRY_HISTOGRAM || e->slot >= slots)
		return REPORT_FAULT_SLOT;
	return REPORT_FAULT_OK;
}

static enum report_fault check_head(const struct pc_segment *seg, size_t size)
{
	if (size < PC_SEGMENT_HEADER)
		return REPORT_FAULT_SHORT;
	if (seg->magic != PC_SEGMENT_MAGIC)
		return REPORT_FAULT_MAGIC;
	if (seg->version != PC_SEGMENT_VERSION)
		return seg->version > PC_SEGMENT_VERSION ? REPORT_FAULT_NEWER : REPORT_FAULT_OLDER;
	if (load_acquire(&seg->ready) != 1) /* pairs with the last store of stats_start() */
		return REPORT_FAULT_NOT_READY;
	if (seg->size < PC_SEGMENT_HEADER || seg->size > size)
		return REPORT_FAULT_SIZE;
	return REPORT_FAULT_OK;
}

static enum report_fault check_tables(const struct pc_segment *seg)
{
	if (seg->entry_count > REPORT_ENTRIES_MAX ||
	    !fits(seg->entry_offset, seg->entry_count * sizeof(struct pc_entry), seg->size))
		return REPORT_FAULT_ENTRIES;
	if (!rows_fit(seg->value_offset, seg->shard_stride, seg->shard_count,
		      (uint64_t)seg->counter_count * sizeof(uint64_t), seg->size))
		return REPORT_FAULT_VALUES;
	if (!rows_fit(seg->hist_offset, seg->hist_stride, seg->shard_count,
		      (uint64_t)seg->histogram_count * sizeof(struct pc_histogram), seg->size))
		return REPORT_FAULT_HISTOGRAMS;
	if (seg->option_count > PC_OPTIONS_MAX || seg->cap_count > PC_CAPS_MAX)
		return REPORT_FAULT_COUNTS;
	return REPORT_FAULT_OK;
}

/* --- the unit table ------------------------------------------------------------------------- */

static enum report_fault check_column(const struct pc_entry *e)
{
	if (e->name[0] == '\0' || !is_plain(e->name, sizeof(e->name), is_name) ||
	    !is_plain(e->unit, sizeof(e->unit), is_printable))
		return REPORT_FAULT_NAME;
	return e->slot < PC_UNIT_VALUES ? REPORT_FAULT_OK : REPORT_FAULT_SLOT;
}

static void note_column(struct report *r, const struct pc_entry *e)
{
	for (size_t i = 0; i < REPORT_UNIT_COLUMNS; i++)
		if (text_equal(unit_columns_known[i], e->name))
			r->unit_slot[i] = (uint8_t)e->slot;
}

static enum report_fault open_units(struct report *r, const struct pc_segment *seg)
{
	const unsigned char *base = (const unsigned char *)seg;
	const struct pc_entry *columns = (const void *)(base + seg->unit_column_offset);
	const uint32_t count = seg->unit_column_count, rows = seg->unit_rows;
	const uint32_t used = load_acquire(&seg->unit_used); /* pairs with units_open() */

	for (size_t i = 0; i < REPORT_UNIT_COLUMNS; i++)
		r->unit_slot[i] = PC_UNIT_VALUES;
	if (rows == 0)
		return REPORT_FAULT_OK;
	if (rows > REPORT_UNITS_MAX || used > rows || count > PC_UNIT_VALUES ||
	    seg->unit_stride % 8 != 0 || seg->unit_stride < sizeof(struct pc_unit_row) ||
	    !fits(seg->unit_column_offset, count * sizeof(struct pc_entry), seg->size) ||
	    !fits(seg->unit_offset, (uint64_t)rows * seg->unit_stride, seg->size))
		return REPORT_FAULT_UNITS;
	for (uint32_t i = 0; i < count; i++) {
		enum report_fault fault = check_column(&columns[i]);

		if (fault != REPORT_FAULT_OK)
			return fault;
		note_column(r, &columns[i]);
	}
	r->units = base + seg->unit_offset;
	r->unit_count = used;
	r->unit_stride = seg->unit_stride;
	return REPORT_FAULT_OK;
}

uint32_t report_own(const struct report *r, struct pc_span *out)
{
	uint32_t n = load_acquire(&r->segment->own_count); /* pairs with segment_own() */

	n = PC_MIN(n, PC_OWN_MAX);
	for (uint32_t i = 0; i < n; i++)
		out[i] = (struct pc_span){load_relaxed(&r->segment->own[i].start),
					  load_relaxed(&r->segment->own[i].end)};
	return n;
}

struct report_unit report_unit(const struct report *r, uint32_t row)
{
	const struct pc_unit_row *from = (const void *)(r->units + (size_t)row * r->unit_stride);
	struct report_unit unit = {
	    .base = load_relaxed(&from->base),
	    .generation = load_relaxed(&from->generation),
	};

	for (size_t i = 0; i < REPORT_UNIT_COLUMNS; i++)
		if (r->unit_slot[i] < PC_UNIT_VALUES)
			unit.value[i] = load_relaxed(&from->value[r->unit_slot[i]]);
	return unit;
}

enum report_fault report_open(struct report *r, const void *memory, size_t size, pc_ns now)
{
	const struct pc_segment *seg = memory;
	const unsigned char *base = memory;
	enum report_fault fault = check_head(seg, size);

	if (fault == REPORT_FAULT_OK)
		fault = check_tables(seg);
	if (fault != REPORT_FAULT_OK)
		return fault;
	*r = (struct report){
	    .segment = seg,
	    .entries = (const void *)(base + seg->entry_offset),
	    .values = base + seg->value_offset,
	    .histograms = base + seg->hist_offset,
	    .value_stride = seg->shard_stride,
	    .hist_stride = seg->hist_stride,
	    .entry_count = seg->entry_count,
	    .shard_count = seg->shard_count,
	    .option_count = PC_MIN(seg->option_count, (uint32_t)PC_ARRAY_LEN(knobs)),
	    .cap_count = PC_MIN(seg->cap_count, (uint32_t)PC_ARRAY_LEN(caps_known)),
	    .now = now,
	};
	for (uint32_t i = 0; i < r->entry_count && fault == REPORT_FAULT_OK; i++)
		fault = check_entry(seg, &r->entries[i]);
	return fault == REPORT_FAULT_OK ? open_units(r, seg) : fault;
}

/* --- values --------------------------------------------------------------------------------- */

static uint64_t sum_of(const struct report *r, const struct pc_entry *e)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->shard_count; i++) {
		const void *row = r->values + i * r->value_stride;

		sum += load_relaxed((const uint64_t *)row + e->slot);
	}
	/* Shards are read one after the other: a moving gauge may pass below zero for a moment. */
	if (e->kind == PC_ENTRY_GAUGE && (int64_t)sum < 0)
		return 0;
	return sum;
}

static const struct pc_entry *find(const struct report *r, const char *name, bool histogram)
{
	for (uint32_t i = 0; i < r->entry_count; i++) {
		const struct pc_entry *e = &r->entries[i];

		if ((e->kind == PC_ENTRY_HISTOGRAM) == histogram && text_equal(e->name, name))
			return e;
	}
	return NULL;
}

uint64_t report_value(const struct report *r, const char *name)
{
	const struct pc_entry *e = find(r, name, false);

	return e ? sum_of(r, e) : 0;
}

uint64_t report_thousandths(uint64_t a, uint64_t b)
{
	uint64_t rest;

	if (b == 0)
		return 0;
	rest = a % b;
	if (rest > UINT64_MAX / 1000)
		return a / b * 1000 + rest / (b / 1000);
	return a / b * 1000 + rest * 1000 / b;
}

/* --- histograms ----------------------------------------------------------------------------- */

static const struct pc_histogram *shard_of(const struct report *r, const struct pc_entry *e,
					   uint32_t shard)
{
	const void *row = r->histograms + shard * r->hist_stride;

	return (const struct pc_histogram *)row + e->slot;
}

/* Largest value of a bucket; see struct pc_histogram. */
static uint64_t bucket_high(unsigned bucket)
{
	unsigned power, step;

	if (bucket < PC_HIST_SUB)
		return bucket;
	power = (bucket - PC_HIST_SUB) / PC_HIST_SUB;
	step = bucket % PC_HIST_SUB;
	return ((uint64_t)(PC_HIST_SUB + step + 1) << power) - 1;
}

/* All shards of a histogram in one. */
struct merged {
	uint64_t count, sum, max;
	uint64_t observed; /* sum of the buckets: `count` is read apart and may have run ahead */
	uint64_t bucket[PC_HIST_BUCKETS];
};

static void merge(struct merged *m, const struct pc_histogram *h)
{
	uint64_t max = load_relaxed(&h->max);

	m->count += load_relaxed(&h->count);
	m->sum += load_relaxed(&h->sum);
	m->max = PC_MAX(m->max, max);
	for (unsigned b = 0; b < PC_HIST_BUCKETS; b++) {
		uint32_t n = load_relaxed(&h->bucket[b]);

		m->bucket[b] += n;
		m->observed += n;
	}
}

/* The value that `percent` of all observations do not exceed. */
static uint64_t quantile(const struct merged *m, unsigned percent)
{
	uint64_t total = m->observed, above = 100 - percent;
	uint64_t rank = total - total / 100 * above - total % 100 * above / 100;
	uint64_t seen = 0;

	for (unsigned b = 0; b < PC_HIST_BUCKETS - 1; b++) {
		seen += m->bucket[b];
		if (seen >= rank)
			return PC_MIN(bucket_high(b), m->max);
	}
	return m->max;
}

static struct report_latency latency_of(const struct report *r, const struct pc_entry *e)
{
	struct merged m = {0};

	for (uint32_t i = 0; i < r->shard_count; i++)
		merge(&m, shard_of(r, e, i));
	if (m.count == 0 || m.observed == 0)
		return (struct report_latency){0};
	return (struct report_latency){
	    .count = m.count,
	    .mean = m.sum / m.count,
	    .p50 = quantile(&m, 50),
	    .p95 = quantile(&m, 95),
	    .p99 = quantile(&m, 99),
	    .max = m.max,
	};
}

struct report_latency report_latency(const struct report *r, const char *name)
{
	const struct pc_entry *e = find(r, name, true);

	return e ? latency_of(r, e) : (struct report_latency){0};
}

/* --- what follows from them ----------------------------------------------------------------- */

/* "a-b+c", left to right. */
static uint64_t chain(const struct report *r, const char *expression)
{
	char name[sizeof(((struct pc_entry *)0)->name)];
	uint64_t sum = 0;
	char sign = '+';

	while (sign != '\0') {
		size_t len = 0;

		while (is_name(*expression) && len + 1 < sizeof(name))
			name[len++] = *expression++;
		name[len] = '\0';
		sum = sign == '-' ? sum - report_value(r, name) : sum + report_value(r, name);
		sign = *expression;
		if (sign != '\0')
			expression++;
	}
	return (int64_t)sum < 0 ? 0 : sum;
}

struct report_memory report_memory(const struct report *r)
{
	uint64_t packed = report_value(r, "pages_stored") * PC_PAGE;
	uint64_t cost = report_value(r, "store_bytes_mapped") + report_value(r, "metadata_bytes");
	struct report_memory m = {
	    .now = report_value(r, "bytes_resident"),
	    .saved = (int64_t)(packed - cost),
	};

	m.before = m.now + (uint64_t)m.saved;
	if (m.saved < 0 && m.before > m.now)
		m.before = 0;
	m.ratio = report_thousandths(m.before, m.now);
	return m;
}

/* --- words ---------------------------------------------------------------------------------- */

const char *report_state(const struct report *r)
{
	uint32_t state = load_relaxed(&r->segment->run_state);

	return state < PC_ARRAY_LEN(state_names) ? state_names[state] : "unknown";
}

const char *report_reason(const struct report *r)
{
	uint32_t reason = load_relaxed(&r->segment->inert_reason);

	return reason < PC_ARRAY_LEN(inert_texts) ? inert_texts[reason]
						  : "a reason this program does not know";
}

const char *report_hotness(const struct report *r)
{
	uint32_t hotness = load_relaxed(&r->segment->hotness);

	return hotness < PC_ARRAY_LEN(hotness_names) ? hotness_names[hotness] : "unknown";
}

void report_program(const struct report *r, char out[REPORT_PROGRAM_BYTES])
{
	size_t i = 0;

	while (i < sizeof(r->segment->program) && r->segment->program[i] != '\0') {
		char c = r->segment->program[i];

		out[i++] = c == ' ' || is_printable(c) ? c : '?';
	}
	out[i] = '\0';
}

static const char *entry_help(const char *name)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(entries_known); i++) {
		if (text_equal(entries_known[i].name, name))
			return entries_known[i].help;
	}
	return NULL;
}

/* --- the list ------------------------------------------------------------------------------- */

struct walk {
	report_item_fn *fn;
	void *arg;
};

static void say_word(const struct walk *w, const char *name, const char *text, const char *help)
{
	struct report_item item = {
	    .group = REPORT_IDENTITY, .name = name, .unit = "", .text = text, .help = help};

	w->fn(w->arg, &item);
}

static void say_number(const struct walk *w, enum report_group group, const char *name,
		       const char *unit, int64_t value, const char *help)
{
	struct report_item item = {
	    .group = group, .name = name, .unit = unit, .value = value, .help = help};

	w->fn(w->arg, &item);
}

static void each_identity(const struct report *r, const struct walk *w)
{
	char program[REPORT_PROGRAM_BYTES];
	char version[32];
	struct text t = text_begin(version, sizeof(version));
	uint64_t start = r->segment->start_ns;

	report_program(r, program);
	text_u64(&t, r->segment->library_version >> 16);
	text_char(&t, '.');
	text_u64(&t, r->segment->library_version >> 8 & 0xff);
	text_char(&t, '.');
	text_u64(&t, r->segment->library_version & 0xff);
	say_word(w, "program", program, "name of the program");
	say_number(w, REPORT_IDENTITY, "pid", "", r->segment->pid, "process, as it knows itself");
	say_word(w, "version", version, "of the library");
	say_number(w, REPORT_IDENTITY, "uptime", "ns",
		   r->now > start ? (int64_t)(r->now - start) : 0, "since the pager started");
	say_word(w, "state", report_state(r), "starting, waiting, active, draining, inert");
	say_word(w, "reason", report_reason(r), "why the process is left alone");
	say_word(w, "age_source", report_hotness(r), "where page age is learnt now");
}

static void each_option(const struct report *r, const struct walk *w)
{
	for (uint32_t i = 0; i < r->option_count; i++) {
		const struct knob *k = &knobs[i];
		uint64_t word = load_relaxed(&r->segment->option[i]);
		char buf[48];
		struct text t = text_begin(buf, sizeof(buf));
		struct report_item item = {
		    .group = REPORT_OPTION,
		    .name = k->id,
		    .unit = knob_unit(k),
		    .value = (int64_t)word,
		    .help = k->help,
		};

		if (knob_is_text(k))
			continue;
		item.text = knob_text(k, word, &t) ? buf : NULL;
		w->fn(w->arg, &item);
	}
}

static void each_cap(const struct report *r, const struct walk *w)
{
	for (uint32_t i = 0; i < r->cap_count; i++)
		say_number(w, REPORT_CAPABILITY, caps_known[i].name, "",
			   load_relaxed(&r->segment->cap[i]), caps_known[i].help);
}

static void each_memory(const struct report *r, const struct walk *w)
{
	struct report_memory m = report_memory(r);

	say_number(w, REPORT_MEMORY, "memory_before", "bytes", (int64_t)m.before,
		   "what would be resident without packing");
	say_number(w, REPORT_MEMORY, "memory_now", "bytes", (int64_t)m.now,
		   "what is resident, store included");
	say_number(w, REPORT_MEMORY, "memory_saved", "bytes", m.saved,
		   "packed pages against the store and the tables");
}

static void each_field(const struct report *r, const struct pc_entry *e, const struct walk *w)
{
	struct report_latency l = latency_of(r, e);
	const struct {
		const char *field, *unit;
		uint64_t value;
	} fields[] = {
	    {"count", "events", l.count}, {"mean", e->unit, l.mean}, {"p50", e->unit, l.p50},
	    {"p95", e->unit, l.p95},	  {"p99", e->unit, l.p99},   {"max", e->unit, l.max},
	};

	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++) {
		struct report_item item = {
		    .group = REPORT_HISTOGRAM,
		    .name = e->name,
		    .field = fields[i].field,
		    .unit = fields[i].unit,
		    .value = (int64_t)fields[i].value,
		    .help = entry_help(e->name),
		};

		w->fn(w->arg, &item);
	}
}

static void each_entry(const struct report *r, const struct walk *w)
{
	for (uint32_t i = 0; i < r->entry_count; i++) {
		const struct pc_entry *e = &r->entries[i];

		if (e->kind == PC_ENTRY_HISTOGRAM)
			each_field(r, e, w);
		else
			say_number(w, e->kind == PC_ENTRY_GAUGE ? REPORT_GAUGE : REPORT_COUNTER,
				   e->name, e->unit, (int64_t)sum_of(r, e), entry_help(e->name));
	}
}

static void each_ratio(const struct report *r, const struct walk *w)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(ratios); i++) {
		uint64_t above = chain(r, ratios[i].above);
		uint64_t below = chain(r, ratios[i].below);

		say_number(w, REPORT_RATIO, ratios[i].name, "ratio",
			   (int64_t)report_thousandths(above, below), ratios[i].help);
	}
}

void report_each(const struct report *r, report_item_fn *fn, void *arg)
{
	struct walk w = {fn, arg};

	each_identity(r, &w);
	each_option(r, &w);
	each_cap(r, &w);
	each_memory(r, &w);
	each_entry(r, &w);
	each_ratio(r, &w);
}
