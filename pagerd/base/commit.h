/*
 * commit.h - address space that is reserved whole becomes memory as far as it is needed.
 *
 * WHY    What could be written is filled by mlockall(2), which locks what a program has and knows nothing of
 *        what it only reserved. Not every mlockall passes a hook (JNA and ctypes ask libc's own handle for
 *        it), and twice the machine's memory is reserved here.
 * DESIGN A table that grows from its start has one of these for each part that does. What is not needed
 *        yet cannot be touched, and so costs nothing whatever is done to all memory.
 *
 *          start          done                                   end
 *            | memory, in use | up to COMMIT_STEP more | reserved |
 *
 *        What has become memory stays it.
 * THREADS one at a time.
 */
#ifndef PC_BASE_COMMIT_H
#define PC_BASE_COMMIT_H

#include "base/types.h"

#define COMMIT_STEP PC_UNIT

/* Makes [start, start + bytes), whole pages, memory; false if the kernel refuses. */
typedef bool commit_fn(void *start, size_t bytes);

struct commit {
	pc_addr done, end;
	commit_fn *fn; /* NULL: all of it is memory */
};

/* `bytes` from `start`, page aligned, of which the first step is memory at once, or false. */
bool commit_start(struct commit *c, const void *start, size_t bytes, commit_fn *fn);

/* Up to `to`, not beyond its end, is memory; false: it could not be had now. */
bool commit_to(struct commit *c, const void *to);

#endif
