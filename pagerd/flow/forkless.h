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
 * THREADS any; a lock held for a few stores. Threads of the program come with signals blocked.
 */
#ifndef PC_FLOW_FORKLESS_H
#define PC_FLOW_FORKLESS_H

#include "base/types.h"

void forkless_reset(void); /* in a child: its lock only */
bool forkless_add(pc_addr start, pc_addr end); /* false: no room, and nothing noted */
void forkless_remove(pc_addr start, pc_addr end);
bool forkless_hits(pc_addr start, pc_addr end);

#endif
