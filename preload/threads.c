#include "threads.h"

#include "eligible.h"
#include "exclusion.h"
#include "real.h"
#include "base/atomic.h"
#include "base/sys.h"
#include "pager.h"

#define BIRTHS 128u

struct birth {
	uint32_t pending; /* 1 from the creator's claim to the new thread's reading */
	pthread_t creator;
	union {
		void *(*posix)(void *);
		thrd_start_t c11;
	} start;
	void *arg;
};

static struct birth births[BIRTHS];

static bool claim(struct birth *b)
{
	uint32_t unclaimed = 0;

	return !load_relaxed(&b->pending) && cas_acq_rel(&b->pending, &unclaimed, 1u);
}

/* A free record, or `spare` when there is none. */
static struct birth *birth_begin(struct birth *spare, void *arg)
{
	struct birth *b = spare;

	for (unsigned i = 0; i < BIRTHS && b == spare; i++)
		if (claim(&births[i]))
			b = &births[i];
	b->pending = 1;
	b->creator = pthread_self();
	b->arg = arg;
	pager_thread_creating();
	return b;
}

static void birth_end(struct birth *b, const struct birth *spare, bool failed)
{
	if (failed) {
		pager_thread_unborn();
		store_release(&b->pending, 0u);
		return;
	}
	/* Acquire: pairs with the release in born(); after it the frame of `spare` may go. */
	while (b == spare && load_acquire(&b->pending))
		sys_yield();
}

/* On the new thread, first of all. */
static struct birth born(struct birth *b)
{
	struct birth copy = *b;

	store_release(&b->pending, 0u);
	if (pager_silent()) {
		pager_thread_unborn();
		return copy;
	}
	pager_thread_born((int)sys_gettid(), (pc_addr)pthread_self(),
			  (pc_addr)__builtin_frame_address(0));
	/* By attributes of its own, or by those that the program has made the default. */
	if (policy_is_realtime((int)SYS1(__NR_sched_getscheduler, 0)))
		pager_quit(PC_INERT_REALTIME);
	return copy;
}

static void *posix_trampoline(void *arg)
{
	struct birth b = born(arg);

	return b.start.posix(b.arg);
}

static int c11_trampoline(void *arg)
{
	struct birth b = born(arg);

	return b.start.c11(b.arg);
}

void threads_fork_child(void)
{
	for (unsigned i = 0; i < BIRTHS; i++)
		if (births[i].pending && births[i].creator != pthread_self())
			births[i].pending = 0;
}

HOOK(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg))
{
	struct birth spare, *b = birth_begin(&spare, arg);
	int err;

	b->start.posix = start;
	err = real.pthread_create(thread, attr, posix_trampoline, b);
	birth_end(b, &spare, err != 0);
	return err;
}

HOOK(int, thrd_create, (thrd_t * thread, thrd_start_t start, void *arg))
{
	struct birth spare, *b = birth_begin(&spare, arg);
	int result;

	b->start.c11 = start;
	result = real.thrd_create(thread, c11_trampoline, b);
	birth_end(b, &spare, result != thrd_success);
	return result;
}

HOOK(int, pthread_setschedparam, (pthread_t thread, int policy, const struct sched_param *param))
{
	int err = real.pthread_setschedparam(thread, policy, param);

	if (!err && policy_is_realtime(policy))
		pager_quit(PC_INERT_REALTIME);
	return err;
}

/*
 * The kernel writes to some mutexes itself and does not wait for a page that a userfaultfd answers
 * for: to a robust one when its owner dies (hazard finding 8), to one with priority inheritance when
 * it is contended, which then fails with EFAULT.
 */
static bool kernel_writes_to(const pthread_mutexattr_t *attr)
{
	int robust = PTHREAD_MUTEX_STALLED, protocol = PTHREAD_PRIO_NONE;

	return (!pthread_mutexattr_getrobust(attr, &robust) && robust == PTHREAD_MUTEX_ROBUST) ||
	       (!pthread_mutexattr_getprotocol(attr, &protocol) && protocol == PTHREAD_PRIO_INHERIT);
}

HOOK(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attr))
{
	if (attr && kernel_writes_to(attr))
		exclude_for_good(mutex, sizeof(*mutex));
	return real.pthread_mutex_init(mutex, attr);
}
