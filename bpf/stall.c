#include "stall.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "session.h"
#include "stall.skel.h"

/* A thread whose end of faults is seen. */
struct timed {
	pid_t tid;
	struct bpf_link *link[2]; /* minor, major; they own their perf events */
};

struct stall {
	struct stall_bpf *skeleton;
	const char *ends_by; /* NULL: perf software events */
	struct timed *timed;
	size_t count;
};

static int choose_ends(struct stall *s)
{
	struct bpf_program *const ways[] = {s->skeleton->progs.stall_return};

	s->ends_by = session_choose(ways, sizeof(ways) / sizeof(ways[0]));
	bpf_program__set_autoattach(s->skeleton->progs.stall_done, false);
	return bpf_program__set_autoload(s->skeleton->progs.stall_done, !s->ends_by);
}

int stall_open(struct stall **out, struct unable *why)
{
	struct stall *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return unable(why, -ENOMEM, "no memory");
	s->skeleton = stall_bpf__open();
	if (!s->skeleton) {
		err = unable(why, -errno, "the programs of stall cannot be opened: %m");
		goto fail;
	}
	bpf_program__set_autoattach(s->skeleton->progs.follow_adopt, false);
	err = choose_ends(s);
	if (!err)
		err = session_load(s->skeleton->skeleton, why);
	if (!err)
		err = session_attach(s->skeleton->skeleton, why);
	if (err)
		goto fail;
	*out = s;
	return 0;
fail:
	stall_close(s);
	return err;
}

void stall_close(struct stall *s)
{
	for (size_t i = 0; i < s->count; i++) {
		bpf_link__destroy(s->timed[i].link[0]);
		bpf_link__destroy(s->timed[i].link[1]);
	}
	free(s->timed);
	stall_bpf__destroy(s->skeleton);
	free(s);
}

/* --- the ends of faults --------------------------------------------------------------------- */

static struct bpf_link *time_kind(struct stall *s, pid_t tid, uint64_t event)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = event,
	    .sample_period = 1,
	    .inherit = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;

	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(s->skeleton->progs.stall_done, fd);
	if (!link)
		close(fd);
	return link;
}

static int time_thread(struct stall *s, pid_t tid)
{
	struct timed *more = reallocarray(s->timed, s->count + 1, sizeof(*more));
	struct timed *t;

	if (!more)
		return -ENOMEM;
	s->timed = more;
	t = &s->timed[s->count];
	t->tid = tid;
	t->link[0] = time_kind(s, tid, PERF_COUNT_SW_PAGE_FAULTS_MIN);
	t->link[1] = t->link[0] ? time_kind(s, tid, PERF_COUNT_SW_PAGE_FAULTS_MAJ) : NULL;
	if (t->link[1]) {
		s->count++;
		return 0;
	}
	bpf_link__destroy(t->link[0]);
	return errno == ESRCH ? 0 : -errno; /* a thread that has just ended */
}

static int is_timed(const struct stall *s, pid_t tid)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->timed[i].tid == tid)
			return 1;
	}
	return 0;
}

/* Threads that were not there the last time; < 0: -errno. */
static int time_new_threads(struct stall *s, DIR *tasks)
{
	struct dirent *entry;
	int added = 0, err;

	rewinddir(tasks);
	while ((entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || is_timed(s, tid))
			continue;
		err = time_thread(s, tid);
		if (err)
			return err;
		added++;
	}
	return added;
}

/* A second pair on a thread that inherited one does no harm: a fault's clock stops once. */
static int time_process(struct stall *s, pid_t pid, struct unable *why)
{
	char path[64];
	DIR *tasks;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return unable(why, -errno, "%s: %m", path);
	do
		err = time_new_threads(s, tasks);
	while (err > 0);
	closedir(tasks);
	if (err < 0)
		return unable(why, err, "the faults of process %d cannot be timed: %s", pid,
			      strerror(-err));
	return 0;
}

int stall_follow(struct stall *s, pid_t pid, int pidfd, struct unable *why)
{
	int err = session_adopt(s->skeleton->progs.follow_adopt, pidfd,
				&s->skeleton->bss->adoptions_missed);

	if (err)
		return unable(why, err, "process %d cannot be followed: %s", pid, strerror(-err));
	return s->ends_by ? 0 : time_process(s, pid, why);
}

/* --- reading -------------------------------------------------------------------------------- */

const struct histogram *stall_histograms(const struct stall *s)
{
	return s->skeleton->bss->histograms;
}

uint64_t stall_untimed(const struct stall *s)
{
	return s->skeleton->bss->faults_untimed;
}

uint64_t stall_processes_refused(const struct stall *s)
{
	return s->skeleton->bss->processes_refused;
}

const char *stall_ends_by(const struct stall *s)
{
	return s->ends_by ? s->ends_by : "perf";
}

/* The first value above the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned power;

	if (bucket < 16)
		return bucket + 1;
	power = (bucket - 16) / 16;
	return (17ull + (bucket - 16) % 16) << power;
}

void histogram_since(struct histogram *out, const struct histogram *now,
		     const struct histogram *before)
{
	*out = (struct histogram){.sum = now->sum - before->sum};
	/* It goes on while it is copied: only the buckets agree with each other. */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		out->bucket[i] = now->bucket[i] - before->bucket[i];
		out->count += out->bucket[i];
	}
	/* No fault of before is longer than the longest of all. */
	out->max = now->max;
	out->max = histogram_quantile(out, 1000);
}

uint64_t histogram_quantile(const struct histogram *h, unsigned thousandths)
{
	uint64_t wanted = (h->count * thousandths + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted && seen)
			return bucket_end(i) - 1 < h->max ? bucket_end(i) - 1 : h->max;
	}
	return 0;
}
