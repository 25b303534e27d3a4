/*
 * threads.h - tells the pager of each thread before that thread can need anything.
 *
 * WHY   A thread's stack and control block must not leave while it lives (hazard finding 8), and
 *       nothing shows a mapping to be one until the thread itself says so.
 * DESIGN  pthread_create() and thrd_create() start a trampoline that reports its thread and goes
 *         on to the program's function. What the trampoline must know waits in one of a few static
 *         records, since a hook must not allocate; when all are taken the record lies on the
 *         creator's stack, and the creator waits until it was read.
 */
#ifndef PC_PRELOAD_THREADS_H
#define PC_PRELOAD_THREADS_H

/* In the child of a fork: frees the records of births that only the parent sees. */
void threads_fork_child(void);

#endif
