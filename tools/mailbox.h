/*
 * mailbox.h - asking a pager to do something, and waiting until it has.
 *
 * PROTOCOL
 *   lock      CAS 0 -> our process number. A number whose process is gone is taken over, so a tool
 *             that was killed blocks nobody. Tools of two process-number namespaces do not see each
 *             other's liveness: the loser's command is then answered with the winner's result.
 *   settle    wait until answered == request: a command that an earlier tool gave up waiting for
 *             may still be read by the pager, and is not overwritten under its eyes.
 *   ask       command and arguments, then request + 1 with release order, then wake.
 *   wait      until answered == request, in slices, so that the death of the process is noticed
 *             and progress can be shown.
 *   unlock    store 0.
 *   follow    A pager that restarts goes on in a copy of the segment (segment.h), in which nothing is
 *             asked and nobody has the lock: what was not answered is asked again there.
 */
#ifndef PC_TOOLS_MAILBOX_H
#define PC_TOOLS_MAILBOX_H

#include "attach.h"

struct mailbox_request {
	enum pc_command command;
	uint64_t arg[2];
	pc_ns timeout;			    /* for all of it */
	void (*progress)(struct target *t); /* some times a second while waiting; may be NULL */
};

struct mailbox_answer {
	int result; /* 0 or -errno of the pager */
	uint64_t done;
};

/*
 * `t` was attached with ATTACH_COMMAND, and may have another segment afterwards. STATUS_OK when
 * answered, whatever the result.
 */
int mailbox_ask(struct target *t, const struct mailbox_request *request,
		struct mailbox_answer *answer, struct refusal *why);

#endif
