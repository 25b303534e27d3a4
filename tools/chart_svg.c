/*
 * The picture for paper: the same map as the page draws, at rest. Rectangles of one colour that
 * follow each other in time are one, and there is one step of colour to each sixteenth, so that a
 * picture stays small. Text is text.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"

#define LEFT	    180.0
#define TOP	    52.0
#define WIDTH	    760.0 /* of the map */
#define GAP	    14.0
#define SEAM	    2.0
#define HEADING	    20.0 /* of a process, where there are several */
#define STEPS	    16u
#define COLUMNS_MAX 380u /* two points each at most */
#define LEGEND	    74.0
#define ROWS_HEIGHT 420.0
#define NO_COLOUR   0xffffffffu

/* Weak and strong, of each layer; for white paper, and told apart by those who see few colours. */
static const uint32_t ramps[LAYERS][2] = {
    [LAYER_minor] = {0xd3e6f4, 0x005b9a},     [LAYER_major] = {0xf3d6e6, 0x98246a},
    [LAYER_evictions] = {0xcdece0, 0x00735a}, [LAYER_restores] = {0xfbe3b5, 0xb45f06},
    [LAYER_packed] = {0xffffff, 0xb9c1cd},
};

struct picture {
	FILE *to;
	const struct chart *c;
	struct chart_band *band;
	size_t bands, columns;
	double *y; /* of each row */
	double row, height;
	chart_value *raster, most;
};

static uint32_t mix(uint32_t a, uint32_t b, double t)
{
	uint32_t out = 0;

	for (unsigned shift = 0; shift < 24; shift += 8) {
		double x = a >> shift & 0xff, y = b >> shift & 0xff;

		out |= (uint32_t)lround(x + (y - x) * t) << shift;
	}
	return out;
}

static uint32_t shade(enum layer layer, double strength)
{
	return mix(ramps[layer][0], ramps[layer][1], round(strength * STEPS) / STEPS);
}

static uint32_t colour_of(const struct picture *p, const chart_value value)
{
	struct chart_paint paint = chart_paint(value, p->most);
	const uint64_t pages = p->c->m->row_bytes / PC_PAGE;

	if (paint.layer < LAYERS)
		return shade(paint.layer, paint.strength);
	if (!value[LAYER_LEVEL])
		return NO_COLOUR;
	return shade(LAYER_LEVEL,
		     fmax(fmin((double)value[LAYER_LEVEL] / (double)pages, 1), 2.0 / STEPS));
}

/* --- pieces --------------------------------------------------------------------------------- */

static void put_text(FILE *to, double x, double y, const char *attributes, const char *s)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		default:
			putc(*s, to);
		}
	}
	fputs("</text>\n", to);
}

static void put_line(FILE *to, double x0, double y0, double x1, double y1, const char *attributes)
{
	fprintf(to, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x0, y0, x1, y1,
		attributes);
}

static void put_row(const struct picture *p, size_t row)
{
	const chart_value *value = p->raster + row * p->columns;
	const double step = WIDTH / (double)p->columns;
	size_t from = 0;

	while (from < p->columns) {
		uint32_t colour = colour_of(p, value[from]);
		size_t end = from + 1;

		while (end < p->columns && colour_of(p, value[end]) == colour)
			end++;
		if (colour != NO_COLOUR)
			fprintf(p->to,
				"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
				"fill=\"#%06x\"/>\n",
				LEFT + (double)from * step, p->y[row], (double)(end - from) * step,
				p->row > 4 ? p->row - 0.8 : p->row, colour);
		from = end;
	}
}

static void put_band(const struct picture *p, const struct chart_band *b, double *free_from)
{
	const struct matrix_row *row = &p->c->m->row[b->first];
	const double top = p->y[b->first], bottom = p->y[b->end - 1] + p->row;
	char label[80];

	if (b->begins)
		put_text(p->to, 12, top - 6, "class=\"process\"",
			 chart_name(chart_process(p->c, row)).s);
	if (b->gap) {
		snprintf(label, sizeof(label), "%s left out", cell_size((int64_t)b->gap).s);
		put_line(p->to, LEFT, top - GAP / 2, LEFT + WIDTH, top - GAP / 2, "class=\"gap\"");
		put_text(p->to, LEFT + WIDTH / 2, top - GAP / 2 + 3, "class=\"note\"", label);
	}
	put_line(p->to, LEFT - 5, top, LEFT - 5, bottom, "class=\"side\"");
	if ((top + bottom) / 2 < *free_from)
		return;
	snprintf(label, sizeof(label), "%s", row->label);
	put_text(p->to, LEFT - 10, (top + bottom) / 2 + (bottom - top > 26 ? -2 : 4),
		 "class=\"name\"", label);
	if (bottom - top > 26) {
		snprintf(label, sizeof(label), "0x%llx", (unsigned long long)row->start);
		put_text(p->to, LEFT - 10, (top + bottom) / 2 + 10, "class=\"address\"", label);
	}
	*free_from = (top + bottom) / 2 + (bottom - top > 26 ? 22 : 12);
}

/* 1, 2 or 5 times a power of ten, for about eight of them. */
static double tick_step(double seconds)
{
	const double raw = seconds / 8, power = pow(10, floor(log10(raw)));

	return power * (raw <= power ? 1 : raw <= 2 * power ? 2 : raw <= 5 * power ? 5 : 10);
}

static void put_time(const struct picture *p)
{
	const double seconds = (double)p->c->m->elapsed / (double)PC_SEC;
	const double step = tick_step(fmax(seconds, 1e-3)), bottom = TOP + p->height;

	for (unsigned i = 0; i * step <= seconds; i++) {
		const double x = LEFT + WIDTH * (i * step) / fmax(seconds, 1e-3);
		char label[32];

		snprintf(label, sizeof(label), "%g s", i * step);
		put_line(p->to, x, bottom, x, bottom + 4, "class=\"tick\"");
		put_text(p->to, x, bottom + 16, "class=\"note\"", label);
	}
}

static void put_ramp(const struct picture *p, enum layer layer, double x, double y)
{
	const struct layer_kind *kind = &layer_kinds[layer];
	char words[96];

	snprintf(words, sizeof(words), "%s, %s", kind->title, kind->unit);
	put_text(p->to, x, y, "class=\"left\"", words);
	for (unsigned i = 0; i < STEPS; i++)
		fprintf(p->to,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"8.2\" height=\"8\" fill=\"#%06x\"/>\n",
			x + 8.0 * i, y + 5, shade(layer, (i + 1.0) / STEPS));
	snprintf(words, sizeof(words), "1 to %llu, logarithmic",
		 (unsigned long long)p->most[layer]);
	if (layer == LAYER_LEVEL)
		snprintf(words, sizeof(words), "share of the unit");
	else if (!p->most[layer])
		snprintf(words, sizeof(words), "none");
	put_text(p->to, x, y + 24, "class=\"left soft\"", words);
}

static void put_legend(const struct picture *p)
{
	double x = LEFT;

	for (unsigned i = 0; i < LAYERS; i++) {
		if (!chart_has(p->c, (enum layer)i))
			continue;
		put_ramp(p, (enum layer)i, x, TOP + p->height + 40);
		x += WIDTH / LAYERS;
	}
}

static void put_head(const struct picture *p)
{
	const struct matrix *m = p->c->m;
	const double height = TOP + p->height + LEGEND;
	char words[160];

	fprintf(
	    p->to,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
	    "width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"10\">\n"
	    "<style>.name{text-anchor:end;font-weight:bold}.address{text-anchor:end;fill:#5b6470}"
	    ".note{text-anchor:middle;fill:#5b6470}.soft{fill:#5b6470}"
	    ".gap{stroke:#c3cad2;stroke-dasharray:2 3}.side{stroke:#5b6470;stroke-width:1.5}"
	    ".tick{stroke:#5b6470}.process{font-size:11px;font-weight:bold;fill:#005b9a}"
	    ".title{font-size:14px;font-weight:bold}</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
	    LEFT + WIDTH + 24, height, LEFT + WIDTH + 24, height);
	snprintf(words, sizeof(words), "%s (process %d)%s", p->c->seen->process[0].name,
		 p->c->seen->process[0].pid, chart_started(p->c).s);
	put_text(p->to, LEFT, 20, "class=\"title\"", words);
	snprintf(words, sizeof(words), "%s from %s; one cell: %s x %.3g s", cell_time(m->elapsed).s,
		 chart_time(p->c).s, cell_size((int64_t)m->row_bytes).s,
		 (double)m->elapsed / (double)PC_SEC / (double)p->columns);
	put_text(p->to, LEFT, 38, "class=\"left soft\"", words);
	fprintf(p->to,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
		"stroke=\"#c3cad2\"/>\n",
		LEFT, TOP, WIDTH, p->height);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void place_rows(struct picture *p)
{
	double y = TOP;

	p->row = fmin(14, fmax(1.5, ROWS_HEIGHT / fmax((double)p->c->m->row_count, 1)));
	for (size_t b = 0; b < p->bands; b++) {
		y += p->band[b].begins ? HEADING : p->band[b].gap ? GAP : b ? SEAM : 0;
		for (size_t i = p->band[b].first; i < p->band[b].end; i++, y += p->row)
			p->y[i] = y;
	}
	p->height = fmax(y - TOP, 30);
}

static void draw(struct picture *p)
{
	double free_from = 0;

	for (size_t i = 0; i < p->c->m->row_count * p->columns; i++)
		for (unsigned layer = 0; layer < LAYERS; layer++)
			p->most[layer] = PC_MAX(p->most[layer], p->raster[i][layer]);
	place_rows(p);
	put_head(p);
	for (size_t i = 0; i < p->c->m->row_count; i++)
		put_row(p, i);
	for (size_t b = 0; b < p->bands; b++)
		put_band(p, &p->band[b], &free_from);
	put_time(p);
	put_legend(p);
	fputs("</svg>\n", p->to);
}

void chart_svg(FILE *to, const struct chart *c)
{
	struct picture p = {.to = to, .c = c};
	size_t *line_of = calloc(c->m->row_count + 1, sizeof(*line_of));

	p.columns = PC_MAX(PC_MIN((size_t)c->m->columns, (size_t)COLUMNS_MAX), (size_t)1);
	p.band = chart_bands(c, &p.bands);
	p.y = calloc(c->m->row_count + 1, sizeof(*p.y));
	for (size_t i = 0; line_of && i < c->m->row_count; i++)
		line_of[i] = i;
	p.raster = line_of ? chart_raster(c, line_of, c->m->row_count, p.columns) : NULL;
	if (p.band && p.y && p.raster)
		draw(&p);
	free(p.raster);
	free(p.band);
	free(p.y);
	free(line_of);
}
