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
 *       A note too many costs a question; one too few, the flag. So notes are made before the flag is set,
 *       follow memory that is remapped, and stay where the kernel refused. What a call has unmapped may be
 *       another thread's memory by the time that it returns, and noted anew: so a note goes only where
 *       none was made since before the call (forkless_notes).
 * LOST  The pager sets the flag by address, and finds out only afterwards whether what it meant was still
 *       there: MADV_DONTFORK may be on memory of the program's that came there, and has moved on since.
 *       No note leads to it. So where that could have happened it says forkless_lose(), and the next walk
 *       of smaps (flow/discover.h) gives to children what is not registered, and no page of which is
 *       noted. Before a fork there always is one. What the program marked or moved by the bare
 *       instruction is not noted, and may be given to children then: README, "Limits".
 * THREADS any; a lock held for a few stores, and by forkless_give() for one call. Threads of the program come with signals blocked.
 */
#ifndef PC_FLOW_FORKLESS_H
#define PC_FLOW_FORKLESS_H

#include "base/types.h"

void forkless_reset(void); /* in a child, which has none of that memory */
bool forkless_add(pc_addr start, pc_addr end); /* false: no room, and nothing noted */
void forkless_remove(pc_addr start, pc_addr end);
uint32_t forkless_notes(void); /* how many have been made so far */
/* What was mapped there has gone; `since`: forkless_notes() before it did. */
void forkless_gone(pc_addr start, pc_addr end, uint32_t since);
bool forkless_hits(pc_addr start, pc_addr end);
bool forkless_any(void); /* without the lock: soon outdated */

/*
 * [start, end) was remapped to [to, to_end), which is one mapping: what was noted of some of it, holds for
 * all of it there, and what was noted there before for nothing. `left`: the old range is still mapped,
 * or who knows. `since` as above. The same result as forkless_add().
 */
bool forkless_follow(pc_addr start, pc_addr end, pc_addr to, pc_addr to_end, bool left,
		     uint32_t since);

/* MADV_DOFORK, where nothing is noted; no note is made in between. Whether it was done. */
bool forkless_give(pc_addr start, pc_addr end);

void forkless_lose(void);
/* False as well once there was no room for a note: then what is not noted may be the program's. */
bool forkless_lost(void);
void forkless_seek(void); /* before the walk, so that what is lost meanwhile counts */

#endif
