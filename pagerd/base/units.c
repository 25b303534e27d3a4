#include "base/units.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/stats.h"

_Static_assert((int)PC_U_COUNT <= (int)PC_UNIT_VALUES, "a row has no room for all columns");
_Static_assert(sizeof(struct pc_unit_row) == 64, "a row is a cache line");

const struct pc_entry unit_columns[PC_U_COUNT] = {
#define PC_UNIT_COUNTER(name, unit, help) {#name, unit, PC_ENTRY_COUNTER, PC_U_##name, 0},
#define PC_UNIT_GAUGE(name, unit, help)	  {#name, unit, PC_ENTRY_GAUGE, PC_U_##name, 0},
#include "predicomp/units.def"
#undef PC_UNIT_COUNTER
#undef PC_UNIT_GAUGE
};

/* Before there is a segment everything goes to a row 0 that nobody reads. */
static struct pc_unit_row nowhere;

static struct {
	struct pc_unit_row *row;
	uint32_t *published;	     /* where readers find `used` */
	uint32_t used;		     /* rows handed out, row 0 included */
	uint32_t next[PC_UNIT_ROWS]; /* of the row given up after this one */
	uint32_t oldest, newest;     /* ends of that queue; 0 empty */
} units = {.row = &nowhere};

static struct pc_unit_row *rows(void)
{
	return load_acquire(&units.row); /* pairs with units_start */
}

void units_start(struct pc_unit_row *memory, uint32_t *used)
{
	units.published = used;
	units.used = 1;
	units.oldest = units.newest = 0;
	store_relaxed(used, 1u);
	store_release(&units.row, memory); /* pairs with rows */
}

static uint32_t fresh_row(void)
{
	uint32_t row = units.used;

	if (!units.published || row == PC_UNIT_ROWS)
		return 0;
	units.used++;
	return row;
}

static uint32_t oldest_row(void)
{
	uint32_t row = units.oldest;

	if (row)
		units.oldest = units.next[row];
	return row;
}

uint32_t units_open(pc_addr base)
{
	uint32_t row = fresh_row();
	struct pc_unit_row *r;

	if (!row)
		row = oldest_row();
	if (!row) {
		COUNT(0, units_unlisted);
		return 0;
	}
	r = &rows()[row];
	store_relaxed(&r->generation, r->generation + 1);
	for (unsigned i = 0; i < PC_UNIT_VALUES; i++)
		store_relaxed(&r->value[i], 0u);
	store_relaxed(&r->base, base);
	store_release(units.published, units.used); /* pairs with the reader of the segment */
	return row;
}

void units_close(uint32_t row)
{
	if (!row)
		return;
	PC_ASSERT(row < PC_UNIT_ROWS);
	units.next[row] = 0;
	if (units.oldest)
		units.next[units.newest] = row;
	else
		units.oldest = row;
	units.newest = row;
}

void units_add(uint32_t row, enum pc_unit_column column, int by)
{
	add_relaxed(&rows()[row].value[column], (uint32_t)by);
}
