#include "flow/fault.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/forget.h"
#include "kernel/task.h"

#include <poll.h>
#include <time.h>

#define SAMPLE_EVERY  64u
#define SAMPLE_PAUSE  (20 * PC_MS)
#define SAMPLES_KEPT  32u /* older ones fade by halves */
#define WAIT_SHARE    8u  /* a CPU with one sample in so many keeps a waiting pager */
#define FRUITLESS_MAX 1000000u
#define PENDING_WAIT  (20 * 1000ull)
#define PENDING_COUNT (75 * 1000ull) /* tries that follow each other sooner count for one */
#define PENDING_TRIES 400000u	     /* 30 s, however long the process was stopped */

static struct {
	struct fault_thread *thread;
	unsigned count;
	struct lock lock; /* the samples and who is parked */
	unsigned samples;
	unsigned by_pager[GATE_SLOTS];
} pagers;

void fault_set(struct fault_thread *threads, unsigned count)
{
	lock_reset(&pagers.lock);
	pagers.thread = threads;
	pagers.count = count;
	pagers.samples = 0;
	for (unsigned i = 0; i < GATE_SLOTS; i++)
		pagers.by_pager[i] = 0;
}

unsigned fault_count(void)
{
	return pagers.count;
}

struct fault_thread *fault_at(unsigned index)
{
	PC_ASSERT(index < pagers.count);
	return &pagers.thread[index];
}

/* ---- which pagers wait ---------------------------------------------------------------------- */

static long nudge(struct fault_thread *t)
{
	uint64_t one = 1;

	return sys_write(t->nudge, &one, sizeof(one));
}

static void unpark(struct fault_thread *t)
{
	if (swap_seq(&t->parked, 0))
		wake_sleepers(&t->parked, 1);
}

/*
 * Who is to stop has been woken for it already, once, and could sleep for ever: the one or the other of
 * the two that meet here sees what the other has stored.
 */
static void park(struct fault_thread *t)
{
	if (!swap_seq(&t->parked, 1))
		nudge(t);
	if (load_seq(&t->stop)) /* pairs with fault_stop */
		unpark(t);
}

void fault_wake(struct fault_thread *t)
{
	unpark(t);
	nudge(t);
}

static unsigned pager_for(unsigned cpu)
{
	PC_ASSERT(pagers.count);
	for (unsigned i = 0; i < pagers.count; i++)
		if (pagers.thread[i].cpu == cpu)
			return i;
	return cpu % pagers.count;
}

static unsigned largest_share(void)
{
	unsigned most = 0;

	for (unsigned i = 0; i < pagers.count; i++)
		most = PC_MAX(most, pagers.by_pager[i]);
	return most;
}

/*
 * Those with a share of the faults are woken first, so that there is never none: where so many CPUs
 * have an equal part that nobody has a share, those with the largest wait.
 */
static void rearrange(void)
{
	const unsigned share = (pagers.samples + WAIT_SHARE - 1) / WAIT_SHARE;
	const unsigned enough = PC_MIN(share, largest_share());

	for (unsigned i = 0; i < pagers.count; i++)
		if (pagers.by_pager[i] >= enough)
			unpark(&pagers.thread[i]);
	for (unsigned i = 0; i < pagers.count; i++)
		if (pagers.by_pager[i] < enough)
			park(&pagers.thread[i]);
}

static void sample(struct fault_thread *t, uint32_t tid)
{
	int cpu = tid ? task_cpu((int)tid) : -1;

	t->since_sample = 0;
	if (cpu < 0 || !lock_try(&pagers.lock))
		return;
	pagers.by_pager[pager_for((unsigned)cpu)]++;
	if (++pagers.samples > SAMPLES_KEPT) {
		pagers.samples = 0;
		for (unsigned i = 0; i < pagers.count; i++)
			pagers.samples += pagers.by_pager[i] /= 2;
	}
	rearrange();
	lock_release(&pagers.lock);
}

/* ---- the rest of a unit --------------------------------------------------------------------- */

#define REST_PAGE_BITS 16u
#define HELPERS_MAX    3u
#define WAKE_EVERY     8u /* batches */

/* Takes the next batch of what is offered at `rest`. */
static bool claim(uint64_t *rest, pc_addr *base, unsigned *first)
{
	uint64_t w = load_acquire(rest); /* pairs with share_rest */

	while (w) {
		unsigned page = w & ((1u << REST_PAGE_BITS) - 1);
		uint64_t then = page + REST_BATCH < PC_UNIT_PAGES ? w + REST_BATCH : 0;

		if (!cas_acq_rel(rest, &w, then))
			continue;
		*base = (w >> REST_PAGE_BITS) << PC_UNIT_SHIFT;
		*first = page;
		return true;
	}
	return false;
}

static void wake_unit(pc_addr base)
{
	if (base)
		uffd_wake(&world.uffd, base, base + PC_UNIT);
}

/*
 * Who waits in the unit is woken for several batches at once, by each that restores some: it would
 * soon wait again, and to stop and go costs as much as some pages.
 */
static void work_off(struct fault_thread *t, uint64_t *rest)
{
	pc_addr base, quiet = 0; /* the unit where somebody may wait for what came */
	unsigned first, batches = 0;

	while (claim(rest, &base, &first)) {
		if (quiet != base)
			wake_unit(quiet);
		restore_rest(&t->restorer, base, first);
		quiet = base;
		if (++batches % WAKE_EVERY == 0)
			wake_unit(base);
	}
	wake_unit(quiet);
}

static void help_others(struct fault_thread *t)
{
	for (unsigned i = 0; i < pagers.count; i++)
		work_off(t, &pagers.thread[i].rest);
}

/* A parked one is woken for this only, and parks again. */
static void call_for_help(const struct fault_thread *t)
{
	unsigned called = 0;

	for (unsigned i = 0; i < pagers.count && called < HELPERS_MAX; i++) {
		struct fault_thread *other = &pagers.thread[i];

		if (other == t)
			continue;
		called++;
		if (load_relaxed(&other->parked))
			sys_futex_wake(&other->parked, 1);
		else
			nudge(other);
	}
}

/* The rest of the unit of the last fault, if that is wanted. Whoever claims some of it wakes. */
static void share_rest(struct fault_thread *t)
{
	pc_addr base = t->restorer.rest;

	if (!base)
		return;
	t->restorer.rest = 0;
	store_release(&t->rest, base >> PC_UNIT_SHIFT << REST_PAGE_BITS); /* pairs with claim */
	call_for_help(t);
	work_off(t, &t->rest);
}

/* ---- one message ---------------------------------------------------------------------------- */

static void apply(unsigned shard, const struct uffd_event *e)
{
	switch (e->kind) {
	case UFFD_UNMAP:
		COUNT(shard, events_unmap);
		forget_unmap(shard, e->start, e->end);
		return;
	case UFFD_REMOVE:
		COUNT(shard, events_remove);
		forget_discard(shard, e->start, e->end);
		return;
	case UFFD_REMAP:
		COUNT(shard, events_remap);
		forget_remap(shard, e->start, e->to, e->end - e->start);
		return;
	case UFFD_UNKNOWN:
		COUNT(shard, events_unexpected);
		return;
	case UFFD_FAULT:
		return;
	}
}

/* Reading is the acknowledgement: nothing may look anything up between it and its effect. */
static int read_one(struct fault_thread *t, struct uffd_event *e)
{
	int n;

	gate_close(&world.gate);
	if (forget_unsettled() && !uffd_pending(&world.uffd))
		forget_settled();
	n = uffd_read(&world.uffd, e);
	if (n == 1)
		apply(t->restorer.shard, e);
	gate_open(&world.gate);
	if (n == 1)
		store_relaxed(&t->messages, t->messages + 1);
	if (n < 0)
		pc_fatal("the userfaultfd cannot be read", (uint64_t)-n, 0);
	return n;
}

static void adopt(struct fault_thread *t, pc_addr page)
{
	COUNT(t->restorer.shard, faults_unexpected);
	gate_close(&world.gate);
	forget_adopt(page);
	gate_open(&world.gate);
}

static enum restore_result serve(struct fault_thread *t, const struct uffd_event *fault)
{
	enum restore_result res = restore_fault(&t->restorer, fault);

	if (res == RESTORE_UNKNOWN) {
		adopt(t, fault->start);
		res = restore_fault(&t->restorer, fault);
	}
	return res;
}

static void keep(struct fault_thread *t, const struct uffd_event *fault, enum restore_result why)
{
	COUNT(t->restorer.shard, restore_again);
	if (t->pending_count == PENDING_MAX) {
		/* Its thread asks again. */
		uffd_wake(&world.uffd, fault->start, fault->end);
		return;
	}
	t->pending[t->pending_count++] =
	    (struct pending_fault){.fault = *fault, .is_short = why == RESTORE_SHORT};
}

static void answer(struct fault_thread *t, const struct uffd_event *fault)
{
	const unsigned shard = t->restorer.shard;
	pc_ns start = clock_now(), end, took;
	enum restore_result res;

	if (fault->wp)
		COUNT(shard, faults_wp);
	else
		COUNT(shard, faults_missing);
	if (fault->write && !fault->wp)
		COUNT(shard, faults_write);
	res = serve(t, fault);
	if (res != RESTORE_DONE)
		keep(t, fault, res);
	if (t->restorer.quiet)
		share_rest(t);
	end = clock_now();
	took = time_since(start, end);
	OBSERVE(shard, fault_all, took);
	if (fault->wp)
		OBSERVE(shard, fault_wp, took);
	else
		OBSERVE(shard, fault_missing, took);
	share_rest(t);
	if (++t->since_sample >= SAMPLE_EVERY || time_since(t->last_fault, start) > SAMPLE_PAUSE)
		sample(t, fault->thread);
	t->last_fault = end;
}

static void count_try(struct pending_fault *p, enum restore_result why, pc_ns now)
{
	p->is_short = why == RESTORE_SHORT;
	if (time_since(p->counted_at, now) < (p->is_short ? RESTORE_SHORT_WAIT : PENDING_COUNT))
		return;
	p->counted_at = now;
	if (p->is_short && ++p->shorts == RESTORE_SHORT_TRIES)
		pc_fatal("no memory to restore a page", p->fault.start, p->shorts);
	if (!p->is_short && ++p->tries == PENDING_TRIES)
		pc_fatal("a fault cannot be answered", p->fault.start, p->tries);
}

static void retry_pending(struct fault_thread *t)
{
	for (unsigned i = t->pending_count; i-- > 0;) {
		struct pending_fault *p = &t->pending[i];
		const pc_ns now = clock_now();
		enum restore_result res;

		if (p->is_short && time_since(p->counted_at, now) < RESTORE_SHORT_WAIT)
			continue;
		res = serve(t, &p->fault);
		if (res == RESTORE_DONE) {
			*p = t->pending[--t->pending_count];
			share_rest(t);
		} else {
			count_try(p, res, now);
		}
	}
}

/* How long to wait for what the pending ones want; 0: for ever, there are none. */
static pc_ns pending_wait(const struct fault_thread *t)
{
	pc_ns wait = t->pending_count ? RESTORE_SHORT_WAIT : 0;

	for (unsigned i = 0; i < t->pending_count; i++)
		if (!t->pending[i].is_short)
			wait = PENDING_WAIT;
	return forget_unsettled() ? PENDING_WAIT : wait;
}

static void note_answered(struct fault_thread *t)
{
	if (!t->pending_count)
		store_release(&t->answered, t->messages); /* pairs with watch_look */
}

static void read_all(struct fault_thread *t)
{
	struct uffd_event e;

	while (read_one(t, &e) == 1) {
		if (e.kind == UFFD_FAULT)
			answer(t, &e);
		else
			retry_pending(t);
		note_answered(t);
	}
}

static uint64_t messages_of_all(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < pagers.count; i++)
		sum += load_relaxed(&pagers.thread[i].messages);
	return sum;
}

/*
 * That there was something and another pager has read it is usual. That there always is and nobody
 * ever reads it means that nobody is answered.
 */
static void note_reading(struct fault_thread *t, bool fruitless)
{
	uint64_t sum;

	if (!fruitless) {
		t->fruitless = 0;
		return;
	}
	sum = messages_of_all();
	t->fruitless = sum == t->messages_seen ? t->fruitless + 1 : 0;
	t->messages_seen = sum;
	if (t->fruitless == FRUITLESS_MAX)
		pc_fatal("the userfaultfd has messages and gives none", sum, 0);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void sleep_parked(struct fault_thread *t)
{
	while (load_acquire(&t->parked) && !load_acquire(&t->stop)) { /* pairs with unpark, stop */
		sys_futex_wait(&t->parked, 1, 0);
		help_others(t);
	}
}

/* True if the userfaultfd has something. */
static bool wait_for_work(struct fault_thread *t)
{
	struct pollfd fds[] = {
		{.fd = world.uffd.fd, .events = POLLIN},
		{.fd = t->nudge, .events = POLLIN},
	};
	const struct timespec soon = {0, (long)pending_wait(t)};
	uint64_t drained;

	sys_poll(fds, 2, soon.tv_nsec ? &soon : NULL);
	if (fds[1].revents)
		sys_read(t->nudge, &drained, sizeof(drained));
	return fds[0].revents;
}

int fault_loop(void *thread)
{
	struct fault_thread *t = thread;
	uint64_t before;
	bool readable;

	while (!load_acquire(&t->stop)) { /* pairs with fault_stop */
		if (!t->pending_count)
			sleep_parked(t);
		readable = wait_for_work(t);
		help_others(t);
		before = t->messages;
		read_all(t);
		/* Those of the others are their cache lines: looked at only when in doubt. */
		note_reading(t, readable && t->messages == before);
		retry_pending(t);
		note_answered(t);
	}
	return 0;
}

void fault_stop(struct fault_thread *t)
{
	long n;

	store_seq(&t->stop, 1); /* pairs with fault_loop, park */
	unpark(t);
	n = nudge(t);
	if (n < 0)
		pc_fatal("a pager cannot be told to stop", t->index, (uint64_t)-n);
}
