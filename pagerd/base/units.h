/*
 * units.h - units.def as calls, writing the unit table of the shared segment.
 *
 * WHY     Counters say how much left and came back; a heat map must also know where. A row is one
 *         cache line, written by relaxed adds beside counts that are kept anyway.
 *
 *           row 0           the units without a row of their own, together: nothing goes uncounted
 *           row 1 ...       one unit each, handed out in order; those given up wait in a queue and
 *                           are reused, oldest first, when no fresh one is left
 *
 *         The queue is the pager's own: of what others may write to, the segment, nothing is read.
 * THREADS units_open() and units_close() one at a time, by whoever may add and free units
 *         (state/range.h); units_add() by any thread.
 */
#ifndef PC_BASE_UNITS_H
#define PC_BASE_UNITS_H

#include "base/types.h"
#include "predicomp/segment.h"

enum pc_unit_column {
#define PC_UNIT_COUNTER(name, unit, help) PC_U_##name,
#define PC_UNIT_GAUGE(name, unit, help)	  PC_U_##name,
#include "predicomp/units.def"
#undef PC_UNIT_COUNTER
#undef PC_UNIT_GAUGE
	PC_U_COUNT
};

extern const struct pc_entry unit_columns[PC_U_COUNT];

/* An empty table at `rows`, of PC_UNIT_ROWS, all zero; *used is how many have been handed out. */
void units_start(struct pc_unit_row *rows, uint32_t *used);

/* A row for the unit at `base`, all its values 0; row 0 where there is none left, and counts that.
 */
uint32_t units_open(pc_addr base);
/* The unit is no longer managed. Nothing of it is away. Row 0 is not anybody's: no effect. */
void units_close(uint32_t row);

void units_add(uint32_t row, enum pc_unit_column column, int by);

#endif
