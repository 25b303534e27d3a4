/*
 * attach.h - finding, reading and checking the segment of a process.
 *
 * WHY   A process that runs under the library has a thread named PC_THREAD_NAME, and that thread
 *       alone holds the segment open. Both can be seen in /proc without its help.
 *
 * DESIGN  The segment is read by pread(2) into memory of our own and checked there. A mapping could
 *       change between check and use, and a process that truncates its segment would kill the
 *       reader by SIGBUS; a copy can do neither. Only the mailbox is mapped (mailbox.h), for only
 *       it is written.
 *
 *       A segment that was replaced by another says so; then that one is looked for, where the
 *       process still lives.
 *
 *       Process numbers are reused. A pidfd taken first, and still alive after the segment was
 *       found, says that both belong to one process; the number in the segment must be the one the
 *       process has in its own namespace, so that a reader holding somebody's segment open (another
 *       `predicomp`) is not taken for its owner.
 */
#ifndef PC_TOOLS_ATTACH_H
#define PC_TOOLS_ATTACH_H

#include "name.h"
#include "report/report.h"
#include "tool.h"

enum attach_mode { ATTACH_READ, ATTACH_COMMAND };

struct target {
	pid_t pid;
	enum attach_mode mode;
	int process; /* pidfd */
	int segment; /* its memfd */
	void *copy;
	size_t room; /* bytes allocated at copy */
	struct report report;
};

/* Why a process cannot be read: an exit status and the line that explains it. */
struct refusal {
	enum status status;
	char text[256];
};

/*
 * Finds the segment of `pid` and reads it once. STATUS_OK, or why not with `why` filled; then there
 * is nothing to detach.
 */
int attach(struct target *t, pid_t pid, enum attach_mode mode, struct refusal *why);
/* The same for a process that somebody named: a pager that restarts just then is waited for. */
int attach_named(struct target *t, pid_t pid, enum attach_mode mode, struct refusal *why);
void detach(struct target *t);

/*
 * Reads it again: t->report shows the present, and t->segment may be another. The same results;
 * detach in any case.
 */
int attach_refresh(struct target *t, struct refusal *why);

/* The same whether the process lives or has ended: then its last words, for they outlive it here. */
int attach_reread(struct target *t, struct refusal *why);

bool attach_alive(const struct target *t);

/*
 * Calls `fn` for every process that has a thread of the library, in the order of their numbers:
 * with its target, or with NULL and the refusal. 0, or -errno when /proc cannot be read.
 */
typedef void attach_fn(void *arg, pid_t pid, struct target *t, const struct refusal *why);
int attach_each(attach_fn *fn, void *arg);

int refuse(struct refusal *why, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
