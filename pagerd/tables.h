/*
 * tables.h - the memory that the pager's tables live in: reserved once, emptied at each start, committed as
 *            the tables grow (base/commit.h).
 */
#ifndef PC_TABLES_H
#define PC_TABLES_H

#include "base/types.h"
#include "predicomp/segment.h"

/*
 * Reserves address space for managing up to `memory` bytes, on the first call, and starts every
 * table empty. 0 or -ENOMEM.
 */
int tables_start(uint64_t memory);

/*
 * Gives the address space back, for a program that locks all its memory may have a limit on it.
 * `unlooked`: nobody looks into the table of units, else that stays, and is empty.
 */
void tables_stop(bool unlooked);

/* Where they lie; all zero when they do not. */
struct pc_tables tables_where(void);

#endif
