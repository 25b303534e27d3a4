/*
 * Processes that clone() makes in unusual forms: one that runs beside this one in its memory, and may live
 * longer; one with a thread storage of its own; one by glibc's other name of the call. Each finds its memory
 * and its signals as they were. A child for each, for some are left alone by the library afterwards.
 */
#include "host.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LEN    (4 * MIB)
#define STACK  (256ul << 10)
#define RIGHT  3
#define WRONG  4
#define FACING (4096ul) /* bytes of a thread control block, and more */

extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

static char *memory, *rest, *stack;
static int forked_on, guarded;

static int judge(bool right)
{
	return right ? RIGHT : WRONG;
}

static int look(void *unused)
{
	(void)unused;
	_exit(judge(host_same(memory, LEN, 1)));
}

/* Beside its parent, with all that it does to be seen there. */
static int fork_and_guard(void *unused)
{
	const pid_t pid = fork();

	(void)unused;
	if (!pid)
		_exit(judge(host_same(memory, LEN, 1)));
	forked_on = host_reap(pid);
	host_let_leave(memory, LEN);
	guarded = madvise(memory, LEN, MADV_GUARD_INSTALL) == 0 &&
		  madvise(memory, LEN, MADV_GUARD_REMOVE) == 0;
	_exit(judge(!guarded || host_zero(memory, LEN)));
}

static int clone_of(int (*fn)(void *), int flags, void *tls)
{
	return clone(fn, stack + STACK, flags | SIGCHLD, NULL, NULL, tls, NULL);
}

static void beside(void)
{
	HOST_CHECK(host_reap(clone_of(fork_and_guard, CLONE_VM, NULL)) == RIGHT);
	HOST_CHECK(forked_on == RIGHT);
	HOST_CHECK(host_same(rest, LEN, 3));
}

static int when_alone(void *end)
{
	char c;

	close(((int *)end)[1]);
	if (read(((int *)end)[0], &c, 1) != 0)
		_exit(WRONG);
	alarm(60);
	look(NULL);
	return 0;
}

/* Its parent ends at once. Whoever called this finds it among its own children. */
static void outlived(void)
{
	int end[2];

	HOST_CHECK(pipe(end) == 0);
	HOST_CHECK(clone(when_alone, stack + STACK, CLONE_VM | SIGCHLD, end) > 0);
	host_let_leave(memory, LEN);
}

static int signals_are_free(void *unused)
{
	uint64_t blocked = 0;
	long ret;

	(void)unused;
	/* Of libc nothing can be called without its storage. */
	__asm__ volatile("mov $8, %%r10\n syscall"
			 : "=a"(ret)
			 : "0"((long)SYS_rt_sigprocmask), "D"(0l), "S"(0l), "d"(&blocked)
			 : "rcx", "r10", "r11", "memory");
	__asm__ volatile("syscall"
			 :
			 : "a"((long)SYS_exit_group), "D"((long)judge(!ret && !blocked))
			 : "rcx", "r11", "memory");
	return 0;
}

/* Enough of a control block for what a hook looks up there. */
static void own_storage(void)
{
	char *tls = (char *)host_map(16 * FACING) + 8 * FACING;

	*(void **)tls = tls;
	((void **)tls)[2] = tls;
	HOST_CHECK(host_reap(clone_of(signals_are_free, CLONE_SETTLS, tls)) == RIGHT);
}

static void other_name(void)
{
	HOST_CHECK(host_reap(__clone(look, stack + STACK, SIGCHLD, NULL)) == RIGHT);
}

static void in_child(void (*form)(void))
{
	const pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid) {
		HOST_CHECK(host_reap(pid) == 0);
		return;
	}
	rest = host_cold(LEN, 3);
	memory = host_cold(LEN, 1);
	stack = host_map(STACK);
	form();
	exit(0);
}

static void reap_orphan(void)
{
	int status;

	HOST_CHECK(waitpid(-1, &status, 0) > 0);
	HOST_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == RIGHT);
}

int main(void)
{
	char *here = host_cold(LEN, 2);

	HOST_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	in_child(other_name);
	in_child(own_storage);
	in_child(beside);
	in_child(outlived);
	reap_orphan();
	HOST_CHECK(host_same(here, LEN, 2));
	return 0;
}
