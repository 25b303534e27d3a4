#include "chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const chart_format_names[FORMATS] = {
#define PC_FORMAT(name, help) #name,
#include "formats.def"
#undef PC_FORMAT
};

static void (*const writers[FORMATS])(FILE *, const struct chart *) = {
#define PC_FORMAT(name, help) chart_##name,
#include "formats.def"
#undef PC_FORMAT
};

enum chart_format chart_format_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	unsigned i = 0;

	while (dot && i < FORMATS && strcmp(dot + 1, chart_format_names[i]) != 0)
		i++;
	return dot ? (enum chart_format)i : FORMATS;
}

void chart_write(FILE *to, const struct chart *c, enum chart_format format)
{
	writers[format](to, c);
}

bool chart_has(const struct chart *c, enum layer layer)
{
	return c->seen->source[layer_kinds[layer].source].present;
}

static bool continues(const struct matrix *m, const struct matrix_row *a,
		      const struct matrix_row *b)
{
	return a->process == b->process && a->class == b->class &&
	       strcmp(a->label, b->label) == 0 &&
	       a->start / m->row_bytes + 1 == b->start / m->row_bytes;
}

static bool is_other(const struct matrix_row *a, const struct matrix_row *b)
{
	return a->process != b->process;
}

static pc_addr gap_between(const struct matrix *m, const struct matrix_row *a,
			   const struct matrix_row *b)
{
	pc_addr end = (a->start / m->row_bytes + 1) * m->row_bytes;
	pc_addr start = b->start / m->row_bytes * m->row_bytes;

	return !is_other(a, b) && start > end ? start - end : 0;
}

struct chart_band *chart_bands(const struct chart *c, size_t *count)
{
	const struct matrix *m = c->m;
	struct chart_band *band = calloc(m->row_count + 1, sizeof(*band));

	*count = 0;
	for (size_t i = 0; band && i < m->row_count; i++) {
		if (i == 0 || !continues(m, &m->row[i - 1], &m->row[i]))
			band[(*count)++] = (struct chart_band){
			    .first = i,
			    .gap = i ? gap_between(m, &m->row[i - 1], &m->row[i]) : 0,
			    .begins =
				i ? is_other(&m->row[i - 1], &m->row[i]) : c->seen->processes > 1,
			};
		band[*count - 1].end = i + 1;
	}
	return band;
}

struct chart_paint chart_paint(const uint64_t value[LAYERS], const uint64_t most[LAYERS])
{
	struct chart_paint best = {LAYERS, 0};

	for (unsigned layer = 0; layer < LAYER_LEVEL; layer++) {
		double strength;

		if (!value[layer] || !most[layer])
			continue;
		strength = log1p((double)value[layer]) / log1p((double)most[layer]);
		if (strength > best.strength)
			best = (struct chart_paint){(enum layer)layer, strength};
	}
	return best;
}

pc_addr chart_start(const struct chart *c, const struct matrix_row *row)
{
	return row->start / c->m->row_bytes * c->m->row_bytes;
}

/* The row had `level` until column `to` of the matrix; *done says how far that is drawn. */
static void hold_level(chart_value *line, const struct chart *c, size_t columns, uint64_t level,
		       size_t *done, size_t to)
{
	size_t end = to * columns / c->m->columns;

	for (; *done < end; ++*done)
		line[*done][LAYER_LEVEL] += level;
}

static void add_row(chart_value *line, const struct chart *c, size_t columns, size_t *cell,
		    size_t row)
{
	const struct matrix *m = c->m;
	uint64_t level = 0;
	size_t done = 0;

	for (; *cell < m->cell_count && m->cell[*cell].row == row; ++*cell) {
		const struct matrix_cell *one = &m->cell[*cell];
		size_t column = one->column * columns / m->columns;

		hold_level(line, c, columns, level, &done, one->column);
		level = one->value[LAYER_LEVEL];
		for (unsigned layer = 0; layer < LAYER_LEVEL; layer++)
			line[column][layer] += one->value[layer];
	}
	hold_level(line, c, columns, level, &done, m->columns);
}

chart_value *chart_raster(const struct chart *c, const size_t *line_of, size_t lines,
			  size_t columns)
{
	chart_value *raster = calloc(lines * columns + 1, sizeof(*raster));
	size_t cell = 0;

	for (size_t row = 0; raster && row < c->m->row_count; row++)
		add_row(raster + line_of[row] * columns, c, columns, &cell, row);
	return raster;
}

const struct observed_process *chart_process(const struct chart *c, const struct matrix_row *row)
{
	return &c->seen->process[row->process];
}

struct cell chart_name(const struct observed_process *p)
{
	struct cell text;

	snprintf(text.s, sizeof(text.s), "%s (%d)", p->name, p->pid);
	return text;
}

struct cell chart_started(const struct chart *c)
{
	const unsigned more = (unsigned)c->seen->processes - 1;
	struct cell text = {""};

	if (more)
		snprintf(text.s, sizeof(text.s), " and %u more process%s", more,
			 more > 1 ? "es" : "");
	return text;
}

struct cell chart_time(const struct chart *c)
{
	struct cell text;
	struct tm tm;

	localtime_r(&c->began, &tm);
	strftime(text.s, sizeof(text.s), "%Y-%m-%d %H:%M:%S %z", &tm);
	return text;
}
