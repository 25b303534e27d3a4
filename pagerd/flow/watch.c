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

struct watched {
	uint64_t read; /* messages, at the last look */
	uint64_t answered;
	bool open;	/* there was something to answer, or to read */
	unsigned looks; /* in a row, since then, at which nothing had changed */
};

static struct {
	struct watched pager[GATE_SLOTS];
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

static void help(unsigned late)
{
	COUNT(0, faults_late);
	log_line(LOG_INFO, "a fault has not been answered for a second",
		 late < fault_count() ? "pager" : "any of", late, NULL, 0);
	for (unsigned i = 0; i < fault_count(); i++) {
		if (i == late || late == fault_count())
			task_let_run(load_relaxed(&fault_at(i)->tid));
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
	judge(fault_count(), note(&watch.all, is_readable(), sum, 0));
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
