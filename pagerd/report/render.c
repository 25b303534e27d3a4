#include "report/render.h"
#include "report/human.h"
#include "report/knob.h"

/* --- CSV ------------------------------------------------------------------------------------ */

struct csv {
	struct text *text;
	bool started;
};

static void separate(struct csv *csv)
{
	if (csv->started)
		text_char(csv->text, ',');
	csv->started = true;
}

static void column_name(void *arg, const struct report_item *item)
{
	struct csv *csv = arg;

	separate(csv);
	if (item->group == REPORT_OPTION)
		text_str(csv->text, "option_");
	if (item->group == REPORT_CAPABILITY)
		text_str(csv->text, "cap_");
	text_str(csv->text, item->name);
	if (item->field) {
		text_char(csv->text, '_');
		text_str(csv->text, item->field);
	}
}

static void quoted(struct text *t, const char *s)
{
	text_char(t, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			text_char(t, '"');
		text_char(t, *s);
	}
	text_char(t, '"');
}

static void column_value(void *arg, const struct report_item *item)
{
	struct csv *csv = arg;

	separate(csv);
	if (item->text)
		quoted(csv->text, item->text);
	else if (item->group == REPORT_RATIO)
		human_thousandths(csv->text, (uint64_t)item->value);
	else
		text_i64(csv->text, item->value);
}

static void csv_line(const struct report *r, struct text *t, report_item_fn *column)
{
	struct csv csv = {.text = t};

	report_each(r, column, &csv);
	text_char(t, '\n');
}

void render_csv_header(const struct report *r, struct text *t)
{
	csv_line(r, t, column_name);
}

void render_csv_row(const struct report *r, struct text *t)
{
	csv_line(r, t, column_value);
}

/* --- summary -------------------------------------------------------------------------------- */

enum { LABEL_WIDTH = 16, CELL_WIDTH = 11, OPTION_WIDTH = 22, OPTIONS_IN_LINE = 3 };

static void label(struct text *t, const char *name)
{
	size_t start = t->len;

	text_str(t, "  ");
	text_str(t, name);
	human_pad(t, start, LABEL_WIDTH);
}

static void size_line(struct text *t, const char *name, int64_t bytes)
{
	char cell[32];
	struct text c = text_begin(cell, sizeof(cell));

	human_size(&c, bytes);
	label(t, name);
	human_right(t, cell, CELL_WIDTH);
}

static void fact(struct text *t, uint64_t n, const char *what)
{
	text_u64(t, n);
	text_str(t, what);
}

static void identity(const struct report *r, struct text *t)
{
	char program[REPORT_PROGRAM_BYTES];
	uint64_t start = r->segment->start_ns;

	report_program(r, program);
	text_str(t, "predicomp: ");
	text_str(t, program);
	text_str(t, ", process ");
	text_i64(t, r->segment->pid);
	text_str(t, ", ");
	human_time(t, r->now > start ? r->now - start : 0);
	text_char(t, '\n');
}

static void state(const struct report *r, struct text *t)
{
	label(t, "state");
	text_str(t, report_state(r));
	if (r->segment->inert_reason != 0) {
		text_str(t, ", not managed: ");
		text_str(t, report_reason(r));
	}
	if (r->segment->hotness != 0) {
		text_str(t, ", age from ");
		text_str(t, report_hotness(r));
	}
	text_char(t, '\n');
}

static void options_in_force(const struct report *r, struct text *t)
{
	unsigned shown = 0;
	size_t start = 0;

	for (uint32_t i = 0; i < r->option_count; i++) {
		if (knob_is_text(&knobs[i]))
			continue;
		if (shown % OPTIONS_IN_LINE == 0) {
			if (shown != 0)
				text_char(t, '\n');
			label(t, shown == 0 ? "options" : "");
		} else {
			human_pad(t, start, OPTION_WIDTH);
		}
		start = t->len;
		text_str(t, knobs[i].name);
		text_char(t, '=');
		knob_text(&knobs[i], r->segment->option[i], t);
		shown++;
	}
	text_char(t, '\n');
}

static void memory(const struct report *r, struct text *t)
{
	struct report_memory m = report_memory(r);

	size_line(t, "before", (int64_t)m.before);
	text_str(t, "  without packing\n");
	size_line(t, "now", (int64_t)m.now);
	text_str(t, "  resident, ");
	human_size(t, (int64_t)report_value(r, "store_bytes_mapped"));
	text_str(t, " of it the store, ");
	human_size(t, (int64_t)report_value(r, "metadata_bytes"));
	text_str(t, " tables\n");
	size_line(t, "saved", m.saved);
	text_str(t, "  ratio ");
	human_thousandths(t, m.ratio);
	text_str(t, ", packed pages alone ");
	human_thousandths(t, report_thousandths(report_value(r, "compress_bytes_packed_in"),
						report_value(r, "compress_bytes_out")));
	text_char(t, '\n');
}

static void pages(const struct report *r, struct text *t)
{
	label(t, "pages");
	fact(t, report_value(r, "pages_stored"), " packed now, ");
	fact(t, report_value(r, "pages_evicted"), " left, ");
	fact(t, report_value(r, "pages_restored"), " came back, ");
	fact(t, report_value(r, "pages_dropped"), " dropped\n");
}

static void faults(const struct report *r, struct text *t)
{
	label(t, "faults");
	fact(t, report_value(r, "faults_missing"), " served, ");
	fact(t, report_value(r, "restore_around"), " pages beside them, ");
	fact(t, report_value(r, "refaults"), " too early, ");
	fact(t, report_value(r, "restore_failed"), " failed\n");
}

static void cpu(const struct report *r, struct text *t)
{
	label(t, "CPU");
	human_time(t, report_value(r, "work_cpu"));
	text_str(t, " in the background, ");
	human_time(t, report_value(r, "pager_cpu"));
	text_str(t, " for faults\n");
}

static void latency_head(struct text *t)
{
	label(t, "latency");
	human_right(t, "count", CELL_WIDTH);
	human_right(t, "mean", CELL_WIDTH);
	human_right(t, "p50", CELL_WIDTH);
	human_right(t, "p95", CELL_WIDTH);
	human_right(t, "p99", CELL_WIDTH);
	human_right(t, "max", CELL_WIDTH);
	text_char(t, '\n');
}

struct latency_table {
	struct text *text;
	bool headed;
	bool in_row;
};

/* Items of a histogram come together, count first: a histogram without one has no row. */
static void latency_cell(void *arg, const struct report_item *item)
{
	struct latency_table *table = arg;
	char cell[32];
	struct text c = text_begin(cell, sizeof(cell));

	if (item->group != REPORT_HISTOGRAM)
		return;
	if (text_equal(item->field, "count")) {
		table->in_row = item->value > 0;
		if (!table->in_row)
			return;
		if (!table->headed)
			latency_head(table->text);
		table->headed = true;
		label(table->text, item->name);
		human_count(&c, (uint64_t)item->value);
	} else {
		human_time(&c, (uint64_t)item->value);
	}
	if (!table->in_row)
		return;
	human_right(table->text, cell, CELL_WIDTH);
	if (text_equal(item->field, "max"))
		text_char(table->text, '\n');
}

void render_summary(const struct report *r, struct text *t)
{
	struct latency_table table = {.text = t};

	identity(r, t);
	state(r, t);
	if (report_value(r, "ranges_added") == 0) /* nothing happened: most helpers of a shell */
		return;
	options_in_force(r, t);
	memory(r, t);
	pages(r, t);
	faults(r, t);
	cpu(r, t);
	report_each(r, latency_cell, &table);
}
