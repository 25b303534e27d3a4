/*
 * observe.h - a process and what it starts, seen from the kernel and from their own segments, into a
 * matrix.
 *
 * DESIGN  Each look takes what has been counted since the one before. Either side may be missing,
 *         from the start or from some point on: the library starts in its own time, an exec gives
 *         a process another segment, the kernel's view wants capabilities. What is missing is
 *         said (observe_end), never shown as nothing; so are processes beyond those of family.h.
 *         A row belongs to a process: `process` of it is the number of a member while the record
 *         lasts, and an index into observed.process at the end.
 */
#ifndef PC_TOOLS_OBSERVE_H
#define PC_TOOLS_OBSERVE_H

#include "family.h"
#include "matrix.h"

struct observer;

struct observe_source {
	bool present;	/* there was something to read */
	char text[768]; /* why it was not, or what it lacks; "" when all is well */
};

struct observed_process {
	pid_t pid, parent; /* 0: not known */
	char name[16];
};

struct observed {
	struct matrix m;
	struct observed_process *process; /* by birth: the first, and all that have a row */
	size_t processes;
	uint64_t left, left_faults;	 /* processes that are not shown, and what they had */
	struct observe_source source[2]; /* by enum layer_source */
};

/*
 * Begins to observe `pid`, whose pidfd is `process`, and what it starts from now on, with columns of
 * `interval`. NULL when there is no memory; a missing source is no error.
 */
struct observer *observe_begin(pid_t pid, int process, pc_ns interval);
void observe_look(struct observer *o);
/* Between looks, where they are rare. */
void observe_hear(struct observer *o);

/* Ends it: the last look, sources and rows finished. False when there is no memory. */
bool observe_end(struct observer *o, struct observed *out);
void observed_free(struct observed *out);

#endif
