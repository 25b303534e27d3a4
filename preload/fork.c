#include "fork.h"

#include "real.h"
#include "threads.h"
#include "pager.h"

#include <linux/sched.h>

static __thread bool prepared; /* between pager_fork_before() and its second half */

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

static void child(void)
{
	threads_fork_child();
	if (!prepared)
		return;
	prepared = false;
	pager_fork_child((pc_addr)pthread_self());
}

static void after(long pid)
{
	if (pid == 0)
		child();
	else
		parent();
}

int fork_register(void)
{
	return -pthread_atfork(before, parent, child);
}

HOOK(pid_t, _Fork, (void))
{
	pid_t pid;

	before();
	pid = real._Fork();
	after(pid);
	return pid;
}

long fork_raw(long nr, long a, long b, long c, long d, long e)
{
	long pid;

	before();
	pid = real.syscall(nr, a, b, c, d, e, 0);
	after(pid);
	return pid;
}

struct cloned {
	int (*fn)(void *);
	void *arg;
};

/*
 * Its memory is a copy, so that the parent's frame is still there to be read. When it returns, libc
 * ends this thread and not the process, which then lives on for as long as a thread of ours does.
 */
static int clone_child(void *arg)
{
	struct cloned *c = arg;
	int status;

	child();
	status = c->fn(c->arg);
	pager_quit(PC_INERT_FORKING);
	return status;
}

HOOK(int, clone,
     (int (*fn)(void *), void *stack, int flags, void *arg, pid_t *parent_tid, void *tls,
      pid_t *child_tid))
{
	struct cloned c = {fn, arg};
	int pid;

	/* The kernel clears the word of such a thread without taking faults, wherever it lies. */
	if (flags & CLONE_VM && flags & (CLONE_THREAD | CLONE_CHILD_CLEARTID))
		pager_quit(PC_INERT_ROBUST);
	if (flags & CLONE_VM || !fn || !stack)
		return real.clone(fn, stack, flags, arg, parent_tid, tls, child_tid);
	before();
	pid = real.clone(clone_child, stack, flags, &c, parent_tid, tls, child_tid);
	parent();
	return pid;
}
