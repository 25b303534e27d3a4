/*
 * crew.h - threads that libc does not know of, and the memory they stand on.
 *
 * DESIGN  A thread is a raw clone with a stack from the pool and, at its top, a block that serves
 *         as its thread pointer: a self pointer, as compilers expect at %fs:0, and a stack
 *         protector value at %fs:40. It starts with every signal blocked, since its creator has
 *         blocked them, and blocks them again itself.
 */
#ifndef PC_CREW_H
#define PC_CREW_H

#include "base/types.h"

#define CREW_STACK (128u << 10)

struct crew_member {
	void *stack; /* CREW_STACK bytes, kept for the next thread */
	uint32_t tid_word; /* not zero while the thread lives; futex, woken by the kernel */
	int tid; /* atomic */
	bool refused; /* for the moment, when it was last asked for */
	int (*fn)(void *);
	void *arg;
};

/*
 * 0 or -errno; -EAGAIN may pass, and takes 50 ms unless it was that the last time. One thread at a time
 * stands on a member.
 */
int crew_start(struct crew_member *m, const char *use, int (*fn)(void *), void *arg);
/*
 * The stack that its calls take is there when this returns: who answers faults must not wait for memory
 * of its own. By the member itself or who started it, before anybody waits for it.
 */
void crew_stock(const struct crew_member *m);
void crew_join(struct crew_member *m);
/* The number of a thread that was started and has not ended; 0 where there is none, or just before it is known. */
int crew_tid(const struct crew_member *m);
/* After a fork the thread does not exist; its stack can be used again. */
void crew_forget(struct crew_member *m);

#endif
