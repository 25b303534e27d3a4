/*
 * mailbox.h - what the command line asks of a running pager.
 *
 * WHY    The mailbox lies in memory that other processes write to, whatever they think it means. So a
 *        request is read once, into memory that nobody else has, and only the copy is looked at:
 *        what was checked is what is carried out.
 * DESIGN A request is new while `request` differs from `answered`. The acts are the caller's; each
 *        gives 0 or -errno, and writes to *done as segment.h has it. -EAGAIN is no answer: the
 *        request stays, and is carried out the next time.
 *
 *          tool   lock; command, arg; request + 1, wake  ........  wait for answered; result, done
 *          pager                            copy; act; result, done; answered = request, wake
 *
 * THREADS the work thread.
 */
#ifndef PC_MAILBOX_H
#define PC_MAILBOX_H

#include "base/types.h"
#include "predicomp/segment.h"

struct mailbox_acts {
	int (*restore)(uint64_t *done);
	int (*resume)(uint64_t *done);
	int (*evict)(uint64_t *done);
	int (*set)(uint64_t option, uint64_t value); /* nobody has looked at them */
};

/*
 * Answers a new request: no such command is -EINVAL. Without one, or with one that has to wait
 * (-EAGAIN is returned, else 0), changes nothing.
 */
int mailbox_serve(struct pc_mailbox *m, const struct mailbox_acts *acts);

#endif
