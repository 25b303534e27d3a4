#include "flow/watch.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/fault.h"
#include "flow/world.h"
#include "kernel/task.h"

#include <poll.h>
#include <time.h>

#define TIMES_MOST 12u /* about an hour of looks */

struct watched {
	uint64_t read; /* messages, at the last look */
	uint64_t answered;
	bool open;	/* there was something to answer, or to read */
	unsigned looks; /* in a row, since then, at which nothing had changed */
};

/* A pager that may run anywhere since it was late. */
struct freed {
	uint32_t is;
	uint32_t times;	   /* it was let go */
	uint32_t looks;	   /* since then */
	uint64_t answered; /* by it, before that */
};

static struct {
	struct watched pager[GATE_SLOTS];
	struct freed freed[GATE_SLOTS];
	struct watched all; /* of them together; its `answered` is not used */
	pc_ns looked_at;
	int work_tid;
} watch;

void watch_start(void)
{
	memset(&watch, 0, sizeof(watch));
	watch.work_tid = (int)sys_gettid();
}

static unsigned note(struct watched *w, bool open, uint64_t read, uint64_t answered)
{
	const bool same = w->open && open && w->read == read && w->answered == answered;

	*w = (struct watched){read, answered, open, same ? w->looks + 1 : 0};
	return w->looks;
}

static bool is_readable(void)
{
	struct pollfd fd = {.fd = world.uffd.fd, .events = POLLIN};
	const struct timespec at_once = {0, 0};

	return sys_poll(&fd, 1, &at_once) > 0;
}

/* It goes where the work thread may, for who looks may be a pager, with a CPU of its own. */
static void let_run(unsigned i)
{
	const struct fault_thread *t = fault_at(i);
	struct freed *f = &watch.freed[i];
	const int tid = load_relaxed(&t->tid);

	if (!tid)
		return;
	store_relaxed(&f->answered, load_acquire(&t->answered));
	store_relaxed(&f->times, load_relaxed(&f->times) + 1);
	store_relaxed(&f->looks, 0u);
	task_let_run(tid, watch.work_tid);
	store_release(&f->is, 1u); /* pairs with pin_again */
}

/*
 * Who has answered since, or has nothing to answer, goes back to its CPU. Where it may be starved again,
 * later each time.
 */
static void pin_again(unsigned i, bool readable)
{
	const struct fault_thread *t = fault_at(i);
	struct freed *f = &watch.freed[i];
	const uint64_t answered = load_acquire(&t->answered);
	const bool open = readable || load_acquire(&t->messages) != answered;

	if (!load_acquire(&f->is)) /* pairs with let_run */
		return;
	store_relaxed(&f->looks, load_relaxed(&f->looks) + 1);
	if (load_relaxed(&f->looks) < 1u << PC_MIN(load_relaxed(&f->times), TIMES_MOST))
		return;
	if (open && answered == load_relaxed(&f->answered))
		return;
	store_relaxed(&f->is, 0u);
	task_pin(load_relaxed(&t->tid), t->cpu);
}

static void help(unsigned late)
{
	COUNT(0, faults_late);
	log_line(LOG_INFO, "a fault has not been answered for a second",
		 late < fault_count() ? "pager" : "any of", late, NULL, 0);
	for (unsigned i = 0; i < fault_count(); i++) {
		if (i == late || late == fault_count())
			let_run(i);
		fault_wake(fault_at(i));
	}
}

static void end(unsigned late)
{
	struct process_facts f;

	if (!pressure_facts(&world.pressure, &f) && !f.tracer_pid)
		pc_fatal("a fault is not answered", late, WATCH_LOOKS);
}

static void judge(unsigned late, unsigned looks)
{
	if (looks == 1)
		help(late);
	else if (looks >= WATCH_LOOKS)
		end(late);
}

void watch_look(pc_ns now)
{
	uint64_t sum = 0;
	bool readable;

	if (now - watch.looked_at < PC_SEC)
		return;
	watch.looked_at = now;
	for (unsigned i = 0; i < fault_count(); i++) {
		const struct fault_thread *t = fault_at(i);
		/* In this order: what it reads meanwhile may look open, and is another one next time. */
		const uint64_t answered = load_acquire(&t->answered);
		const uint64_t read = load_acquire(&t->messages);

		sum += read;
		judge(i, note(&watch.pager[i], read != answered, read, answered));
	}
	readable = is_readable();
	judge(fault_count(), note(&watch.all, readable, sum, 0));
	for (unsigned i = 0; i < fault_count(); i++)
		pin_again(i, readable);
}

/* A thread of the program has not our descriptors, and we wait at the gate as it does. */
static bool is_ours(int tid)
{
	for (unsigned i = 0; i < fault_count(); i++)
		if (load_relaxed(&fault_at(i)->tid) == tid)
			return true;
	return watch.work_tid == tid;
}

void watch_gate(unsigned waits)
{
	/* The first may have run out while the process was stopped. */
	if (is_ours((int)sys_gettid()))
		judge(fault_count(), waits - 1);
}
