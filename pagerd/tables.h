/*
 * tables.h - the memory that the pager's tables live in: reserved once, emptied at each start.
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
 * Gives the address space back. Before a program locks all its memory it must be: what is reserved
 * would be populated. `unlooked`: nobody looks into the table of units, else that stays, and is empty.
 */
void tables_stop(bool unlooked);

/*
 * After pages left: a core dump has what the store and staging hold by now, and some more. It has not
 * the tens of gigabytes of address space behind: a pipe to a crash handler would be given them as
 * zeros. By the work thread.
 */
void tables_grown(void);

/* Where they lie; all zero when they do not. */
struct pc_tables tables_where(void);

#endif
