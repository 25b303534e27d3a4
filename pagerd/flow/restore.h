/*
 * restore.h - bytes go back to where the program left them.
 *
 * DESIGN  A restorer is one thread's scratch. Everything happens inside the layout gate: look up,
 *         win the page words (RETURNING), unpack, copy, publish RESIDENT. A page that cannot be
 *         restored ends the process: there is no other truth to give.
 *
 *         On a fault in packed memory the neighbours that left with it come along, the more the
 *         denser the faults in that unit have been: 4 pages at first, up to 64. Where they are so
 *         dense that all of the unit will be wanted, restorer.rest says so, and the caller brings
 *         the rest back with whoever is free to help (flow/fault.c). A program that comes from a
 *         unit that just came back so is expected: its first fault is enough, and it is not woken
 *         for that one page, `quiet`, for it would wait again at the next. FAULT_AROUND=n is obeyed
 *         to the page.
 *         On a fault in staged memory one page is copied back; a burst of them brings the unit back
 *         whole by UFFDIO_MOVE, for that is the probe's way of learning that it is in use.
 *
 *         Where the kernel has no memory the page that somebody waits for comes from the reserve
 *         (flow/reserve.h); its neighbours stay where they are. Nobody waits for memory inside the
 *         gate: the program may be about to give some back, which the kernel does once the event
 *         of it has been read.
 *
 * RETURNS RESTORE_AGAIN: a layout event is pending; leave the gate, have the events read, ask again.
 *         RESTORE_SHORT: there is no memory, nor a reserve for what is needed; leave the gate, and ask
 *         again after RESTORE_SHORT_WAIT. After RESTORE_SHORT_TRIES in a row the process ends.
 * THREADS one restorer a thread; the caller is inside the gate where it says so.
 */
#ifndef PC_FLOW_RESTORE_H
#define PC_FLOW_RESTORE_H

#include "flow/world.h"
#include "state/range.h"

#define RESTORE_SHORT_WAIT  (5 * PC_MS)
#define RESTORE_SHORT_TRIES 2000u

enum restore_result { RESTORE_DONE, RESTORE_AGAIN, RESTORE_UNKNOWN, RESTORE_SHORT };

struct restorer {
	unsigned slot;  /* in the layout gate */
	unsigned shard; /* of the counters */
	uint8_t *page;  /* AROUND_MAX pages */
	unsigned pages; /* of those, the first that are known to have memory; see restore_ready() */
	pc_addr sent_from; /* the last page where a waiting thread was told to look again */
	pc_ns sent_at;	   /* when */
	unsigned sent_back; /* how often in a row */
	pc_addr rest;   /* unit of the last fault if it should come back whole, else 0 */
	bool quiet; /* who faulted there has not been woken, nor has who waits in what came along */
};

/*
 * Has memory for restoring `pages` at once: how many there is memory for, at least 1. A pager that
 * faults on its own scratch at the limit of a memory cgroup could be kept there for ever.
 */
unsigned restore_ready(struct restorer *r, unsigned pages);

/* Serves a fault, by absence or by protection. UNKNOWN: not in the table; adopt it and ask again. */
enum restore_result restore_fault(struct restorer *r, const struct uffd_event *fault);

/*
 * Enters the gate by itself: REST_BATCH pages of the unit at `base` from `first` on. Who waits for one
 * of them has not been woken: the caller does that, for all of the unit.
 */
#define REST_BATCH 16u
void restore_rest(struct restorer *r, pc_addr base, unsigned first);

/*
 * Inside the gate. Restores every page of [first, end) of the unit that is away. What is NEEDED comes
 * though memory is short, as long as there is a reserve. What comes QUIETLY is a
 * FAVOUR of which nobody who waits is told.
 */
enum restore_need { RESTORE_NEEDED, RESTORE_FAVOUR, RESTORE_QUIETLY };
enum restore_result restore_pages(struct restorer *r, struct unit *u, unsigned first, unsigned end,
				  enum restore_need need);

/*
 * Inside the gate. Everything of the unit that is in staging goes back by UFFDIO_MOVE; what cannot be
 * moved is copied, as a favour: nobody waits for it.
 */
enum restore_result restore_staged(struct restorer *r, struct unit *u);

/*
 * Enters the gate by itself, again and again until it is done: every page of [start, end) that was
 * away has come back. For the work thread, while pagers read events.
 */
void restore_range(struct restorer *r, pc_addr start, pc_addr end);

#endif
