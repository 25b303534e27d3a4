/*
 * fault.h - the threads that answer: faults are served, layout events are followed.
 *
 * DESIGN  Each pager is pinned to a CPU, because waking a thread on an idle CPU costs several times
 *         what serving a fault does. Every waiting pager is woken by every fault, so only those on
 *         CPUs where the program faults wait; the rest are parked. Where that is, is sampled: the
 *         CPU of the thread that faulted, on one fault in SAMPLE_EVERY and on the first after a
 *         pause. One pager always waits.
 *
 *         When faults in a unit are so dense that all of it will be wanted, the pager that served
 *         one offers the rest: `rest` names the unit and the next page, and whoever is awake or can
 *         be woken claims batches of it by CAS. The one that offered works along. Who waits in that
 *         unit is woken by each of them, for several batches at once.
 *
 *         One message at a time is read, with the layout gate closed, and an event is applied before
 *         the gate opens. A fault that met a pending event is kept and tried again once the event
 *         has been read; it is never answered by a guess. So is one for which there is no memory.
 *         Tries are counted by time, not by events: one that is in vain for too long ends the process.
 * THREADS fault_loop() on the pager's own thread; the rest by the work thread.
 */
#ifndef PC_FLOW_FAULT_H
#define PC_FLOW_FAULT_H

#include "flow/restore.h"

#define PENDING_MAX 64u

struct pending_fault {
	struct uffd_event fault;
	bool is_short;		/* of memory; else a layout event is on its way */
	uint32_t tries, shorts; /* in vain, for either reason */
	pc_ns counted_at;	/* the last of them */
};

struct fault_thread {
	unsigned index;
	unsigned cpu;
	int nudge; /* eventfd that ends its poll */
	uint32_t stop;
	uint32_t parked; /* futex: 1 sleeps, 0 waits for faults */
	int tid;
	struct restorer restorer;
	uint64_t rest; /* unit number << 16 | next page; 0 nothing; see claim() */
	uint32_t since_sample;
	pc_ns last_fault;
	uint64_t messages; /* read, ever; others look at it */
	uint64_t answered; /* of those, the first so many have no fault any more that waits; the same */
	uint64_t messages_seen; /* of all pagers, when it last read nothing */
	unsigned fruitless;	/* times in a row that there was something to read and nobody read it */
	unsigned pending_count;
	struct pending_fault pending[PENDING_MAX];
};

/* The pagers, all of them; set before the first starts. */
void fault_set(struct fault_thread *threads, unsigned count);

unsigned fault_count(void);
struct fault_thread *fault_at(unsigned index);

/* It looks for faults again, parked or not. */
void fault_wake(struct fault_thread *t);

int fault_loop(void *thread); /* struct fault_thread *; returns when told to stop */
void fault_stop(struct fault_thread *t);

#endif
