#include "thp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "session.h"
#include "thp.skel.h"

struct thp {
	struct thp_bpf *skeleton;
	const char *splits_by;
};

static const char *choose_splits(const struct thp_bpf *s)
{
	struct bpf_program *const ways[] = {s->progs.thp_split, s->progs.thp_split_probe};

	return session_choose(ways, sizeof(ways) / sizeof(ways[0]));
}

int thp_open(struct thp **out, int pidfd, struct unable *why)
{
	struct thp *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return unable(why, -ENOMEM, "no memory");
	t->skeleton = thp_bpf__open();
	if (!t->skeleton) {
		err = unable(why, -errno, "the programs of thp cannot be opened: %m");
		goto fail;
	}
	bpf_program__set_autoattach(t->skeleton->progs.follow_adopt, false);
	t->splits_by = choose_splits(t->skeleton);
	err = session_load(t->skeleton->skeleton, why);
	if (!err)
		err = session_attach(t->skeleton->skeleton, why);
	if (err)
		goto fail;
	err = session_adopt(t->skeleton->progs.follow_adopt, pidfd,
			    &t->skeleton->bss->adoptions_missed);
	if (err) {
		unable(why, err, "the process cannot be followed: %s", strerror(-err));
		goto fail;
	}
	*out = t;
	return 0;
fail:
	thp_close(t);
	return err;
}

void thp_close(struct thp *t)
{
	thp_bpf__destroy(t->skeleton);
	free(t);
}

const struct thp_counts *thp_read(const struct thp *t)
{
	return &t->skeleton->bss->counts;
}

uint64_t thp_processes_refused(const struct thp *t)
{
	return t->skeleton->bss->processes_refused;
}

bool thp_sees_collapses(const struct thp *t)
{
	return bpf_program__autoload(t->skeleton->progs.thp_collapse);
}

bool thp_sees_scans(const struct thp *t)
{
	return bpf_program__autoload(t->skeleton->progs.thp_scan);
}

bool thp_sees_migrations(const struct thp *t)
{
	return bpf_program__autoload(t->skeleton->progs.thp_migrate);
}

bool thp_sees_numa(const struct thp *t)
{
	return bpf_program__autoload(t->skeleton->progs.thp_move);
}

bool thp_sees_splits(const struct thp *t)
{
	return t->splits_by != NULL;
}

const char *thp_splits_by(const struct thp *t)
{
	return t->splits_by;
}
