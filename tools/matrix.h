/*
 * matrix.h - what happened where and when: process and address x time, for each layer of layers.def.
 *
 * DESIGN  A row is a slice of one process's address space, a unit of 2 MiB; a column is a span of time. Only
 *         cells in which something happened are kept, in the order of their columns. Both sides are
 *         bounded: when the columns are used up, neighbours are joined in pairs and columns are
 *         twice as long from then on; when there are too many rows, they are joined likewise at the
 *         end (matrix_finish), but for thousands of small regions, which stay as they are. So a
 *         record of an hour costs no more than one of a minute, and says what its grain is.
 *
 *         A count belongs to the column in which it was found. A level holds from its cell to the
 *         next of its row.
 */
#ifndef PC_TOOLS_MATRIX_H
#define PC_TOOLS_MATRIX_H

#include "regions.h"

enum layer {
#define PC_LAYER(name, title, unit, source, help) LAYER_##name,
#include "layers.def"
#undef PC_LAYER
	LAYERS,
	LAYER_LEVEL = LAYER_packed, /* the one that is a level */
};

struct layer_kind {
	const char *name, *title, *unit, *help;
	enum layer_source { SOURCE_KERNEL, SOURCE_SHIM } source;
};
extern const struct layer_kind layer_kinds[LAYERS];

#define MATRIX_COLUMNS 512u
#define MATRIX_ROWS    1024u

struct matrix_row {
	pc_addr start;
	uint32_t process; /* whose address space: a number that the watcher gave */
	enum region_class class;
	char label[REGION_LABEL];
	uint64_t total[LAYERS]; /* of a level: its largest value */
	uint32_t level;		/* as last told */
};

struct matrix_cell {
	uint32_t row, column;
	uint32_t value[LAYERS];
};

struct matrix {
	pc_ns column;	    /* length of one */
	pc_ns elapsed;	    /* since the record began */
	uint64_t row_bytes; /* 2 MiB, or more after matrix_finish() */
	uint32_t columns;   /* begun so far */
	struct matrix_row *row;
	size_t row_count, row_room;
	struct matrix_cell *cell;
	size_t cell_count, cell_room;
	uint32_t *slot; /* by address: row number + 1 */
	size_t slots;
	uint32_t *last; /* by row: its newest cell + 1 */
	uint64_t total[LAYERS];
	bool failed; /* no memory: what came then is missing */
};

void matrix_begin(struct matrix *m, pc_ns column);
void matrix_free(struct matrix *m);

/* What is added from now on happened up to `elapsed` after the beginning. Never goes back. */
void matrix_at(struct matrix *m, pc_ns elapsed);

/* The row of the unit at `addr`; NULL when there is no memory. Valid until the next call. */
struct matrix_row *matrix_row(struct matrix *m, uint32_t process, pc_addr addr);

void matrix_add(struct matrix *m, struct matrix_row *row, enum layer layer, uint64_t count);
void matrix_level(struct matrix *m, struct matrix_row *row, uint32_t pages);

/*
 * Takes back all that was added to rows for which `gone` is true, and adds how much that was of
 * each layer to `dropped`. The rows stay, empty.
 */
typedef bool matrix_gone_fn(void *arg, const struct matrix_row *row);
void matrix_drop(struct matrix *m, matrix_gone_fn *gone, void *arg, uint64_t dropped[LAYERS]);

/*
 * Rows by process and address, without those in which nothing happened, joined until there are no more than
 * MATRIX_ROWS; cells by row, then column. Nothing may be added after it.
 */
void matrix_finish(struct matrix *m);

#endif
