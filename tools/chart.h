/*
 * chart.h - a finished matrix in each of its forms: a page to explore, a picture for paper, rows
 * for other programs, a few lines for a terminal.
 *
 * All say the same: which processes, when, which layers there are and why others are missing, and
 * the grain of both axes.
 */
#ifndef PC_TOOLS_CHART_H
#define PC_TOOLS_CHART_H

#include <json-c/json.h>
#include <time.h>

#include "matrix.h"
#include "observe.h"

struct chart {
	const struct observed *seen;
	const struct matrix *m; /* of it */
	time_t began;
};

enum chart_format {
#define PC_FORMAT(name, help) FORMAT_##name,
#include "formats.def"
#undef PC_FORMAT
	FORMATS
};
extern const char *const chart_format_names[FORMATS];

/* By the end of a file's name; FORMATS if it is none of them. */
enum chart_format chart_format_of(const char *path);

void chart_write(FILE *to, const struct chart *c, enum chart_format format);

/* The forms, one a file. */
void chart_html(FILE *to, const struct chart *c);
void chart_svg(FILE *to, const struct chart *c);
void chart_csv(FILE *to, const struct chart *c);
void chart_json(FILE *to, const struct chart *c);
void chart_txt(FILE *to, const struct chart *c);

/* What chart_json() writes and the page of chart_html() holds; the caller's to put. */
struct json_object *chart_object(const struct chart *c);

/* A layer that could be seen at all: the rest are absent, not empty. */
bool chart_has(const struct chart *c, enum layer layer);

/* Rows that lie next to each other and are of one region of one process. */
struct chart_band {
	size_t first, end; /* rows */
	pc_addr gap;	   /* bytes to the band before it; 0 where they touch, or begins */
	bool begins;	   /* the first of its process, where there are several */
};
/* The bands, `count` of them; the caller's to free. NULL when there is no memory or no row. */
struct chart_band *chart_bands(const struct chart *c, size_t *count);

/*
 * The layer that a cell is painted in: of the counts, the one that is largest beside its own
 * largest count; and how strong, 0 to 1, on a logarithmic scale. LAYERS where nothing was counted.
 */
struct chart_paint {
	enum layer layer;
	double strength;
};
struct chart_paint chart_paint(const uint64_t value[LAYERS], const uint64_t most[LAYERS]);

/* Where the row begins, on the grain of the matrix. */
pc_addr chart_start(const struct chart *c, const struct matrix_row *row);

/*
 * The map on a coarser grid: `lines` of rows (line_of[row]) by `columns`; the caller's to free.
 * Counts are summed; the level is the sum over the line's rows at the end of the column. NULL: no
 * memory.
 */
typedef uint64_t chart_value[LAYERS];
chart_value *chart_raster(const struct chart *c, const size_t *line_of, size_t lines,
			  size_t columns);

/* Whose the row is, and a process in words: "sh (123)". */
const struct observed_process *chart_process(const struct chart *c, const struct matrix_row *row);
struct cell chart_name(const struct observed_process *p);

/* " and 3 more processes", or "" where there is one. */
struct cell chart_started(const struct chart *c);

/* "2026-03-01 12:00:00 +0000" */
struct cell chart_time(const struct chart *c);

#endif
