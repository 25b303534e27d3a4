#include "base/sys.h"

#include <linux/futex.h>
#include <linux/sched.h>
#include <time.h>

long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/*
 * clone() returns twice, the second time on another stack, so no compiled frame may lie around it:
 * fn and arg wait on the new stack and the child pops them.
 */
long thread_clone(unsigned long flags, void *stack, uint32_t *tid, void *tls);
__asm__(".text\n"
	".local thread_clone\n"
	".type thread_clone, @function\n"
	"thread_clone:\n"
	"	movq %rdx, %r10\n" /* child_tid: cleared and woken at exit */
	"	movq %rcx, %r8\n"  /* tls */
	"	movl $56, %eax\n"  /* __NR_clone */
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	jnz 1f\n"
	"	xorl %ebp, %ebp\n"
	"	popq %rax\n" /* fn */
	"	popq %rdi\n" /* arg */
	"	callq *%rax\n"
	"	movl %eax, %edi\n"
	"	movl $60, %eax\n" /* __NR_exit */
	"	syscall\n"
	"	hlt\n"
	"1:	ret\n"
	".size thread_clone, .-thread_clone\n");

long sys_thread(int (*fn)(void *), void *arg, void *stack_top, void *tls, uint32_t *tid)
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
				    CLONE_CHILD_CLEARTID;
	/* After the two pops the stack is 16-byte aligned, as a call requires. */
	void **top = (void **)((uintptr_t)stack_top & ~15ul);

	*--top = arg;
	*--top = (void *)fn;
	return thread_clone(flags, top, tid, tls);
}

_Noreturn void sys_exit_thread(int status)
{
	for (;;)
		SYS1(__NR_exit, status);
}

_Noreturn void sys_exit_group(int status)
{
	for (;;)
		SYS1(__NR_exit_group, status);
}

static long futex_wait(uint32_t *word, int op, uint32_t value, pc_ns timeout)
{
	struct timespec t = {(time_t)(timeout / PC_SEC), (long)(timeout % PC_SEC)};

	return SYS4(__NR_futex, word, op, value, timeout ? &t : NULL);
}

long sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	return futex_wait(word, FUTEX_WAIT_PRIVATE, value, timeout);
}

long sys_futex_wait_shared(uint32_t *word, uint32_t value, pc_ns timeout)
{
	return futex_wait(word, FUTEX_WAIT, value, timeout);
}

long sys_futex_wake(uint32_t *word, int waiters)
{
	return SYS3(__NR_futex, word, FUTEX_WAKE_PRIVATE, waiters);
}

long sys_futex_wake_shared(uint32_t *word, int waiters)
{
	return SYS3(__NR_futex, word, FUTEX_WAKE, waiters);
}

static pc_ns clock_read(long which)
{
	struct timespec t = {0, 0};

	SYS2(__NR_clock_gettime, which, &t);
	return (pc_ns)t.tv_sec * PC_SEC + (pc_ns)t.tv_nsec;
}

pc_ns sys_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

pc_ns sys_thread_cpu(void)
{
	return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/* The kernel's encoding of a thread's CPU clock: inverted id, "per thread", "scheduler time". */
pc_ns sys_cpu_of(int tid)
{
	return clock_read((long)(int)(((unsigned)~tid << 3) | 4u | 2u));
}
