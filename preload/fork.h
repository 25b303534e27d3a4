/*
 * fork.h - every way in which a process can come to have a copy of this memory.
 *
 *   fork, daemon, forkpty            run pthread_atfork handlers: fork_register()
 *   _Fork, clone without CLONE_VM    do not: hooked
 *   syscall(SYS_fork and its kin)    does not: hook of syscall(), by fork_raw()
 *   vfork, posix_spawn, system,      share the memory and its pager while the parent waits: nothing to
 *   popen                            do. vfork() cannot be hooked at all: it returns twice from the
 *                                    hook's one frame.
 *   clone with CLONE_VM              the same with CLONE_VFORK, else the process is left alone: fork_shares()
 *
 * libc's fork() calls its own _Fork() without going through the symbol, so that none is seen twice.
 */
#ifndef PC_PRELOAD_FORK_H
#define PC_PRELOAD_FORK_H

/* From the constructor: its handlers are then the last to prepare, the first in the child. -errno.
 */
int fork_register(void);

/* What of a thread's own storage is used around a fork. */
const void *fork_local(void);

/* Before a clone with these flags that shares the memory, in whole or not at all. */
void fork_shares(unsigned long flags);

/* A fork-like system call through libc's syscall(). */
long fork_raw(long nr, long a, long b, long c, long d, long e);

#endif
