#include "state/thread.h"

#include "base/atomic.h"
#include "base/lock.h"
#include "base/mem.h"

#include <limits.h>

static struct {
	struct lock lock;
	uint32_t creating;
	uint32_t taking; /* 0 no, 1 yes, 2 yes and waited for */
	int taker;	 /* number of the thread that has set it */
	uint32_t limit; /* entries ever used */
	uint32_t overflowed;
	struct known_thread known[THREADS_MAX];
} threads;

static struct pc_span first_home;

void thread_reset(void)
{
	memset(threads.known, 0, threads.limit * sizeof(threads.known[0]));
	threads.creating = threads.taking = threads.limit = threads.overflowed = 0;
	lock_reset(&threads.lock);
}

/* Read without the lock, which a thread that did not live on may have held. */
static pc_addr stack_with(pc_addr control)
{
	for (uint32_t i = 0; i < threads.limit; i++)
		if (threads.known[i].tid && threads.known[i].control == control)
			return threads.known[i].stack;
	return control;
}

void thread_fork_child(int tid, pc_addr control)
{
	pc_addr stack = stack_with(control);

	thread_reset();
	thread_add(tid, control, stack);
}

struct pc_span thread_around(pc_addr control)
{
	return (struct pc_span){page_floor(control - CONTROL_BEFORE),
				page_floor(control + CONTROL_AFTER)};
}

void thread_set_home(struct pc_span home)
{
	first_home = home;
}

struct pc_span thread_home(void)
{
	return first_home;
}

void thread_creating(bool (*alive)(int tid))
{
	add_seq(&threads.creating, 1u);			    /* pairs with thread_being_made */
	while (!await_zero(&threads.taking, TAKE_PATIENCE)) /* pairs with thread_take_begin */
		if (!alive(threads.taker))
			return;
}

void thread_created(void)
{
	sub_acq_rel(&threads.creating, 1u); /* pairs with thread_being_made */
}

bool thread_being_made(void)
{
	return load_seq(&threads.creating) != 0; /* pairs with thread_creating */
}

bool thread_take_begin(int tid)
{
	threads.taker = tid;	       /* nobody asks for it before `taking` is set */
	store_seq(&threads.taking, 1); /* pairs with thread_creating */
	if (!thread_being_made() && !thread_overflowed())
		return true;
	thread_take_end();
	return false;
}

void thread_take_end(void)
{
	if (swap_seq(&threads.taking, 0) == 2)
		wake_sleepers(&threads.taking, INT_MAX);
}

static struct known_thread *find(int tid)
{
	for (uint32_t i = 0; i < threads.limit; i++)
		if (threads.known[i].tid == tid)
			return &threads.known[i];
	return NULL;
}

static struct known_thread *entry_for(int tid)
{
	struct known_thread *k = find(tid);

	if (!k)
		k = find(0);
	if (!k && threads.limit < THREADS_MAX)
		k = &threads.known[threads.limit++];
	return k;
}

bool thread_add(int tid, pc_addr control, pc_addr stack)
{
	struct known_thread *k;

	lock_take(&threads.lock);
	k = entry_for(tid);
	if (k)
		*k = (struct known_thread){tid, control, stack};
	else
		store_relaxed(&threads.overflowed, 1);
	lock_release(&threads.lock);
	return k != NULL;
}

bool thread_known(int tid)
{
	bool known;

	lock_take(&threads.lock);
	known = find(tid) != NULL;
	lock_release(&threads.lock);
	return known;
}

void thread_prune(bool (*alive)(int tid))
{
	store_relaxed(&threads.overflowed, 0);
	for (uint32_t i = 0; i < threads.limit; i++) {
		int tid = load_relaxed(&threads.known[i].tid);

		if (!tid || alive(tid))
			continue;
		lock_take(&threads.lock);
		/* A thread of the same number may have been born since the question. */
		if (threads.known[i].tid == tid && !alive(tid))
			threads.known[i].tid = 0;
		lock_release(&threads.lock);
	}
}

static bool is_abroad(pc_addr at, pc_addr start, pc_addr end)
{
	return at >= start && at < end && (at < first_home.start || at >= first_home.end);
}

static pc_addr top_of(const struct known_thread *k, pc_addr start, pc_addr end)
{
	bool control = is_abroad(k->control, start, end), stack = is_abroad(k->stack, start, end);

	if (control && stack && k->stack < k->control)
		return page_floor(k->control + CONTROL_AFTER);
	return control || stack ? end : start;
}

pc_addr thread_top(pc_addr start, pc_addr end)
{
	pc_addr top = start;

	lock_take(&threads.lock);
	for (uint32_t i = 0; i < threads.limit; i++)
		if (threads.known[i].tid)
			top = PC_MAX(top, top_of(&threads.known[i], start, end));
	lock_release(&threads.lock);
	return PC_MIN(top, end);
}

static void mark(pc_addr base, pc_addr control, uint64_t *pages)
{
	const struct pc_span around = thread_around(control);
	const pc_addr start = PC_MAX(around.start, base), end = PC_MIN(around.end, base + PC_UNIT);

	for (pc_addr at = start; at < end; at += PC_PAGE)
		pages[page_in_unit(at) / 64] |= 1ull << (page_in_unit(at) % 64);
}

void thread_mark(pc_addr base, uint64_t pages[PC_UNIT_PAGES / 64])
{
	lock_take(&threads.lock);
	for (uint32_t i = 0; i < threads.limit; i++)
		if (threads.known[i].tid)
			mark(base, threads.known[i].control, pages);
	lock_release(&threads.lock);
}

bool thread_overflowed(void)
{
	return load_relaxed(&threads.overflowed);
}
