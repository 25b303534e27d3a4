#include "reclaim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "reclaim.skel.h"
#include "session.h"

enum { SCOPE_ALL, SCOPE_FOLLOWED, SCOPE_CGROUP };

struct reclaim {
	struct reclaim_bpf *skeleton;
	const char *pageout_by;
};

/* What is in scope, once the programs are in the kernel. */
static int limit(struct reclaim *r, const struct reclaim_wanted *wanted, struct unable *why)
{
	const uint32_t first = 0;
	int err = 0;

	if (wanted->cgroup >= 0) {
		err = bpf_map_update_elem(bpf_map__fd(r->skeleton->maps.cgroup), &first,
					  &wanted->cgroup, BPF_ANY);
		if (err)
			return unable(why, err,
				      "that is no folder of a version 2 cgroup hierarchy: %s",
				      strerror(-err));
	}
	if (wanted->pidfd >= 0)
		err = session_adopt(r->skeleton->progs.follow_adopt, wanted->pidfd,
				    &r->skeleton->bss->adoptions_missed);
	return err ? unable(why, err, "the process cannot be followed: %s", strerror(-err)) : 0;
}

static const char *choose_pageout(const struct reclaim_bpf *s)
{
	struct bpf_program *const ways[] = {
	    s->progs.reclaim_pageout,
	    s->progs.pageout_return,
	    s->progs.pageout_probe,
	};

	return session_choose(ways, sizeof(ways) / sizeof(ways[0]));
}

int reclaim_open(struct reclaim **out, const struct reclaim_wanted *wanted, struct unable *why)
{
	struct reclaim *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return unable(why, -ENOMEM, "no memory");
	r->skeleton = reclaim_bpf__open();
	if (!r->skeleton) {
		err = unable(why, -errno, "the programs of reclaim cannot be opened: %m");
		goto fail;
	}
	r->skeleton->rodata->scope = wanted->cgroup >= 0  ? SCOPE_CGROUP
				     : wanted->pidfd >= 0 ? SCOPE_FOLLOWED
							  : SCOPE_ALL;
	bpf_program__set_autoattach(r->skeleton->progs.follow_adopt, false);
	r->pageout_by = choose_pageout(r->skeleton);
	err = session_load(r->skeleton->skeleton, why);
	if (!err)
		err = limit(r, wanted, why);
	if (!err)
		err = session_attach(r->skeleton->skeleton, why);
	if (err)
		goto fail;
	*out = r;
	return 0;
fail:
	reclaim_close(r);
	return err;
}

void reclaim_close(struct reclaim *r)
{
	reclaim_bpf__destroy(r->skeleton);
	free(r);
}

void reclaim_read(const struct reclaim *r, struct reclaim_reading *out)
{
	const struct reclaim_bpf__bss *bss = r->skeleton->bss;

	*out = (struct reclaim_reading){
	    .counts = bss->counts,
	    .memcg_seen = bpf_program__autoload(r->skeleton->progs.reclaim_memcg_end),
	    .processes_refused = bss->processes_refused,
	    .stalled_refused = bss->stalled_refused,
	    .last_tgid = bss->last_tgid,
	    .pageout_by = r->pageout_by,
	};
	memcpy(out->last_comm, bss->last_comm, sizeof(out->last_comm));
}

int reclaim_processes(const struct reclaim *r, reclaim_process_fn *fn, void *arg)
{
	const int map = bpf_map__fd(r->skeleton->maps.stalled);
	struct reclaim_process process;
	uint32_t tgid, next;
	int more = bpf_map_get_next_key(map, NULL, &next);

	while (more == 0) {
		tgid = next;
		if (bpf_map_lookup_elem(map, &tgid, &process) == 0)
			fn(arg, tgid, &process);
		more = bpf_map_get_next_key(map, &tgid, &next);
	}
	return more == -ENOENT ? 0 : more;
}
