/*
 * The form for a terminal. A letter says what is strongest in a place, small for little and large
 * for much, so that nothing is lost where there is no colour; where nothing happened, dots say how
 * much of it is out of the program.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "chart.h"

#define LINES_MAX    48u
#define PROCESSES    8u /* at most; the other forms have all */
#define LABEL	     34
#define WIDTH_MIN    60
#define WIDTH_NO_TTY 120
#define STRONG	     0.6

static const struct {
	char weak, strong;
	enum ink ink;
} letters[LAYERS] = {
    [LAYER_minor] = {'m', 'M', INK_BLUE},      [LAYER_major] = {'j', 'J', INK_RED},
    [LAYER_evictions] = {'e', 'E', INK_GREEN}, [LAYER_restores] = {'r', 'R', INK_YELLOW},
    [LAYER_packed] = {'.', '#', INK_PLAIN},
};

/* One line of the picture: some rows of one band. */
struct line {
	size_t first, end;
	pc_addr gap;
	bool begins; /* a process, where there are several */
};

static int width_of(FILE *to)
{
	struct winsize size;

	if (!isatty(fileno(to)) || ioctl(fileno(to), TIOCGWINSZ, &size) != 0 || !size.ws_col)
		return WIDTH_NO_TTY;
	return PC_MAX(size.ws_col, WIDTH_MIN);
}

/* What there is to see of one process. */
struct share {
	uint32_t process;
	bool shown;
	uint64_t events;
};

static int by_events(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->events != y->events)
		return x->events > y->events ? -1 : 1;
	return (x->process > y->process) - (x->process < y->process);
}

static int by_process(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->process > y->process) - (x->process < y->process);
}

/* By process: those with most events are shown. NULL: no memory. */
static struct share *share_out(const struct chart *c)
{
	const size_t n = c->seen->processes;
	struct share *share = calloc(n, sizeof(*share));

	for (size_t i = 0; share && i < n; i++)
		share[i].process = (uint32_t)i;
	for (size_t i = 0; share && i < c->m->row_count; i++)
		for (unsigned layer = 0; layer < LAYER_LEVEL; layer++)
			share[c->m->row[i].process].events += c->m->row[i].total[layer];
	if (!share)
		return NULL;
	qsort(share, n, sizeof(*share), by_events);
	for (size_t i = 0; i < PC_MIN(n, (size_t)PROCESSES); i++)
		share[i].shown = true;
	qsort(share, n, sizeof(*share), by_process);
	return share;
}

/* Lines for `rows` rows of `all`: each band gets at least one, and its share of the rest. */
static size_t lines_for(size_t rows, size_t all)
{
	return PC_MIN(rows, PC_MAX(rows * LINES_MAX / all, (size_t)1));
}

/* Rows that are not shown fall into one more line, behind those that are. */
static size_t cut_lines(const struct chart *c, const struct share *share,
			const struct chart_band *band, size_t bands, struct line *line,
			size_t *line_of)
{
	size_t count = 0;

	for (size_t b = 0; b < bands; b++) {
		size_t rows = band[b].end - band[b].first;
		size_t n = lines_for(rows, c->m->row_count);

		if (!share[c->m->row[band[b].first].process].shown)
			continue;
		for (size_t i = 0; i < n; i++, count++) {
			line[count] = (struct line){
			    .first = band[b].first + i * rows / n,
			    .end = band[b].first + (i + 1) * rows / n,
			    .gap = i ? 0 : band[b].gap,
			    .begins = !i && band[b].begins,
			};
			for (size_t row = line[count].first; row < line[count].end; row++)
				line_of[row] = count;
		}
	}
	for (size_t row = 0; row < c->m->row_count; row++)
		if (!share[c->m->row[row].process].shown)
			line_of[row] = count;
	return count;
}

/* --- drawing -------------------------------------------------------------------------------- */

static char level_mark(uint64_t level, uint64_t pages)
{
	static const char marks[] = " .:#";

	if (!level)
		return ' ';
	return marks[PC_MIN(1 + level * 3 / PC_MAX(pages, 1ull), 3ull)];
}

static void put_place(FILE *to, const chart_value value, const chart_value most, uint64_t pages)
{
	struct chart_paint paint = chart_paint(value, most);
	const char *colour = paint.layer < LAYERS ? ink(to, letters[paint.layer].ink) : "";
	char mark = level_mark(value[LAYER_LEVEL], pages);

	if (paint.layer < LAYERS)
		mark = paint.strength < STRONG ? letters[paint.layer].weak
					       : letters[paint.layer].strong;
	fprintf(to, "%s%c%s", colour, mark, *colour ? ink(to, INK_PLAIN) : "");
}

static void put_line(FILE *to, const struct chart *c, const struct line *line,
		     const chart_value *values, const chart_value most, size_t columns)
{
	const struct matrix_row *row = &c->m->row[line->first];
	const uint64_t pages = (line->end - line->first) * (c->m->row_bytes / PC_PAGE);
	char label[LABEL + 1];

	if (line->begins)
		fprintf(to, "%s%s%s\n", ink(to, INK_BOLD), chart_name(chart_process(c, row)).s,
			ink(to, INK_PLAIN));
	if (line->gap)
		fprintf(to, "%*s  ... %s not shown\n", LABEL, "", cell_size((int64_t)line->gap).s);
	snprintf(label, sizeof(label), "%-19.19s %014llx", row->label,
		 (unsigned long long)row->start);
	fprintf(to, "%-*s |", LABEL, label);
	for (size_t i = 0; i < columns; i++)
		put_place(to, values[i], most, pages);
	fputs("|\n", to);
}

static void find_most(const chart_value *raster, size_t places, chart_value most)
{
	memset(most, 0, sizeof(chart_value));
	for (size_t i = 0; i < places; i++)
		for (unsigned layer = 0; layer < LAYERS; layer++)
			most[layer] = PC_MAX(most[layer], raster[i][layer]);
}

static void put_rest(FILE *to, const struct chart *c, const struct share *share)
{
	uint64_t events = 0;
	size_t rest = 0;

	for (size_t i = 0; i < c->seen->processes; i++) {
		rest += !share[i].shown;
		events += share[i].shown ? 0 : share[i].events;
	}
	if (rest)
		fprintf(to,
			"and %zu processes with fewer faults, evictions and restores, %llu in all; "
			"the other forms have them\n",
			rest, (unsigned long long)events);
}

static void put_axis(FILE *to, const struct chart *c, size_t columns)
{
	const double seconds = (double)c->m->elapsed / (double)PC_SEC;
	char end[32];
	int len = snprintf(end, sizeof(end), "%.1f s", seconds);

	fprintf(to, "%*s  0 s%*s%s\n", LABEL, "", PC_MAX((int)columns - 3 - len, 1), "", end);
}

static void put_legend(FILE *to, const struct chart *c, const chart_value most)
{
	for (unsigned i = 0; i < LAYER_LEVEL; i++) {
		if (!chart_has(c, (enum layer)i))
			continue;
		fprintf(to, "%s%c %c%s  %-20s %12llu %s, at most %llu in one place\n",
			ink(to, letters[i].ink), letters[i].weak, letters[i].strong,
			ink(to, INK_PLAIN), layer_kinds[i].title,
			(unsigned long long)c->m->total[i], layer_kinds[i].unit,
			(unsigned long long)most[i]);
	}
	if (chart_has(c, LAYER_LEVEL))
		fputs(". : #  up to a third, two thirds, all of it is out of the program\n", to);
}

static void put_head(FILE *to, const struct chart *c, const struct line *line, size_t lines,
		     size_t columns)
{
	size_t rows = 1;

	for (size_t i = 0; i < lines; i++)
		rows = PC_MAX(rows, line[i].end - line[i].first);
	fprintf(to, "%s%s%s%s, %s, %s\n", ink(to, INK_BOLD), chart_name(&c->seen->process[0]).s,
		ink(to, INK_PLAIN), chart_started(c).s, cell_time(c->m->elapsed).s,
		chart_time(c).s);
	fprintf(to, "a line is up to %s of address space, a place %s\n\n",
		cell_size((int64_t)(rows * c->m->row_bytes)).s,
		cell_time(c->m->elapsed / PC_MAX(columns, (size_t)1)).s);
}

void chart_txt(FILE *to, const struct chart *c)
{
	const size_t room = c->m->row_count + 1;
	size_t columns = PC_MIN((size_t)(width_of(to) - LABEL - 4), (size_t)c->m->columns);
	size_t *line_of = calloc(room, sizeof(*line_of)), bands = 0, lines = 0;
	struct line *line = calloc(room, sizeof(*line));
	struct chart_band *band = chart_bands(c, &bands);
	struct share *share = share_out(c);
	chart_value *raster = NULL, most;

	if (line_of && line && band && share) {
		lines = cut_lines(c, share, band, bands, line, line_of);
		raster = chart_raster(c, line_of, lines + 1, columns);
	}
	if (raster) {
		find_most(raster, lines * columns, most);
		put_head(to, c, line, lines, columns);
		for (size_t i = 0; i < lines; i++)
			put_line(to, c, &line[i], raster + i * columns, most, columns);
		put_rest(to, c, share);
		put_axis(to, c, columns);
		put_legend(to, c, most);
	}
	free(raster);
	free(share);
	free(band);
	free(line);
	free(line_of);
}
