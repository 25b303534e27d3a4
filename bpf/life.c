#include "life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "life.skel.h"
#include "session.h"

struct life {
	struct life_bpf *skeleton;
	struct ring_buffer *ring;
	life_fn *fn;
	void *arg;
};

static int hand_on(void *context, void *data, size_t size)
{
	struct life *l = context;

	if (size >= sizeof(struct life_event))
		l->fn(l->arg, data);
	return 0;
}

/* Before the programs run, so that nothing of the process's is missed. */
static int follow(struct life *l, int pidfd, struct unable *why)
{
	int err;

	l->ring = ring_buffer__new(bpf_map__fd(l->skeleton->maps.life_events), hand_on, l, NULL);
	if (!l->ring)
		return unable(why, -errno, "no ring buffer: %m");
	if (pidfd < 0)
		return 0;
	err = session_adopt(l->skeleton->progs.follow_adopt, pidfd,
			    &l->skeleton->bss->adoptions_missed);
	return err ? unable(why, err, "the process cannot be followed: %s", strerror(-err)) : 0;
}

int life_open(struct life **out, int pidfd, struct unable *why)
{
	struct life *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return unable(why, -ENOMEM, "no memory");
	l->skeleton = life_bpf__open();
	if (!l->skeleton) {
		err = unable(why, -errno, "the programs of life cannot be opened: %m");
		goto fail;
	}
	l->skeleton->rodata->everyone = pidfd < 0;
	bpf_program__set_autoattach(l->skeleton->progs.follow_adopt, false);
	err = session_load(l->skeleton->skeleton, why);
	if (!err)
		err = follow(l, pidfd, why);
	if (!err)
		err = session_attach(l->skeleton->skeleton, why);
	if (err)
		goto fail;
	*out = l;
	return 0;
fail:
	life_close(l);
	return err;
}

void life_close(struct life *l)
{
	ring_buffer__free(l->ring);
	life_bpf__destroy(l->skeleton);
	free(l);
}

int life_events(struct life *l, life_fn *fn, void *arg)
{
	l->fn = fn;
	l->arg = arg;
	return ring_buffer__consume(l->ring);
}

uint64_t life_dropped(const struct life *l)
{
	return l->skeleton->bss->life_dropped;
}

uint64_t life_processes_refused(const struct life *l)
{
	return l->skeleton->bss->processes_refused;
}
