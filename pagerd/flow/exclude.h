/*
 * exclude.h - memory that must be left alone because somebody said so.
 *
 * OWNS   the set of such ranges: what hooks asked for (mlock, MADV_DONTFORK, guard pages, robust
 *        mutexes, predicomp_leave) and what is the library's own.
 * THREADS any; a lock held for a few stores. Threads of the program come with signals blocked.
 */
#ifndef PC_FLOW_EXCLUDE_H
#define PC_FLOW_EXCLUDE_H

#include "base/types.h"

void exclude_reset(void);
/* False when the set is full: the caller must then leave the whole process alone. */
bool exclude_add(pc_addr start, pc_addr end);
bool exclude_remove(pc_addr start, pc_addr end);
bool exclude_hits(pc_addr start, pc_addr end);

#endif
