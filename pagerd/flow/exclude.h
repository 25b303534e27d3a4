/*
 * exclude.h - memory that must be left alone because somebody said so.
 *
 * OWNS   the set of such ranges: what hooks asked for (mlock, MADV_WIPEONFORK, guard pages, protection
 *        keys, robust mutexes, predicomp_leave). Beside it, holds: what one call
 *        of the program must find whole, until it has returned.
 * WHY    Two calls may be about the same addresses: the first has moved memory away from there, the
 *        second works on what was mapped there since. The end of the first must not expose it, so
 *        a hold is ended by its number and not by its place.
 *        What is mapped no more is no longer what somebody spoke of: programs lock memory and unmap it
 *        as it is. Its exclusion ends, at the next walk or when there is no room for another one.
 * THREADS any; a lock held for a few stores, seldom for some thousand looks at mappings. Threads of the
 *        program come with signals blocked.
 */
#ifndef PC_FLOW_EXCLUDE_H
#define PC_FLOW_EXCLUDE_H

#include "base/types.h"

void exclude_reset(void); /* nothing is held, nobody is waiting: the set stays */
/* Of memory that is mapped. False when the set is full: the caller must leave the process alone. */
bool exclude_add(pc_addr start, pc_addr end);
bool exclude_remove(pc_addr start, pc_addr end);
void exclude_prune(void); /* of what is mapped no more; in several goes where that is much */
/* The number of the hold; 0: too many others. */
uint32_t exclude_hold(pc_addr start, pc_addr end);
/* One that is not there any more (a child of a fork has none of its parent's) may be released. */
void exclude_release(uint32_t hold);
/* By the set or by a hold. */
bool exclude_hits(pc_addr start, pc_addr end);

#endif
