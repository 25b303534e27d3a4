#include "fork.h"

#include "real.h"
#include "threads.h"
#include "pager.h"

#include <linux/sched.h>

/* Of libc's fork(), between its handlers. Other ways may give the child a storage of its own. */
static __thread bool prepared;

const void *fork_local(void)
{
	return &prepared;
}

/* A vfork child that forks on is not the pager's: the grandchild is left alone by pager.h's rules.
 */
static void before(void)
{
	/* Set when no handler can come in between any more, which may fork as well. */
	prepared = pager_fork_before();
}

static void parent(void)
{
	if (!prepared)
		return;
	prepared = false;
	pager_fork_parent();
}

static void in_child(bool seen)
{
	threads_fork_child();
	if (seen)
		pager_fork_child((pc_addr)pthread_self());
}

static void child(void)
{
	const bool seen = prepared;

	prepared = false;
	in_child(seen);
}

static void after(long pid, bool seen)
{
	if (pid == 0)
		in_child(seen);
	else if (seen)
		pager_fork_parent();
}

int fork_register(void)
{
	return -pthread_atfork(before, parent, child);
}

/*
 * A process that runs beside us in our memory is none of the pager's: no hook works for it, and where it
 * lives on alone nobody answers its faults. Of a thread made so the kernel clears a word without taking
 * faults, wherever it lies.
 */
void fork_shares(unsigned long flags)
{
	if (flags & CLONE_VM &&
	    (!(flags & CLONE_VFORK) || flags & (CLONE_THREAD | CLONE_CHILD_CLEARTID)))
		pager_quit(PC_INERT_ROBUST);
}

HOOK(pid_t, _Fork, (void))
{
	const bool seen = pager_fork_before();
	pid_t pid = real._Fork();

	after(pid, seen);
	return pid;
}

long fork_raw(long nr, long a, long b, long c, long d, long e)
{
	const bool seen = pager_fork_before();
	long pid = real.syscall(nr, a, b, c, d, e, 0);

	after(pid, seen);
	return pid;
}

struct cloned {
	int (*fn)(void *);
	void *arg;
	bool seen;
};

/*
 * Its memory is a copy, so that the parent's frame is still there to be read. When it returns, libc
 * ends this thread and not the process, which then lives on for as long as a thread of ours does.
 */
static int clone_child(void *arg)
{
	struct cloned *c = arg;
	int status;

	in_child(c->seen);
	status = c->fn(c->arg);
	pager_quit(PC_INERT_FORKING);
	return status;
}

HOOK(int, clone,
     (int (*fn)(void *), void *stack, int flags, void *arg, pid_t *parent_tid, void *tls,
      pid_t *child_tid))
{
	struct cloned c = {.fn = fn, .arg = arg};
	int pid;

	fork_shares((unsigned long)flags);
	if (flags & CLONE_VM || !fn || !stack)
		return real.clone(fn, stack, flags, arg, parent_tid, tls, child_tid);
	c.seen = pager_fork_before();
	pid = real.clone(clone_child, stack, flags, &c, parent_tid, tls, child_tid);
	if (c.seen)
		pager_fork_parent();
	return pid;
}

/* The name that glibc's own headers have for it is another way in. */
HOOK(int, __clone,
     (int (*fn)(void *), void *stack, int flags, void *arg, pid_t *parent_tid, void *tls,
      pid_t *child_tid))
{
	return hook_clone(fn, stack, flags, arg, parent_tid, tls, child_tid);
}
