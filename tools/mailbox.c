#include "mailbox.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

#define SLICE (200 * PC_MS)
#define RETRY (10 * PC_MS)

struct wait {
	struct target *target;
	const struct mailbox_request *request;
	struct pc_segment *segment; /* mapped; of it: */
	struct pc_mailbox *box;
	pc_ns deadline;
	bool moved; /* the pager has gone on in another segment: all else has failed */
};

static void futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	struct timespec ts = as_timespec(timeout);

	syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* STATUS_OK while waiting further makes sense. */
static int may_wait(const struct wait *w, struct refusal *why)
{
	if (!attach_alive(w->target))
		return refuse(why, STATUS_NO_PROCESS, "process %d has ended", w->target->pid);
	if (now_monotonic() >= w->deadline)
		return refuse(why, STATUS_TIMEOUT,
			      "process %d has not answered in time; it may be stopped or busy",
			      w->target->pid);
	return STATUS_OK;
}

static bool is_gone(uint32_t holder)
{
	return kill((pid_t)holder, 0) != 0 && errno == ESRCH;
}

/* STATUS_OK, `moved`, or why not. What was marked before is seen: nobody answers here any more. */
static int may_wait_here(struct wait *w, struct refusal *why)
{
	w->moved = load_acquire(&w->segment->replaced); /* pairs with the pager's mark */
	return w->moved ? STATUS_NO : may_wait(w, why);
}

static bool try_lock(const struct wait *w)
{
	uint32_t holder = 0;

	return cas_acq_rel(&w->box->lock, &holder, (uint32_t)getpid()) ||
	       (is_gone(holder) && cas_acq_rel(&w->box->lock, &holder, (uint32_t)getpid()));
}

static int take_lock(struct wait *w, struct refusal *why)
{
	int err;

	while (!try_lock(w)) {
		err = may_wait_here(w, why);
		if (err != STATUS_OK)
			return err;
		pause_for(RETRY);
	}
	return STATUS_OK;
}

/* Until every request is answered. */
static int settle(struct wait *w, struct refusal *why)
{
	for (;;) {
		/* pairs with the pager's release of `answered`, after result and done */
		uint32_t answered = load_acquire(&w->box->answered);
		int err;

		if (answered == load_relaxed(&w->box->request))
			return STATUS_OK;
		err = may_wait_here(w, why);
		if (err != STATUS_OK)
			return err;
		if (w->request->progress)
			w->request->progress(w->target);
		futex_wait(&w->box->answered, answered, SLICE);
	}
}

static void post(const struct wait *w)
{
	struct pc_mailbox *box = w->box;

	store_relaxed(&box->command, (uint32_t)w->request->command);
	store_relaxed(&box->arg[0], w->request->arg[0]);
	store_relaxed(&box->arg[1], w->request->arg[1]);
	/* pairs with the pager's acquire of `request` */
	store_release(&box->request, load_relaxed(&box->request) + 1);
	futex_wake(&box->request);
}

static int ask_locked(struct wait *w, struct mailbox_answer *answer, struct refusal *why)
{
	int err = settle(w, why);

	if (err != STATUS_OK)
		return err;
	post(w);
	err = settle(w, why);
	if (err != STATUS_OK)
		return err;
	answer->result = load_relaxed(&w->box->result);
	answer->done = load_relaxed(&w->box->done);
	return STATUS_OK;
}

static int ask_here(struct wait *w, struct mailbox_answer *answer, struct refusal *why)
{
	struct target *t = w->target;
	int err;

	w->moved = false;
	w->segment =
	    mmap(NULL, PC_SEGMENT_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, t->segment, 0);
	if (w->segment == MAP_FAILED)
		return refuse(why, STATUS_NO, "the segment of process %d cannot be mapped: %s",
			      t->pid, strerror(errno));
	w->box = &w->segment->mailbox;
	err = take_lock(w, why);
	if (err == STATUS_OK) {
		err = ask_locked(w, answer, why);
		store_release(&w->box->lock, 0u); /* pairs with the next tool's take_lock() */
	}
	munmap(w->segment, PC_SEGMENT_HEADER);
	return err;
}

int mailbox_ask(struct target *t, const struct mailbox_request *request,
		struct mailbox_answer *answer, struct refusal *why)
{
	struct wait w = {
	    .target = t, .request = request, .deadline = now_monotonic() + request->timeout};
	int err = ask_here(&w, answer, why);

	while (err != STATUS_OK && w.moved) {
		err = may_wait(&w, why);
		if (err == STATUS_OK)
			err = attach_refresh(t, why);
		if (err != STATUS_OK)
			return err;
		pause_for(RETRY);
		err = ask_here(&w, answer, why);
	}
	return err;
}
