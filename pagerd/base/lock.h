/*
 * lock.h - the two locks of the pager.
 *
 * struct lock    a futex mutex for pager threads and for the program's threads in our hooks (which
 *                block all signals first).
 *
 * struct rwgate  the layout lock: many cheap readers, rare-ish writers, no starvation of writers.
 *                Each reader owns a slot in a cache line of its own, so that entering costs one
 *                fence and no shared write.
 *
 *     reader:  slot.inside = 1 ; fence ; gate.closed?  -> step out, wait, again
 *     writer:  lock mutex ; gate.closed = 1 ; fence ; wait until every slot.inside == 0
 *
 *        Who waits at the gate for longer than GATE_PATIENCE says so by `late`, and goes on waiting.
 *
 * LOCKS  rank order: gate before mutex-of-a-table; never two of one rank.
 * FORK   locks are reset by assignment in the child (lock_reset, gate_reset): only the forking
 *        thread lives on there.
 */
#ifndef PC_BASE_LOCK_H
#define PC_BASE_LOCK_H

#include "base/types.h"

struct lock {
	uint32_t word; /* 0 free, 1 taken, 2 taken and waited for */
};

void lock_take(struct lock *l);
bool lock_try(struct lock *l);
bool lock_take_for(struct lock *l, pc_ns patience); /* false: it was not free for so long */
void lock_release(struct lock *l);
void lock_reset(struct lock *l); /* writes only where it must: a write copies a page in a child */

/*
 * Wakes up to `most` that sleep on the word. Where the kernel will not, they would sleep for ever:
 * ends the process.
 */
void wake_sleepers(uint32_t *word, int most);
/*
 * Waits for a word that its owner has set to 1 to be 0, without taking it: so also where signals are not
 * blocked. It is 2 then, by which the owner knows that there is somebody to wake. False: nobody has woken
 * who waits for so long.
 */
bool await_zero(uint32_t *word, pc_ns patience);

#define GATE_SLOTS    65u /* 64 pagers, the work thread */
#define GATE_PATIENCE PC_SEC

struct gate_slot {
	uint32_t inside;
} __attribute__((aligned(64)));

struct rwgate {
	struct lock writers;
	uint32_t closed __attribute__((aligned(64)));
	uint32_t waiting; /* the writer sleeps on this: set to 1 before, readers clear and wake */
	uint32_t slots;	  /* slots in use, only ever grows while threads run */
	/* Called by who has waited so many times GATE_PATIENCE in a row. NULL: nobody wants to know. */
	void (*late)(unsigned waits);
	struct gate_slot slot[GATE_SLOTS];
};

void gate_enter(struct rwgate *g, unsigned slot);
void gate_leave(struct rwgate *g, unsigned slot);
void gate_close(struct rwgate *g); /* waits until no reader is inside; excludes other writers */
void gate_open(struct rwgate *g);
/* A writer is inside: what it changes may not be there yet. By anybody, without a slot. */
bool gate_closed(const struct rwgate *g);
void gate_reset(struct rwgate *g, unsigned slots);

#endif
