/*
 * task.h - the threads of this process, as the kernel lists them.
 * THREADS any.
 */
#ifndef PC_KERNEL_TASK_H
#define PC_KERNEL_TASK_H

#include "base/types.h"

#define TASK_CPU_WORDS 16u

/* Where and when the kernel lets a thread run. A new thread has it from who makes it. */
struct task_turn {
	uint64_t cpus[TASK_CPU_WORDS];
	int policy, nice;
};

typedef bool task_fn(int tid, void *arg); /* false ends */

int task_each(task_fn *fn, void *arg); /* 0 or -errno */
bool task_alive(int tid); /* or it cannot be told */

/*
 * Address of the thread's robust list head, which glibc keeps in the thread control block: 0 if it
 * has none, -errno as a negative number if it cannot be asked.
 */
int64_t task_robust_list(int tid);

/* A thread that the kernel made for itself (io_uring workers): it has no memory of its own. */
bool task_is_kernel_made(int tid);

/* It has exited and is only kept for its parent to ask (the first thread of a process may be so). */
bool task_is_zombie(int tid);

int task_open(int tid, const char *file, int flags); /* of its folder in /proc; or -errno */

int task_cpu(int tid); /* CPU it last ran on, or -errno */

/* The CPUs that the caller may run on, at most `max` of them; CPU 0 where it cannot be told. */
unsigned task_cpus(unsigned *cpu, unsigned max);

bool task_turn_note(struct task_turn *t); /* of the caller; false: it cannot be told */
/* The caller runs like this from now on, as far as the kernel lets it; false: not in all. */
bool task_turn_take(const struct task_turn *t);
bool task_is_idle(const struct task_turn *t); /* runs when nobody else wants to */

/* Where the kernel refuses (the CPU has gone, a cpuset forbids it), who is meant stays where it is. */
void task_pin(int tid, unsigned cpu);  /* that thread (0: the caller), to this one */
void task_let_run(int tid, int where); /* that thread, to where this one may run */

#endif
