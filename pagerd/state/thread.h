/*
 * thread.h - the program's threads, as far as their control blocks must stay put.
 *
 * WHY   When a thread exits, the kernel writes its thread id and walks its robust list without
 *       taking page faults (PF_EXITING): were that memory packed, pthread_join() would wait for
 *       ever (hazard finding 8). So the mapping that holds a thread's control block and stack is
 *       never managed while the thread lives.
 * DESIGN  Entries come from pthread_create's trampoline (at birth) and, for threads that were made
 *         without it, from get_robust_list(2) by the discovery walk. `creating` counts births in
 *         progress: while it is not zero nothing is taken at all.
 *         The first thread's block is in no such mapping: the loader maps its thread-local
 *         storage, and what the program maps later comes to lie beside it, in the same mapping for
 *         the kernel. So its place is noted before the program runs (`home`), is never managed, and
 *         keeps nothing beside it from being managed.
 * THREADS home: set at start-up. creating, born: any. The walk and the questions: the work thread.
 *         The lock is held for a few stores; signals are blocked by pager.c.
 */
#ifndef PC_STATE_THREAD_H
#define PC_STATE_THREAD_H

#include "base/types.h"

#define THREADS_MAX    4096u
#define CONTROL_BEFORE PC_PAGE
#define CONTROL_AFTER  (2 * PC_PAGE)

struct known_thread {
	int tid; /* 0: free entry */
	pc_addr control, stack;
};

void thread_reset(void); /* in a child too: home stays where it is */
void thread_set_home(struct pc_span home);
struct pc_span thread_home(void); /* empty when it is not known */
void thread_creating(int by);	  /* +1, -1 */
bool thread_being_made(void);
bool thread_add(int tid, pc_addr control, pc_addr stack); /* false: table full */
bool thread_known(int tid);
/*
 * Drops entries for which alive(tid) is false, and forgets that there was no room: whoever has no entry
 * lives, and is to be looked for and added now, by the caller.
 */
void thread_prune(bool (*alive)(int tid));
/* True if a control block or stack pointer of a thread lies in [start, end), but not at home. */
bool thread_inside(pc_addr start, pc_addr end);
/* Sets the bits of the pages of the unit at `base` that hold control blocks. */
void thread_mark(pc_addr base, uint64_t pages[PC_UNIT_PAGES / 64]);
bool thread_overflowed(void); /* a thread could not be recorded: nothing may be taken */

#endif
