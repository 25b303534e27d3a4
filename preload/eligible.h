/*
 * eligible.h - whether this process may be managed at all.
 *
 * WHY   To be inert is always allowed and never wrong, so everything that is known to go badly is
 *       refused before a thread is started.
 * DESIGN  Asked once, in the constructor, but for one the cheapest question first: most processes are
 *         short, and what they are asked delays them.
 */
#ifndef PC_PRELOAD_ELIGIBLE_H
#define PC_PRELOAD_ELIGIBLE_H

#include "pager.h"

struct program {
	const char *called; /* base name of argv[0] */
	const char *file;   /* base name of what is executed */
};

/* PC_INERT_NONE, or why not. `options` has been filled. A list that has either name has it. */
enum pc_inert eligible(struct program program);

/*
 * The same, as far as a tracer or a filter of system calls decides it. To be asked first: it makes
 * no calls but those that every program's loader makes, and a filter may not allow the others.
 */
enum pc_inert eligible_unwatched(void);

/* A policy, maybe with SCHED_RESET_ON_FORK, whose threads nothing may delay. */
bool policy_is_realtime(int policy);

/* True if the program was started with more rights than its user has (set-user-id and the like). */
bool eligible_is_secure(void);

#endif
