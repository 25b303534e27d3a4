#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "base/options.h"
#include "base/stats.h"
#include "base/units.h"
#include "predicomp/predicomp.h"
#include "report/knob.h"
#include "report/render.h"

#define START_NS (5 * PC_SEC)
#define NOW_NS	 (65 * PC_SEC)

enum cap_id {
#define PC_CAP(id, ...) CAP_##id,
#include "predicomp/caps.def"
#undef PC_CAP
	CAP_COUNT
};

/*
 * The segment of each test lies against a page that may not be touched: a reader that leaves it
 * dies.
 */
static unsigned char *mapping;
static size_t mapping_size;
static struct pc_segment *segment;

static size_t segment_size(void)
{
	return stats_segment_bytes();
}

static void *against_guard(size_t size)
{
	return mapping + mapping_size - PC_PAGE - size;
}

static int set_up(void **state)
{
	(void)state;
	mapping_size = page_ceil(segment_size()) + 2 * PC_PAGE;
	mapping =
	    mmap(NULL, mapping_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(mprotect(mapping + mapping_size - PC_PAGE, PC_PAGE, PROT_NONE), 0);
	segment = against_guard(segment_size());
	stats_start(segment, 4711, "a.out", START_NS);
	segment->option_count = PC_OPT_COUNT;
	segment->cap_count = CAP_COUNT;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(mapping, mapping_size);
}

static struct report open_sound(void)
{
	struct report r;

	assert_int_equal(report_open(&r, segment, segment_size(), NOW_NS), REPORT_FAULT_OK);
	return r;
}

static void assert_refused(enum report_fault expected)
{
	struct report r;

	assert_int_equal(report_open(&r, segment, segment_size(), NOW_NS), expected);
}

static unsigned seed(void)
{
	const char *text = getenv("TEST_SEED");
	unsigned value = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

	print_message("TEST_SEED=%u\n", value);
	return value;
}

/* --- values --------------------------------------------------------------------------------- */

static void sums_shards(void **state)
{
	struct report r = open_sound();

	(void)state;
	for (unsigned shard = 0; shard < PC_SHARDS; shard++)
		ADD(shard, pages_evicted, shard + 1);
	assert_int_equal(report_value(&r, "pages_evicted"), PC_SHARDS * (PC_SHARDS + 1) / 2);
	assert_int_equal(report_value(&r, "no_such_counter"), 0);
	assert_int_equal(report_value(&r, "fault_all"), 0); /* a histogram is not a value */
}

static void gauges_have_negative_parts(void **state)
{
	struct report r = open_sound();

	(void)state;
	ADD(0, pages_stored, 10);
	ADD(1, pages_stored, -4);
	assert_int_equal(report_value(&r, "pages_stored"), 6);
	ADD(2, pages_stored, -7);
	assert_int_equal(report_value(&r, "pages_stored"), 0);
}

static void computes_memory(void **state)
{
	struct report r = open_sound();
	struct report_memory m;

	(void)state;
	SET(bytes_resident, 10 * PC_PAGE);
	ADD(3, pages_stored, 30);
	SET(store_bytes_mapped, 7 * PC_PAGE);
	SET(metadata_bytes, 3 * PC_PAGE);
	m = report_memory(&r);
	assert_int_equal(m.now, 10 * PC_PAGE);
	assert_int_equal(m.saved, 20 * PC_PAGE);
	assert_int_equal(m.before, 30 * PC_PAGE);
	assert_int_equal(m.ratio, 3000);
	SET(store_bytes_mapped, 35 * PC_PAGE);
	m = report_memory(&r);
	assert_int_equal(m.saved, -8 * (int64_t)PC_PAGE);
	assert_int_equal(m.before, 2 * PC_PAGE);
}

static void divides_without_overflow(void **state)
{
	(void)state;
	assert_int_equal(report_thousandths(1, 0), 0);
	assert_int_equal(report_thousandths(1, 3), 333);
	assert_int_equal(report_thousandths(7, 2), 3500);
	assert_int_equal(report_thousandths(UINT64_MAX / 1000, 1), UINT64_MAX / 1000 * 1000);
	assert_in_range(report_thousandths(UINT64_MAX / 2, UINT64_MAX), 499, 500);
}

/* --- latencies ------------------------------------------------------------------------------ */

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* The model: what `percent` of the sorted values do not exceed. */
static uint64_t exact_quantile(const uint64_t *sorted, size_t n, unsigned percent)
{
	return sorted[(n * percent + 99) / 100 - 1];
}

static void assert_near(uint64_t got, uint64_t exact)
{
	assert_in_range(got, exact, exact + exact / PC_HIST_SUB);
}

static void quantiles_match_a_sorted_array(void **state)
{
	enum { VALUES = 3000 };
	static const unsigned widths[] = {3, 8, 20, 35};
	struct report r = open_sound();
	uint64_t *values = calloc(VALUES, sizeof(*values));
	uint64_t sum = 0;
	struct report_latency l;

	(void)state;
	srandom(seed());
	for (size_t n = 0; n < VALUES; n++) {
		uint64_t raw = (uint64_t)random() << 31 | (uint64_t)random();

		values[n] = raw & ((1ull << widths[n % PC_ARRAY_LEN(widths)]) - 1);
		OBSERVE((unsigned)random(), fault_all, values[n]);
		sum += values[n];
		if (n != 0 && n % 500 != 499)
			continue;
		qsort(values, n + 1, sizeof(*values), ascending);
		l = report_latency(&r, "fault_all");
		assert_int_equal(l.count, n + 1);
		assert_int_equal(l.mean, sum / (n + 1));
		assert_int_equal(l.max, values[n]);
		assert_near(l.p50, exact_quantile(values, n + 1, 50));
		assert_near(l.p95, exact_quantile(values, n + 1, 95));
		assert_near(l.p99, exact_quantile(values, n + 1, 99));
		assert_true(l.p99 <= l.max);
	}
	free(values);
}

static void values_beyond_the_last_bucket_are_max(void **state)
{
	struct report r = open_sound();
	struct report_latency l;

	(void)state;
	OBSERVE(0, pack, 1ull << 50);
	l = report_latency(&r, "pack");
	assert_int_equal(l.p50, 1ull << 50);
	assert_int_equal(l.max, 1ull << 50);
}

static void empty_histograms_are_zero(void **state)
{
	struct report r = open_sound();
	struct report_latency zero = {0}, l = report_latency(&r, "unpack");

	(void)state;
	assert_memory_equal(&l, &zero, sizeof(l));
	l = report_latency(&r, "no_such_histogram");
	assert_memory_equal(&l, &zero, sizeof(l));
}

/* --- the list ------------------------------------------------------------------------------- */

struct wanted {
	enum report_group group;
	const char *name, *field;
	unsigned seen;
	struct report_item item;
};

static void match(void *arg, const struct report_item *item)
{
	struct wanted *w = arg;

	if (item->group != w->group || strcmp(item->name, w->name) != 0)
		return;
	if ((item->field != NULL) != (w->field != NULL) ||
	    (w->field && strcmp(item->field, w->field) != 0))
		return;
	w->seen++;
	w->item = *item;
}

static struct report_item only(const struct report *r, enum report_group group, const char *name,
			       const char *field)
{
	struct wanted w = {.group = group, .name = name, .field = field};

	report_each(r, match, &w);
	if (w.seen != 1)
		fail_msg("%s occurs %u times", name, w.seen);
	return w.item;
}

static void every_table_row_is_an_item(void **state)
{
	struct report r = open_sound();

	(void)state;
#define PC_COUNTER(name, entry_unit, entry_help)                                                   \
	assert_string_equal(only(&r, REPORT_COUNTER, #name, NULL).unit, entry_unit);               \
	assert_string_equal(only(&r, REPORT_COUNTER, #name, NULL).help, entry_help);
#define PC_GAUGE(name, entry_unit, entry_help)                                                     \
	assert_string_equal(only(&r, REPORT_GAUGE, #name, NULL).help, entry_help);
#define PC_HISTOGRAM(name, entry_unit, entry_help)                                                 \
	assert_string_equal(only(&r, REPORT_HISTOGRAM, #name, "p99").unit, entry_unit);
#define PC_RATIO(name, above, below, entry_help)                                                   \
	assert_string_equal(only(&r, REPORT_RATIO, #name, NULL).help, entry_help);
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
#define PC_CAP(id, cap_name, ...)                                                                  \
	assert_string_equal(only(&r, REPORT_CAPABILITY, #id, NULL).help, cap_name);
#include "predicomp/caps.def"
#undef PC_CAP
	for (unsigned i = 0; i < PC_OPT_COUNT; i++) {
		if (!knob_is_text(&knobs[i]))
			only(&r, REPORT_OPTION, knobs[i].id, NULL);
	}
}

static void ratios_follow_their_chains(void **state)
{
	struct report r = open_sound();

	(void)state;
	assert_int_equal(only(&r, REPORT_RATIO, "ratio_e2e", NULL).value, 0);
	ADD(0, compress_bytes_in, 100 * PC_PAGE);
	ADD(1, compress_bytes_packed_in, 80 * PC_PAGE);
	ADD(2, compress_bytes_out, 20 * PC_PAGE);
	assert_int_equal(only(&r, REPORT_RATIO, "ratio_codec", NULL).value, 4000);
	assert_int_equal(only(&r, REPORT_RATIO, "ratio_e2e", NULL).value, 2500);
	/* A denominator that is momentarily below zero is no ratio. */
	ADD(1, compress_bytes_packed_in, 80 * PC_PAGE);
	assert_int_equal(only(&r, REPORT_RATIO, "ratio_e2e", NULL).value, 0);
}

static void identity_is_in_words(void **state)
{
	struct report r = open_sound();

	(void)state;
	segment->run_state = PC_STATE_INERT;
	segment->hotness = 2;
	assert_int_equal(only(&r, REPORT_IDENTITY, "pid", NULL).value, 4711);
	assert_int_equal(only(&r, REPORT_IDENTITY, "uptime", NULL).value, NOW_NS - START_NS);
	assert_string_equal(report_state(&r), "inert");
	assert_string_equal(report_hotness(&r), "probe");
	segment->inert_reason = 9;
	assert_string_equal(report_reason(&r), "less anonymous memory than MIN_RSS so far");
	segment->run_state = segment->hotness = segment->inert_reason = 12345;
	assert_string_equal(report_state(&r), "unknown");
	assert_string_equal(report_hotness(&r), "unknown");
	assert_non_null(report_reason(&r));
}

static void program_names_are_fit_for_a_terminal(void **state)
{
	struct report r = open_sound();
	char program[REPORT_PROGRAM_BYTES];

	(void)state;
	memcpy(segment->program, "a\033[2Jb\n\xff c", 11);
	report_program(&r, program);
	assert_string_equal(program, "a?[2Jb?? c");
	memset(segment->program, 'x', sizeof(segment->program));
	report_program(&r, program);
	assert_int_equal(strlen(program), sizeof(segment->program));
}

/* --- rendering ------------------------------------------------------------------------------ */

static char lines[RENDER_CSV_BYTES + 1];

static const char *render(const struct report *r, size_t size,
			  void (*fn)(const struct report *, struct text *))
{
	struct text t = text_begin(lines, size);

	fn(r, &t);
	assert_false(t.truncated);
	return lines;
}

/* Columns of a line whose quotes hold commas; that it ends in its only newline. */
static size_t columns(const char *line)
{
	size_t n = 1;
	bool quoted = false;

	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	for (; *line != '\0'; line++) {
		if (*line == '"')
			quoted = !quoted;
		n += *line == ',' && !quoted;
	}
	assert_false(quoted);
	return n;
}

static void csv_rows_match_their_header(void **state)
{
	struct report r = open_sound();
	size_t head;

	(void)state;
	head = columns(render(&r, RENDER_CSV_BYTES, render_csv_header));
	assert_true(head > PC_V_COUNT + 6 * PC_H_COUNT);
	assert_int_equal(columns(render(&r, RENDER_CSV_BYTES, render_csv_row)), head);
	memcpy(segment->program, "a,\"b\",c", 8);
	assert_int_equal(columns(render(&r, RENDER_CSV_BYTES, render_csv_row)), head);
	assert_non_null(strstr(lines, "\"a,\"\"b\"\",c\""));
}

static void csv_holds_raw_values(void **state)
{
	struct report r = open_sound();

	(void)state;
	segment->option[PC_OPT_cold_age] = 5 * PC_SEC;
	segment->option[PC_OPT_soft_cap] = PC_CAP_SHARE | 25;
	ADD(0, compress_bytes_packed_in, 3);
	ADD(0, compress_bytes_out, 2);
	render(&r, RENDER_CSV_BYTES, render_csv_row);
	assert_non_null(strstr(lines, ",5000000000,\"25%\","));
	assert_non_null(strstr(lines, ",1.500,"));
}

static void largest_values_fit(void **state)
{
	struct report r = open_sound();
	const size_t tables = segment->value_offset;

	(void)state;
	memset((unsigned char *)segment + tables, 0xff, segment_size() - tables);
	memset(segment->program, '"', sizeof(segment->program));
	memset(segment->option, 0x7f, sizeof(segment->option));
	render(&r, RENDER_CSV_BYTES, render_csv_header);
	render(&r, RENDER_CSV_BYTES, render_csv_row);
	render(&r, RENDER_SUMMARY_BYTES, render_summary);
}

static void summary_says_what_matters(void **state)
{
	struct report r = open_sound();
	struct pc_options defaults;
	size_t width = 0;

	(void)state;
	options_defaults(&defaults);
	for (enum pc_option_id id = 0; id < PC_OPT_COUNT; id++)
		segment->option[id] = options_word(&defaults, id);
	segment->run_state = PC_STATE_WAITING;
	segment->inert_reason = 9;
	render(&r, RENDER_SUMMARY_BYTES, render_summary);
	assert_non_null(strstr(lines, "waiting, not managed: less anonymous memory"));
	assert_null(strstr(lines, "options"));
	ADD(0, ranges_added, 1);
	SET(bytes_resident, 300 << 20);
	OBSERVE(0, fault_all, 4700);
	render(&r, RENDER_SUMMARY_BYTES, render_summary);
	assert_non_null(strstr(lines, "a.out, process 4711, 1m00s\n"));
	assert_non_null(strstr(lines, "COLD_AGE=5s"));
	assert_non_null(strstr(lines, "HOTNESS=auto"));
	assert_non_null(strstr(lines, "300.0 MiB"));
	assert_non_null(strstr(lines, "4.7 us"));
	assert_null(strstr(lines, "take_call")); /* nothing was seen: no row */
	for (const char *c = lines; *c != '\0'; c++) {
		width = *c == '\n' ? 0 : width + 1;
		assert_true(width <= 100);
	}
}

/* --- hostile segments ----------------------------------------------------------------------- */

#define REFUSE(field, bad, fault)                                                                  \
	do {                                                                                       \
		struct pc_segment sound = *segment;                                                \
		segment->field = (bad);                                                            \
		assert_refused(fault);                                                             \
		*segment = sound;                                                                  \
		open_sound();                                                                      \
	} while (0)

static void bad_headers_are_refused(void **state)
{
	(void)state;
	REFUSE(magic, 0, REPORT_FAULT_MAGIC);
	REFUSE(version, PC_SEGMENT_VERSION + 1, REPORT_FAULT_NEWER);
	REFUSE(version, PC_SEGMENT_VERSION - 1, REPORT_FAULT_OLDER);
	REFUSE(ready, 0, REPORT_FAULT_NOT_READY);
	REFUSE(size, segment_size() + 1, REPORT_FAULT_SIZE);
	REFUSE(size, UINT64_MAX, REPORT_FAULT_SIZE);
	REFUSE(size, 0, REPORT_FAULT_SIZE);
	REFUSE(option_count, PC_OPTIONS_MAX + 1, REPORT_FAULT_COUNTS);
	REFUSE(cap_count, UINT32_MAX, REPORT_FAULT_COUNTS);
}

static void bad_tables_are_refused(void **state)
{
	(void)state;
	REFUSE(entry_count, REPORT_ENTRIES_MAX + 1, REPORT_FAULT_ENTRIES);
	REFUSE(entry_offset, segment->entry_offset + 4, REPORT_FAULT_ENTRIES);
	REFUSE(entry_offset, 0xfffffff8u, REPORT_FAULT_ENTRIES);
	REFUSE(value_offset, segment_size() - 8, REPORT_FAULT_VALUES);
	REFUSE(value_offset, UINT64_MAX - 7, REPORT_FAULT_VALUES);
	REFUSE(counter_count, UINT32_MAX, REPORT_FAULT_VALUES);
	REFUSE(shard_count, 0, REPORT_FAULT_VALUES);
	REFUSE(shard_count, UINT32_MAX, REPORT_FAULT_VALUES);
	REFUSE(shard_stride, 8, REPORT_FAULT_VALUES);
	REFUSE(shard_stride, segment->shard_stride + 1, REPORT_FAULT_VALUES);
	REFUSE(hist_offset, segment_size() - 64, REPORT_FAULT_HISTOGRAMS);
	REFUSE(hist_stride, UINT64_MAX - 7, REPORT_FAULT_HISTOGRAMS);
	REFUSE(histogram_count, UINT32_MAX, REPORT_FAULT_HISTOGRAMS);
	REFUSE(counter_count, 1, REPORT_FAULT_SLOT);
	REFUSE(histogram_count, 1, REPORT_FAULT_SLOT);
}

static void bad_entries_are_refused(void **state)
{
	struct pc_entry *e = (void *)((unsigned char *)segment + segment->entry_offset);
	struct pc_entry sound = e[3];

	(void)state;
	e[3].slot = segment->counter_count;
	assert_refused(REPORT_FAULT_SLOT);
	e[3] = sound;
	e[3].kind = 0;
	assert_refused(REPORT_FAULT_SLOT);
	e[3].kind = 4;
	assert_refused(REPORT_FAULT_SLOT);
	e[3] = sound;
	memset(e[3].name, 'a', sizeof(e[3].name));
	assert_refused(REPORT_FAULT_NAME);
	e[3] = sound;
	e[3].name[1] = '\033';
	assert_refused(REPORT_FAULT_NAME);
	e[3] = sound;
	e[3].name[0] = '\0';
	assert_refused(REPORT_FAULT_NAME);
	e[3] = sound;
	memset(e[3].unit, 's', sizeof(e[3].unit));
	assert_refused(REPORT_FAULT_NAME);
	e[3] = sound;
	open_sound();
}

static void bad_unit_tables_are_refused(void **state)
{
	struct pc_entry *c = (void *)((unsigned char *)segment + segment->unit_column_offset);

	(void)state;
	REFUSE(unit_rows, REPORT_UNITS_MAX + 1, REPORT_FAULT_UNITS);
	REFUSE(unit_rows, PC_UNIT_ROWS + 1, REPORT_FAULT_UNITS);
	REFUSE(unit_rows, UINT32_MAX, REPORT_FAULT_UNITS);
	REFUSE(unit_used, PC_UNIT_ROWS + 1, REPORT_FAULT_UNITS);
	REFUSE(unit_offset, segment->unit_offset + 8, REPORT_FAULT_UNITS);
	REFUSE(unit_offset, UINT64_MAX - 7, REPORT_FAULT_UNITS);
	REFUSE(unit_stride, sizeof(struct pc_unit_row) - 8, REPORT_FAULT_UNITS);
	REFUSE(unit_stride, sizeof(struct pc_unit_row) + 8, REPORT_FAULT_UNITS);
	REFUSE(unit_column_count, PC_UNIT_VALUES + 1, REPORT_FAULT_UNITS);
	REFUSE(unit_column_offset, segment->unit_column_offset + 4, REPORT_FAULT_UNITS);
	REFUSE(unit_column_offset, 0xfffffff8u, REPORT_FAULT_UNITS);
	c[1].slot = PC_UNIT_VALUES;
	assert_refused(REPORT_FAULT_SLOT);
	c[1].slot = 1;
	c[1].name[0] = '\033';
	assert_refused(REPORT_FAULT_NAME);
	c[1].name[0] = 'p';
	open_sound();
}

static void units_are_read_by_name(void **state)
{
	struct pc_entry *c = (void *)((unsigned char *)segment + segment->unit_column_offset);
	uint32_t row = units_open(7 * PC_UNIT);
	struct report_unit unit;
	struct report r;

	(void)state;
	units_add(row, PC_U_taken, 5);
	units_add(row, PC_U_packed, 3);
	units_add(0, PC_U_packed, 9);
	r = open_sound();
	assert_int_equal(r.unit_count, 2);
	assert_int_equal(report_unit(&r, 0).value[REPORT_UNIT_packed], 9);
	unit = report_unit(&r, row);
	assert_int_equal(unit.base, 7 * PC_UNIT);
	assert_int_equal(unit.value[REPORT_UNIT_taken], 5);
	assert_int_equal(unit.value[REPORT_UNIT_packed], 3);
	/* Another version may keep them in another order, and not have them all. */
	c[PC_U_taken].slot = PC_U_packed;
	memcpy(c[PC_U_packed].name, "pecked", sizeof("pecked"));
	r = open_sound();
	unit = report_unit(&r, row);
	assert_int_equal(unit.value[REPORT_UNIT_taken], 3);
	assert_int_equal(unit.value[REPORT_UNIT_packed], 0);
	/* A segment from before there was such a table. */
	segment->unit_rows = 0;
	assert_int_equal(open_sound().unit_count, 0);
}

static void own_memory_is_bounded(void **state)
{
	struct pc_span own[PC_OWN_MAX];
	struct report r;

	(void)state;
	segment->own[1] = (struct pc_own){7, 9};
	segment->own_count = 2;
	r = open_sound();
	assert_int_equal(report_own(&r, own), 2);
	assert_int_equal(own[1].start, 7);
	assert_int_equal(own[1].end, 9);
	segment->own_count = UINT32_MAX;
	assert_int_equal(report_own(&r, own), PC_OWN_MAX);
}

/* Every size of segment, cut off right before the page that may not be touched. */
static void cut_segments_are_refused(void **state)
{
	size_t whole = segment_size();
	unsigned char *copy = malloc(whole);
	struct report r;

	(void)state;
	memcpy(copy, segment, whole);
	for (size_t size = 0; size < whole; size += size < 2 * PC_SEGMENT_HEADER ? 8 : 1024) {
		struct pc_segment *cut = against_guard(size);
		enum report_fault fault;

		memcpy(cut, copy, size);
		fault = report_open(&r, cut, size, NOW_NS);
		assert_int_equal(fault,
				 size < PC_SEGMENT_HEADER ? REPORT_FAULT_SHORT : REPORT_FAULT_SIZE);
		if (size < PC_SEGMENT_HEADER)
			continue;
		cut->size = size;
		assert_int_not_equal(report_open(&r, cut, size, NOW_NS), REPORT_FAULT_OK);
	}
	free(copy);
}

/* Whatever a damaged segment says, it is refused or read without leaving it. */
static void damaged_segments_do_no_harm(void **state)
{
	enum { ROUNDS = 2000 };
	const size_t header = sizeof(struct pc_segment);
	const size_t entries = segment->entry_count * sizeof(struct pc_entry);
	const size_t columns = segment->unit_column_offset;
	const size_t described = header + entries + PC_U_COUNT * sizeof(struct pc_entry);
	unsigned opened = 0;
	unsigned char *copy = malloc(segment_size());
	struct report r;

	(void)state;
	srandom(seed());
	memcpy(copy, segment, segment_size());
	for (int i = 0; i < ROUNDS; i++) {
		struct text t = text_begin(lines, sizeof(lines));

		for (long n = random() % 4; n >= 0; n--) {
			size_t at = (size_t)random() % described;

			if (at >= header + entries)
				at += columns - header - entries;
			else if (at >= header)
				at += PC_SEGMENT_HEADER - header;
			((unsigned char *)segment)[at] = (unsigned char)random();
		}
		if (report_open(&r, segment, segment_size(), NOW_NS) == REPORT_FAULT_OK) {
			opened++;
			render_csv_row(&r, &t);
			render_summary(&r, &t);
			for (uint32_t row = 0; row < r.unit_count; row++)
				report_unit(&r, row);
		}
		memcpy(segment, copy, segment_size());
	}
	assert_in_range(opened, 1, ROUNDS - 1);
	free(copy);
}

static void every_fault_has_a_text(void **state)
{
	(void)state;
	assert_string_equal(report_fault_text(REPORT_FAULT_OK), "is sound");
	assert_string_equal(report_fault_text(REPORT_FAULT_SLOT),
			    "has an entry of unknown kind or outside its table");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sums_shards),
	    TEST(gauges_have_negative_parts),
	    TEST(computes_memory),
	    TEST(divides_without_overflow),
	    TEST(quantiles_match_a_sorted_array),
	    TEST(values_beyond_the_last_bucket_are_max),
	    TEST(empty_histograms_are_zero),
	    TEST(every_table_row_is_an_item),
	    TEST(ratios_follow_their_chains),
	    TEST(identity_is_in_words),
	    TEST(program_names_are_fit_for_a_terminal),
	    TEST(csv_rows_match_their_header),
	    TEST(csv_holds_raw_values),
	    TEST(largest_values_fit),
	    TEST(summary_says_what_matters),
	    TEST(bad_headers_are_refused),
	    TEST(bad_tables_are_refused),
	    TEST(bad_entries_are_refused),
	    TEST(bad_unit_tables_are_refused),
	    TEST(units_are_read_by_name),
	    TEST(own_memory_is_bounded),
	    TEST(cut_segments_are_refused),
	    TEST(damaged_segments_do_no_harm),
	    TEST(every_fault_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
