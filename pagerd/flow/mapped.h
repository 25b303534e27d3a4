/*
 * mapped.h - memory whose every layout call is seen before it happens: EVICT=madvise takes no
 * other.
 *
 * WHY   MADV_DONTNEED destroys what lies there when it comes, which may be another mapping by now.
 *       The kernel refuses a move while a layout change is pending; nothing refuses a discard. So a
 *       page may only be taken like that while nobody can change the layout under it, which is
 *       certain for memory that the program mapped through a hook, and unmaps and discards through
 *       hooks. What libc maps for itself (arenas, [heap], large blocks, stacks) passes no hook.
 *
 * OWNS    the set of such ranges; which ranges are about to be changed; which one is being taken.
 * DESIGN  A hook first says what is about to change: struck off the set (unmapped, replaced) or
 * held (discarded; until the call is over). Then it looks whether that is being taken, and waits if
 * so. The taker first says what it takes, then looks at the set and at what is held. Between the
 * two steps of each lies a full fence, so that one of them sees the other.
 *
 *           hook   set, held -= [start, end) ; fence ; taking?      -> wait until it is over
 *           taker  taking = unit             ; fence ; set? held?   -> leave those pages alone
 *
 *         A set that is full forgets memory rather than remember too much.
 * THREADS mapped_claim(), mapped_done(): the work thread, outside the gate. The rest: any thread of
 *         the program, with all signals blocked; none waits for the gate.
 */
#ifndef PC_FLOW_MAPPED_H
#define PC_FLOW_MAPPED_H

#include "base/types.h"

void mapped_reset(void);  /* nothing is held or taken, nobody is waiting: the set stays */
void mapped_forget(void); /* the set is empty */

void mapped_add(pc_addr start, pc_addr end);	/* the program has just mapped it */
void mapped_remove(pc_addr start, pc_addr end); /* it may change in any way from now on */
bool mapped_all(pc_addr start, pc_addr end);	/* every page of it is in the set */

/* The first piece of the set in [*start, end): false if there is none. */
bool mapped_piece(pc_addr *start, pc_addr *end);

/* Not taken until the release of what it returns, which sleeps while too many others are held. */
unsigned mapped_hold(pc_addr start, pc_addr end);
void mapped_release(unsigned held);

/*
 * The unit at `base` is being taken, until mapped_done(). Pages of it may be taken for which
 * mapped_takeable() says so.
 */
void mapped_claim(pc_addr base);
void mapped_done(void);
bool mapped_takeable(pc_addr start, pc_addr end);

/* Around a fork, so that the child does not find the set half changed. */
void mapped_freeze(void);
void mapped_thaw(void);

#endif
