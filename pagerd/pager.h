/*
 * pager.h - the pager as its host sees it. Everything the shim may call, and nothing else.
 *
 * WHO CALLS  Threads of the program, from hooks and constructors. Each call here blocks all signals
 *   of the calling thread for its length (pager_fork_before .. pager_fork_parent/child: until the
 *   second), so that a handler that forks or calls a hook cannot meet a half-done one. None touches
 *   errno. None may be called from a pager thread.
 *
 * THREADS OF THE PAGER
 *   work     one; named PC_THREAD_NAME. Sleeps until the process has MIN_RSS of anonymous memory,
 *            then opens the userfaultfd and starts the pagers. Discovers, samples, decides, evicts,
 *            compacts, answers the mailbox.
 *   pagers   one for each CPU; wait for faults, or are parked. They alone read the userfaultfd.
 *
 *   They run where and when the first work thread did, whichever thread of the program makes them anew;
 *   in the child of a fork, as the thread that forked does.
 *
 *   All are raw clones with a thread pointer of their own, all signals blocked, and a descriptor
 *   table that is theirs alone (hazard D1).
 *
 * RUN STATE
 *
 *   STARTING -> WAITING -> ACTIVE -> DRAINING -> INERT
 *                  ^                     |          |
 *                  +---------------------+----------+   pager_continue(), PC_CMD_RESUME
 */
#ifndef PC_PAGER_H
#define PC_PAGER_H

#include "base/types.h"

enum pc_inert {
#define PC_INERT(id, text) PC_INERT_##id,
#include "predicomp/inert.def"
#undef PC_INERT
	PC_INERT_COUNT
};

/*
 * Starts the work thread; `options` (base/options.h) has been filled. `program` is kept by value. From
 * `local`, the lowest word that callers of this library have in the first thread's storage, up to its
 * control block nothing is ever managed. By the first thread, before the program runs.
 * 0, or -errno: the process is then left alone. Takes a few dozen microseconds: all else happens
 * on the work thread, and not in processes that end before.
 */
int pager_start(const char *program, const void *local);

/*
 * Records that this process is left alone for `reason` without starting anything: what
 * predicomp_enabled() and reports will say.
 */
void pager_refuse(enum pc_inert reason);

const char *pager_inert_text(enum pc_inert reason); /* "not managed: " and why */

/*
 * Restores everything, unregisters everything, ends every pager thread. When it returns the process
 * is as if the library were not loaded. Calls nest; what each returned is for its pager_continue(), from
 * the same thread: the number of the process, 0 in one that is not the pager's, where nothing is done. Used
 * around calls that a second thread must not see: identity, namespaces.
 * In between a handler may fork, and its child come back here: there the pager goes on already, and
 * pager_continue() starts it anew, by whoever the process has become.
 */
int pager_pause(enum pc_inert reason);
void pager_continue(int paused);

/*
 * The same, for good: there is no way back. Where there is no pager only PC_INERT_SECCOMP is noted, for no
 * report may be made then.
 */
void pager_quit(enum pc_inert reason);

/*
 * The segment of this process is there when this returns, if there is memory for it. A child that has
 * just been forked has none yet.
 */
void pager_begin_counting(void);

/*
 * There is no pager, or it has left because system calls are filtered: none may be made in the
 * program's name that the program would not make. Nothing below makes one then. By any thread.
 */
bool pager_silent(void);

/*
 * Fork. before: everything is restored and quiet when it returns true; false: the caller is not of the
 * process whose pager this is, and is to call neither of the others. parent: goes on as before. child:
 * starts afresh (a segment, a userfaultfd and threads of its own). Registered so that `before` runs
 * last of all prepare handlers and `child` first of all child handlers.
 *
 * Why nothing stays packed, although a child could have pagers and registrations of its own: before
 * the first handler of the child runs, libc has touched memory that may be away, all in vain without
 * a pager. With glibc 2.36, where a program ever had threads, these are its streams, the control
 * blocks of the other threads, and their data of more than 32 keys; which, no interface tells. Only
 * UFFD_FEATURE_EVENT_FORK has a child reported to us from its first instruction on, and that takes
 * CAP_SYS_PTRACE. So what a take-over could miss is at home instead (live/fork_libc).
 */
bool pager_fork_before(void);
void pager_fork_parent(void);
void pager_fork_child(pc_addr control); /* of the thread that forked, its control block */

/*
 * [start, end) comes back and is never managed again: when this returns every page of it is
 * resident and unregistered. For mlock, MADV_WIPEONFORK, guard pages, robust mutexes,
 * predicomp_leave(). Cheap when nothing there is managed.
 */
void pager_exclude(pc_addr start, pc_addr end);

/* What one call of the program keeps from the pager. Number 0: nothing, which may be released as well. */
struct pager_held {
	uint64_t signals; /* that the thread had blocked before */
	uint32_t number;
	bool blocked;
};

/*
 * The same until pager_release(), for the time of one call of the program, whatever others exclude
 * and include there meanwhile. Nothing where nothing is managed. The thread's signals stay blocked until
 * then, but for those that say that it did wrong: a handler that jumps away would leave the hold there.
 */
struct pager_held pager_hold(pc_addr start, pc_addr end);
void pager_release(struct pager_held held);

/*
 * True if pages of [start, end) may be away or registered. Cheap; a look, not a lock: it may be
 * outdated when it returns.
 */
bool pager_holds(pc_addr start, pc_addr end);

/*
 * The program is about to set (on) or has cleared MADV_DONTFORK on [start, end), whose pages are all at
 * home: the pager then keeps its hands off that flag there.
 */
void pager_forkless(pc_addr start, pc_addr end, bool on);
/* What was mapped there, or was moved by mremap(); `notes`: pager_forkless_notes() before the call. */
uint32_t pager_forkless_notes(void);
void pager_forkless_gone(pc_addr start, pc_addr end, uint32_t notes);
void pager_forkless_moved(pc_addr start, pc_addr end, pc_addr to, pc_addr to_end, bool left,
			  uint32_t notes);

/*
 * EVICT=madvise: the hooks of mmap and its kin tell what they do, for that way of taking pages goes
 * by nothing else (flow/mapped.h). Does nothing without it. Before the library has started: nothing.
 */
bool pager_follows(void);
void pager_mapped(pc_addr start, pc_addr end);    /* after: the program's own anonymous memory */
void pager_unmapping(pc_addr start, pc_addr end); /* before a change of any kind */
bool pager_is_mapped(pc_addr start, pc_addr end); /* known, all of it */

/*
 * Around a discard (MADV_DONTNEED, MADV_FREE): nothing of [start, end) is taken from the first call to
 * the second. In between what is away must come home (pager_exclude) or, where the discard is certain
 * to succeed, may be forgotten.
 */
struct pager_held pager_discard_begin(pc_addr start, pc_addr end); /* signals as with pager_hold() */
void pager_forget(pc_addr start, pc_addr end);
void pager_discard_end(struct pager_held held);

/* What pager_exclude() did, undone: [start, end) is ordinary memory again (munlock). */
void pager_include(pc_addr start, pc_addr end);

/*
 * Thread births. Between pager_thread_creating(), which waits for what is being taken, and
 * pager_thread_born() nothing is taken from any memory, so that a stack and thread control block that
 * the pager has not seen cannot leave. The new thread itself calls pager_thread_born(), first of all;
 * the creator pager_thread_unborn() if there will be none. `thread_pointer` and `stack` lie in the
 * mapping that is excluded until the thread is gone.
 */
void pager_thread_creating(void);
void pager_thread_unborn(void);
void pager_thread_born(int tid, pc_addr thread_pointer, pc_addr stack);

enum pager_hint { PAGER_WILLNEED, PAGER_COLD, PAGER_PHASE };
int pager_hint(enum pager_hint hint, pc_addr start, pc_addr end); /* 0, -EAGAIN, -EINVAL */

/*
 * The program is about to end: what was borrowed from the system at large, DAMON, goes back. Memory
 * stays managed. A program that is killed gives nothing back; kernel/damon.h says what follows.
 */
void pager_give_back(void);

/* 1 while memory is managed. */
int pager_active(void);

/* True if any byte of the range belongs to the pager itself (its stacks, store, tables). */
bool pager_owns(pc_addr start, pc_addr end);

#endif
