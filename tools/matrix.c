#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

#define NO_CELL	  0u
#define GRAIN_MAX (PC_UNIT << 10)

const struct layer_kind layer_kinds[LAYERS] = {
#define PC_LAYER(name, title, unit, source, help) {#name, title, unit, help, SOURCE_##source},
#include "layers.def"
#undef PC_LAYER
};

void matrix_begin(struct matrix *m, pc_ns column)
{
	*m = (struct matrix){.column = column, .row_bytes = PC_UNIT};
}

void matrix_free(struct matrix *m)
{
	free(m->row);
	free(m->cell);
	free(m->slot);
	free(m->last);
	*m = (struct matrix){0};
}

/* --- rows ----------------------------------------------------------------------------------- */

static size_t home(const struct matrix *m, uint32_t process, pc_addr start)
{
	const uint64_t key = start / PC_UNIT ^ (uint64_t)process << 40;

	return (size_t)(key * 0x9e3779b97f4a7c15ull >> 40) & (m->slots - 1);
}

static void enter(struct matrix *m, uint32_t number)
{
	size_t i = home(m, m->row[number].process, m->row[number].start);

	while (m->slot[i])
		i = (i + 1) & (m->slots - 1);
	m->slot[i] = number + 1;
}

/* Room for one more row, in all that is indexed by rows. */
static bool grow_rows(struct matrix *m)
{
	size_t room = m->row_room ? 2 * m->row_room : 256;
	struct matrix_row *row = realloc(m->row, room * sizeof(*row));
	uint32_t *last, *slot;

	if (!row)
		return false;
	m->row = row;
	last = realloc(m->last, room * sizeof(*last));
	if (!last)
		return false;
	m->last = last;
	slot = calloc(2 * room, sizeof(*slot));
	if (!slot)
		return false;
	free(m->slot);
	m->slot = slot;
	m->slots = 2 * room;
	m->row_room = room;
	for (size_t i = 0; i < m->row_count; i++)
		enter(m, (uint32_t)i);
	return true;
}

static bool is_of(const struct matrix_row *row, uint32_t process, pc_addr start)
{
	return row->start == start && row->process == process;
}

struct matrix_row *matrix_row(struct matrix *m, uint32_t process, pc_addr addr)
{
	const pc_addr start = unit_floor(addr);
	struct matrix_row *row;

	for (size_t i = m->slots ? home(m, process, start) : 0; m->slots && m->slot[i];
	     i = (i + 1) & (m->slots - 1))
		if (is_of(&m->row[m->slot[i] - 1], process, start))
			return &m->row[m->slot[i] - 1];
	if (m->row_count == m->row_room && !grow_rows(m)) {
		m->failed = true;
		return NULL;
	}
	row = &m->row[m->row_count];
	*row = (struct matrix_row){.start = start, .process = process};
	m->last[m->row_count] = NO_CELL;
	enter(m, (uint32_t)m->row_count++);
	return row;
}

/* --- cells ---------------------------------------------------------------------------------- */

static void join(struct matrix_cell *to, const struct matrix_cell *from)
{
	for (unsigned layer = 0; layer < LAYERS; layer++) {
		if (layer == LAYER_LEVEL)
			to->value[layer] = from->value[layer];
		else
			to->value[layer] += from->value[layer];
	}
}

/* Cells come in an order in which those that fall together follow each other within a row. */
static void join_cells(struct matrix *m)
{
	size_t kept = 0;

	memset(m->last, 0, m->row_count * sizeof(*m->last));
	for (size_t i = 0; i < m->cell_count; i++) {
		const struct matrix_cell c = m->cell[i];
		uint32_t *last = &m->last[c.row];

		if (*last != NO_CELL && m->cell[*last - 1].column == c.column) {
			join(&m->cell[*last - 1], &c);
			continue;
		}
		m->cell[kept++] = c;
		*last = (uint32_t)kept;
	}
	m->cell_count = kept;
}

static void halve_columns(struct matrix *m)
{
	for (size_t i = 0; i < m->cell_count; i++)
		m->cell[i].column /= 2;
	m->column *= 2;
	join_cells(m);
}

void matrix_at(struct matrix *m, pc_ns elapsed)
{
	m->elapsed = PC_MAX(elapsed, m->elapsed);
	while (m->elapsed > m->column * MATRIX_COLUMNS)
		halve_columns(m);
	m->columns = (uint32_t)((m->elapsed + m->column - 1) / m->column);
}

static struct matrix_cell *new_cell(struct matrix *m, uint32_t row, uint32_t column)
{
	struct matrix_cell *c = array_room(m->cell, &m->cell_room, m->cell_count + 1, sizeof(*c));

	if (!c) {
		m->failed = true;
		return NULL;
	}
	m->cell = c;
	c = &m->cell[m->cell_count++];
	*c = (struct matrix_cell){.row = row, .column = column};
	c->value[LAYER_LEVEL] = m->row[row].level;
	m->last[row] = (uint32_t)m->cell_count;
	return c;
}

static struct matrix_cell *cell_now(struct matrix *m, const struct matrix_row *row)
{
	uint32_t number = (uint32_t)(row - m->row);
	uint32_t column = m->columns ? m->columns - 1 : 0;
	uint32_t last = m->last[number];

	if (last != NO_CELL && m->cell[last - 1].column == column)
		return &m->cell[last - 1];
	return new_cell(m, number, column);
}

void matrix_add(struct matrix *m, struct matrix_row *row, enum layer layer, uint64_t count)
{
	struct matrix_cell *c = count ? cell_now(m, row) : NULL;

	if (!c)
		return;
	c->value[layer] += (uint32_t)count;
	row->total[layer] += count;
	m->total[layer] += count;
}

void matrix_level(struct matrix *m, struct matrix_row *row, uint32_t pages)
{
	struct matrix_cell *c;

	if (pages == row->level)
		return;
	row->level = pages;
	c = cell_now(m, row);
	if (!c)
		return;
	c->value[LAYER_LEVEL] = pages;
	row->total[LAYER_LEVEL] = PC_MAX(row->total[LAYER_LEVEL], (uint64_t)pages);
	m->total[LAYER_LEVEL] = PC_MAX(m->total[LAYER_LEVEL], (uint64_t)pages);
}

static void empty_row(struct matrix *m, struct matrix_row *row, uint64_t dropped[LAYERS])
{
	for (unsigned layer = 0; layer < LAYER_LEVEL; layer++) {
		dropped[layer] += row->total[layer];
		m->total[layer] -= row->total[layer];
	}
	memset(row->total, 0, sizeof(row->total));
	row->level = 0;
	row->class = REGION_UNKNOWN;
}

void matrix_drop(struct matrix *m, matrix_gone_fn *gone, void *arg, uint64_t dropped[LAYERS])
{
	size_t kept = 0;

	for (size_t i = 0; i < m->row_count; i++) {
		/* For a moment: whether its cells go. */
		m->last[i] = gone(arg, &m->row[i]);
		if (m->last[i])
			empty_row(m, &m->row[i], dropped);
	}
	for (size_t i = 0; i < m->cell_count; i++)
		if (!m->last[m->cell[i].row])
			m->cell[kept++] = m->cell[i];
	m->cell_count = kept;
	join_cells(m); /* finds the last ones again */
}

/* --- finishing ------------------------------------------------------------------------------ */

static bool is_empty(const struct matrix_row *row)
{
	for (unsigned layer = 0; layer < LAYERS; layer++)
		if (row->total[layer])
			return false;
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct matrix_row *const *x = a, *const *y = b;

	if ((*x)->process != (*y)->process)
		return (*x)->process < (*y)->process ? -1 : 1;
	return ((*x)->start > (*y)->start) - ((*x)->start < (*y)->start);
}

static int by_row(const void *a, const void *b)
{
	const struct matrix_cell *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static void merge_rows(struct matrix_row *to, const struct matrix_row *from)
{
	for (unsigned layer = 0; layer < LAYERS; layer++)
		to->total[layer] += from->total[layer];
	if (to->class == REGION_UNKNOWN) {
		to->class = from->class;
		memcpy(to->label, from->label, sizeof(to->label));
	}
}

/* Rows of a process that share a slice of row_bytes, and a class and name: one pixel must not mix
 * two of them. */
static bool same_slice(const struct matrix *m, const struct matrix_row *a,
		       const struct matrix_row *b)
{
	return a->process == b->process && a->start / m->row_bytes == b->start / m->row_bytes &&
	       a->class == b->class && strcmp(a->label, b->label) == 0;
}

static size_t count_slices(const struct matrix *m, struct matrix_row *const *order, size_t n)
{
	size_t slices = 0;

	for (size_t i = 0; i < n; i++)
		slices += i == 0 || !same_slice(m, order[i - 1], order[i]);
	return slices;
}

/* The finest grain that fits. Where none does, coarser rows of all the rest would help nobody. */
static void choose_grain(struct matrix *m, struct matrix_row *const *order, size_t n)
{
	for (m->row_bytes = PC_UNIT; m->row_bytes <= GRAIN_MAX; m->row_bytes *= 2)
		if (count_slices(m, order, n) <= MATRIX_ROWS)
			return;
	m->row_bytes = PC_UNIT;
}

/*
 * Cells are still in the order of time. What rows are joined had at one time is the sum of what
 * each had last: `level` by old row, `sum` by new.
 */
static void renumber_cells(struct matrix *m, const uint32_t *number, uint32_t *level, uint32_t *sum)
{
	for (size_t i = 0; i < m->cell_count; i++) {
		struct matrix_cell *c = &m->cell[i];
		uint32_t to = number[c->row];

		sum[to] += c->value[LAYER_LEVEL] - level[c->row];
		level[c->row] = c->value[LAYER_LEVEL];
		c->value[LAYER_LEVEL] = sum[to];
		c->row = to;
	}
}

/* order[0..n): the rows that stay, in their order. number[] gets the new number of each old row. */
static size_t join_rows(const struct matrix *m, struct matrix_row *const *order, size_t n,
			struct matrix_row *to, uint32_t *number)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && same_slice(m, order[i - 1], order[i]))
			merge_rows(&to[count - 1], order[i]);
		else
			to[count++] = *order[i];
		number[order[i] - m->row] = (uint32_t)count - 1;
	}
	for (size_t i = 0; i < count; i++)
		to[i].total[LAYER_LEVEL] = 0;
	return count;
}

static void note_levels(struct matrix *m)
{
	for (size_t i = 0; i < m->cell_count; i++) {
		uint64_t *most = &m->row[m->cell[i].row].total[LAYER_LEVEL];

		*most = PC_MAX(*most, (uint64_t)m->cell[i].value[LAYER_LEVEL]);
	}
}

void matrix_finish(struct matrix *m)
{
	const size_t room = m->row_count + 1;
	struct matrix_row **order = calloc(room, sizeof(void *));
	struct matrix_row *row = calloc(room, sizeof(*row));
	uint32_t *number = calloc(3 * room, sizeof(*number)); /* and the two of renumber_cells() */
	size_t n = 0;

	m->failed = m->failed || !order || !row || !number;
	if (!order || !row || !number || !m->row_count)
		goto out;
	for (size_t i = 0; i < m->row_count; i++)
		if (!is_empty(&m->row[i]))
			order[n++] = &m->row[i];
	qsort(order, n, sizeof(void *), by_address);
	choose_grain(m, order, n);
	n = join_rows(m, order, n, row, number);
	renumber_cells(m, number, number + room, number + 2 * room);
	join_cells(m);
	free(m->row);
	m->row = row;
	m->row_count = n;
	m->row_room = room;
	row = NULL;
	if (m->cell_count)
		qsort(m->cell, m->cell_count, sizeof(*m->cell), by_row);
	note_levels(m);
out:
	free(order);
	free(row);
	free(number);
}
