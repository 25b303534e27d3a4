/*
 * observe.h - one process, seen from its own segment and from the kernel, into a matrix.
 *
 * DESIGN  Each look takes what has been counted since the one before. Either side may be missing,
 *         from the start or from some point on: the library starts in its own time, an exec gives
 *         the process another segment, the kernel's view wants capabilities. What is missing is
 *         said (observe_end), never shown as nothing.
 */
#ifndef PC_TOOLS_OBSERVE_H
#define PC_TOOLS_OBSERVE_H

#include "attach.h"
#include "matrix.h"

struct observer;

struct observe_source {
	bool present;	/* there was something to read */
	char text[512]; /* why it was not, or what it lacks; "" when all is well */
};

/*
 * Begins to observe `pid`, whose pidfd is `process`, with columns of `interval`. NULL when there is
 * no memory; a missing source is no error.
 */
struct observer *observe_begin(pid_t pid, int process, pc_ns interval);
void observe_look(struct observer *o);

/* Ends it: the last look, sources and rows finished. The matrix is the caller's to free. */
struct matrix observe_end(struct observer *o, struct observe_source source[2]);

#endif
