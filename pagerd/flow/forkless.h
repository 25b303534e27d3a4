/*
 * forkless.h - memory that the program itself keeps from its children (MADV_DONTFORK).
 *
 * WHY   The pager sets MADV_DONTFORK on what it has registered and clears it when the pages are
 *       home. On memory that the program had marked so (V8 does, for its whole heap) it must do
 *       neither. The kernel shows one flag for both, so who set it is noted: by the hook when the
 *       program asks for it, and by the discovery walk before anything there is registered.
 * STALE An entry may outlive its mapping. So before anything leaves memory that is noted here, the
 *       kernel is asked whether the flag is there (flow/take.c, find_keeper). What the pager has set
 *       is noted apart (unit.dontfork), so that it is always cleared.
 * LOST  The pager sets the flag by address, and finds out only afterwards whether what it meant was still
 *       there: MADV_DONTFORK may be on memory of the program's that came there, and has moved on since.
 *       No note leads to it. So where that could have happened it says forkless_lose(), and the next walk
 *       of smaps gives to children what is neither registered nor noted here. Before a fork is made, and
 *       memory remapped, there is such a walk (flow/work.c). What the program marked without being seen
 *       is given to children as well then, which is more than it asked for, but breaks nothing.
 * THREADS any; a lock held for a few stores. Threads of the program come with signals blocked.
 */
#ifndef PC_FLOW_FORKLESS_H
#define PC_FLOW_FORKLESS_H

#include "base/types.h"

void forkless_reset(void); /* in a child: its lock only */
bool forkless_add(pc_addr start, pc_addr end); /* false: no room, and nothing noted */
void forkless_remove(pc_addr start, pc_addr end);
bool forkless_hits(pc_addr start, pc_addr end);

void forkless_lose(void);
/* False as well once there was no room for a note: then what is not noted may be the program's. */
bool forkless_lost(void);
void forkless_found(void); /* before the walk, so that what is lost meanwhile counts */

#endif
