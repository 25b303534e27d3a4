/*
 * thread.h - the program's threads, as far as their control blocks must stay put.
 *
 * WHY   When a thread exits, the kernel writes its thread id and walks its robust list without
 *       taking page faults (PF_EXITING): were that memory packed, pthread_join() would wait for
 *       ever (hazard finding 8). So a thread's control block and stack are never managed while it
 *       lives.
 * DESIGN  Entries come from pthread_create's trampoline (at birth) and, for threads that were made
 *         without it, from get_robust_list(2) by the discovery walk. `creating` counts births in
 *         progress: while it is not zero no take begins. `taking` says that one has begun, whose marks
 *         lack who is born now: the creator waits for its end, or a thread's whole life might fall
 *         between the marks and the move of its block. Each of the two stores its word before it looks
 *         at the other's.
 *
 *             creator:  creating + 1 ; taking?   -> wait, then clone
 *             taker:    taking = 1 ; creating?   -> take nothing
 *
 *         The taker waits for no thread of the program meanwhile; how long it takes is not known, for
 *         both may be stopped at any point of it. In the child of a fork that nobody saw `taking` may
 *         stay set with nobody to clear it: so a creator asks each TAKE_PATIENCE whether the taker is
 *         there, and waits no longer where it is not.
 *         libc puts the block at the upper end of the stack. A guard ends the stack below, but
 *         nothing does above: what the program mapped there before is one mapping with it.
 *
 *           | guard |   stack ...  sp       block |       memory of the program       |
 *                   ^ start             control   ^ thread_top(start, end)        end ^
 *
 *         Of a thread that was made by hand only the block is known: its mapping is left out whole.
 *         The first thread's block is in no such mapping: the loader maps its thread-local
 *         storage, and what the program maps later comes to lie beside it, in the same mapping for
 *         the kernel. So its place is noted before the program runs (`home`), is never managed, and
 *         keeps nothing beside it from being managed.
 *         What the kernel touches of a block is looked for around its robust list: in thread_around().
 * THREADS home: set at start-up. creating, born: any. The walk, the takes and the questions: the work
 *         thread.
 *         The lock is held for a few stores; signals are blocked by pager.c.
 */
#ifndef PC_STATE_THREAD_H
#define PC_STATE_THREAD_H

#include "base/types.h"

#define THREADS_MAX    4096u
#define TAKE_PATIENCE  PC_SEC
#define CONTROL_BEFORE PC_PAGE
#define CONTROL_AFTER  (2 * PC_PAGE)

struct known_thread {
	int tid;		/* 0: free entry */
	pc_addr control, stack; /* the same where the stack is not known */
};

void thread_reset(void); /* home stays where it is */
/* Of the threads there were, the one with this control block lives on, as `tid`. */
void thread_fork_child(int tid, pc_addr control);
struct pc_span thread_around(pc_addr control); /* the pages of its block */
void thread_set_home(struct pc_span home);
struct pc_span thread_home(void); /* empty when it is not known */
/* Waits until no take is under way by a thread of which alive(tid) is true. */
void thread_creating(bool (*alive)(int tid));
void thread_created(void); /* known, or not made after all */
bool thread_being_made(void);
/*
 * Around a take, from before its marks until the last page has left; by one thread, `tid`. False, and
 * nothing is to be ended: a thread is being made, or could not be recorded, so nothing may be taken.
 */
bool thread_take_begin(int tid);
void thread_take_end(void);
bool thread_add(int tid, pc_addr control, pc_addr stack); /* false: table full */
bool thread_known(int tid);
/*
 * Drops entries for which alive(tid) is false, and forgets that there was no room: whoever has no entry
 * lives, and is to be looked for and added now, by the caller.
 */
void thread_prune(bool (*alive)(int tid));
/*
 * The first page of the mapping [start, end) above all stacks and control blocks in it, home left
 * out: `start` if it holds none, `end` if that cannot be told or there is nothing above.
 */
pc_addr thread_top(pc_addr start, pc_addr end);
/* Sets the bits of the pages of the unit at `base` that hold control blocks. */
void thread_mark(pc_addr base, uint64_t pages[PC_UNIT_PAGES / 64]);
bool thread_overflowed(void); /* a thread could not be recorded */

#endif
