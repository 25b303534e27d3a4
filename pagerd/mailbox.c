#include "mailbox.h"

#include "base/atomic.h"
#include "base/sys.h"

#include <errno.h>

struct request {
	uint32_t command;
	uint64_t arg[2];
};

static struct request read_request(const struct pc_mailbox *m)
{
	return (struct request){
	    .command = load_relaxed(&m->command),
	    .arg = {load_relaxed(&m->arg[0]), load_relaxed(&m->arg[1])},
	};
}

static int carry_out(const struct request *r, const struct mailbox_acts *acts, uint64_t *done)
{
	switch (r->command) {
	case PC_CMD_NONE:
		return 0;
	case PC_CMD_RESTORE:
		return acts->restore(done);
	case PC_CMD_RESUME:
		return acts->resume(done);
	case PC_CMD_EVICT:
		return acts->evict(done);
	case PC_CMD_SET:
		return acts->set(r->arg[0], r->arg[1]);
	default:
		return -EINVAL;
	}
}

int mailbox_serve(struct pc_mailbox *m, const struct mailbox_acts *acts)
{
	uint32_t asked = load_acquire(&m->request); /* pairs with the tool's */
	struct request r;
	uint64_t done = 0;
	int result;

	if (asked == load_relaxed(&m->answered))
		return 0;
	r = read_request(m);
	result = carry_out(&r, acts, &done);
	if (result == -EAGAIN)
		return result;
	store_relaxed(&m->result, result);
	store_relaxed(&m->done, done);
	store_relaxed(&m->command, (uint32_t)PC_CMD_NONE);
	store_release(&m->answered, asked); /* pairs with the tool's wait */
	sys_futex_wake_shared(&m->answered, 1);
	return 0;
}
