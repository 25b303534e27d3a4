#include "base/lock.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/sys.h"

#include <errno.h>
#include <limits.h>

/* Holders keep these for about a microsecond; past that they have been preempted: sleep. */
#define SPINS 100

void wake_sleepers(uint32_t *word, int most)
{
	long n = sys_futex_wake(word, most);

	if (n < 0)
		pc_fatal("a sleeping thread cannot be woken", (uint64_t)word, (uint64_t)-n);
}

bool await_zero(uint32_t *word, pc_ns patience)
{
	uint32_t now;

	while ((now = load_seq(word))) { /* pairs with what set it */
		if (now == 1 && !cas_acq_rel(word, &now, 2))
			continue;
		if (sys_futex_wait(word, 2, patience) == -ETIMEDOUT)
			return false;
	}
	return true;
}

/* Those that wait at `g`, or at no gate. `waits`: how often in a row in vain. */
static void wait_at(const struct rwgate *g, uint32_t *word, uint32_t value, unsigned *waits)
{
	const bool watched = g && g->late;

	if (sys_futex_wait(word, value, watched ? GATE_PATIENCE : 0) != -ETIMEDOUT)
		*waits = 0;
	else if (watched)
		g->late(++*waits);
}

static bool spin_for(struct lock *l)
{
	for (int i = 0; i < SPINS; i++) {
		uint32_t seen = 0;

		if (cas_acq_rel(&l->word, &seen, 1)) /* pairs with lock_release */
			return true;
		cpu_relax();
	}
	return false;
}

static void take(struct lock *l, const struct rwgate *g)
{
	unsigned waits = 0;

	if (spin_for(l))
		return;
	while (swap_acquire(&l->word, 2) != 0) /* pairs with lock_release */
		wait_at(g, &l->word, 2, &waits);
}

void lock_take(struct lock *l)
{
	take(l, NULL);
}

bool lock_take_for(struct lock *l, pc_ns patience)
{
	if (spin_for(l))
		return true;
	while (swap_acquire(&l->word, 2) != 0) /* pairs with lock_release */
		if (sys_futex_wait(&l->word, 2, patience) == -ETIMEDOUT)
			return false;
	return true;
}

bool lock_try(struct lock *l)
{
	uint32_t seen = 0;

	return cas_acq_rel(&l->word, &seen, 1); /* pairs with lock_release */
}

void lock_release(struct lock *l)
{
	if (swap_seq(&l->word, 0) == 2) /* pairs with lock_take */
		wake_sleepers(&l->word, 1);
}

void lock_reset(struct lock *l)
{
	if (load_relaxed(&l->word))
		store_relaxed(&l->word, 0);
}

/* closed: 0 open, 1 closed, 2 closed and a reader sleeps on it */

static void wait_for_opening(struct rwgate *g, unsigned *waits)
{
	uint32_t seen = 1;

	for (int i = 0; i < SPINS; i++) {
		if (!load_acquire(&g->closed)) /* pairs with gate_open */
			return;
		cpu_relax();
	}
	if (cas_acq_rel(&g->closed, &seen, 2) || seen == 2)
		wait_at(g, &g->closed, 2, waits);
}

static void step_out(struct rwgate *g, unsigned slot)
{
	swap_seq(&g->slot[slot].inside, 0); /* pairs with wait_for_readers */
	if (load_relaxed(&g->waiting) && swap_seq(&g->waiting, 0))
		wake_sleepers(&g->waiting, 1);
}

void gate_enter(struct rwgate *g, unsigned slot)
{
	unsigned waits = 0;

	PC_ASSERT(slot < g->slots);
	PC_ASSERT(!load_relaxed(&g->slot[slot].inside));
	for (;;) {
		/* A full fence between our flag and theirs: Dekker with gate_close. */
		swap_seq(&g->slot[slot].inside, 1);
		if (!load_seq(&g->closed))
			return;
		step_out(g, slot);
		wait_for_opening(g, &waits);
	}
}

void gate_leave(struct rwgate *g, unsigned slot)
{
	PC_ASSERT(load_relaxed(&g->slot[slot].inside));
	step_out(g, slot);
}

static bool any_inside(struct rwgate *g)
{
	for (unsigned i = 0; i < g->slots; i++)
		if (load_seq(&g->slot[i].inside)) /* pairs with step_out */
			return true;
	return false;
}

static void wait_for_readers(struct rwgate *g)
{
	unsigned waits = 0;

	for (int i = 0; i < SPINS; i++) {
		if (!any_inside(g))
			return;
		cpu_relax();
	}
	for (;;) {
		swap_seq(&g->waiting, 1); /* before the look: a reader that leaves after it wakes us */
		if (!any_inside(g))
			break;
		wait_at(g, &g->waiting, 1, &waits);
	}
	store_relaxed(&g->waiting, 0);
}

void gate_close(struct rwgate *g)
{
	take(&g->writers, g);
	swap_seq(&g->closed, 1); /* Dekker with gate_enter */
	wait_for_readers(g);
}

void gate_open(struct rwgate *g)
{
	if (swap_seq(&g->closed, 0) == 2)
		wake_sleepers(&g->closed, INT_MAX);
	lock_release(&g->writers);
}

bool gate_closed(const struct rwgate *g)
{
	return load_acquire(&g->closed) != 0; /* pairs with gate_open */
}

void gate_reset(struct rwgate *g, unsigned slots)
{
	PC_ASSERT(slots <= GATE_SLOTS);
	memset(g, 0, sizeof(*g));
	g->slots = slots;
}
