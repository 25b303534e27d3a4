#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "faults.skel.h"
#include "session.h"

/* So many looks at most, where threads end all the time. */
#define READ_TRIES 100

/* A thread that stops faulting is heard of after so long. */
#define RELEASE_NS 100000000

struct faults {
	struct faults_bpf *skeleton;
	const char *gup_by;
	struct ring_buffer *ring;	/* NULL where no events are wanted */
	const struct unit_record *unit; /* `units` + 1 of them; NULL where they are not wanted */
	uint32_t units;
	faults_event_fn *event_fn;
	void *event_arg;
	uint64_t handed_on, released_ns;
};

static int hand_on(void *context, void *data, size_t size)
{
	const struct fault_event *event = data;
	struct faults *f = context;

	for (size_t i = 0; i < size / sizeof(*event); i++)
		f->event_fn(f->event_arg, &event[i]);
	f->handed_on += size / sizeof(*event);
	return 0;
}

static int prepare(struct faults_bpf *s, const struct faults_wanted *wanted)
{
	const uint32_t slots = bpf_map__max_entries(s->maps.slots);
	int err = 0;

	s->rodata->units_max = wanted->units;
	s->rodata->slots_mask = wanted->crowded ? 0 : slots - 1;
	s->rodata->keep_ended = wanted->ended;
	s->rodata->births_lost = wanted->births_lost;
	s->rodata->send_events = wanted->stream_bytes > 0;
	if (wanted->ended)
		err = bpf_map__set_max_entries(s->maps.ended_threads, THREADS_LISTED);
	if (!err && wanted->units)
		err = bpf_map__set_max_entries(s->maps.places, wanted->units);
	if (!err && wanted->units)
		err = bpf_map__set_max_entries(s->maps.unit_records, wanted->units + 1);
	if (!err && wanted->stream_bytes)
		err = bpf_map__set_max_entries(s->maps.events, wanted->stream_bytes);
	if (!err && wanted->stream_bytes)
		err = bpf_map__set_max_entries(s->maps.batches, slots);
	/* What looks at all threads is run on demand, by session_iterate(). */
	bpf_program__set_autoattach(s->progs.follow_adopt, false);
	bpf_program__set_autoattach(s->progs.read_threads, false);
	bpf_program__set_autoattach(s->progs.release_events, false);
	return err;
}

static size_t units_bytes(uint32_t units)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((units + 1) * sizeof(struct unit_record) + page - 1) & ~(page - 1);
}

static const char *choose_gup(const struct faults_bpf *s)
{
	struct bpf_program *const ways[] = {s->progs.fault_enter, s->progs.fault_probe};

	return session_choose(ways, sizeof(ways) / sizeof(ways[0]));
}

/* What is read in memory that the kernel shares. */
static int map_all(struct faults *f, const struct faults_wanted *wanted, struct unable *why)
{
	const struct faults_bpf *s = f->skeleton;
	void *unit;

	if (wanted->stream_bytes) {
		f->ring = ring_buffer__new(bpf_map__fd(s->maps.events), hand_on, f, NULL);
		if (!f->ring)
			return unable(why, -errno, "no ring buffer: %m");
	}
	if (!wanted->units)
		return 0;
	unit = mmap(NULL, units_bytes(wanted->units), PROT_READ, MAP_SHARED,
		    bpf_map__fd(s->maps.unit_records), 0);
	if (unit == MAP_FAILED)
		return unable(why, -errno, "no table of units: %m");
	f->unit = unit;
	f->units = wanted->units;
	return 0;
}

int faults_open(struct faults **out, const struct faults_wanted *wanted, struct unable *why)
{
	struct faults *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return unable(why, -ENOMEM, "no memory");
	f->skeleton = faults_bpf__open();
	if (!f->skeleton) {
		err = unable(why, -errno, "the programs of faults cannot be opened: %m");
		goto fail;
	}
	err = prepare(f->skeleton, wanted);
	if (err) {
		unable(why, err, "tables of this size are not possible: %d units, %d bytes",
		       wanted->units, wanted->stream_bytes);
		goto fail;
	}
	f->gup_by = choose_gup(f->skeleton);
	err = session_load(f->skeleton->skeleton, why);
	if (!err)
		err = map_all(f, wanted, why);
	if (!err)
		err = session_attach(f->skeleton->skeleton, why);
	if (err)
		goto fail;
	*out = f;
	return 0;
fail:
	faults_close(f);
	return err;
}

void faults_close(struct faults *f)
{
	ring_buffer__free(f->ring);
	if (f->unit)
		munmap((void *)(uintptr_t)f->unit, units_bytes(f->units));
	faults_bpf__destroy(f->skeleton);
	free(f);
}

static int let_go(struct bpf_link **link)
{
	int err = bpf_link__destroy(*link);

	*link = NULL;
	return err;
}

int faults_detach(struct faults *f, struct unable *why)
{
	struct faults_bpf *s = f->skeleton;
	int err = let_go(&s->links.fault_user);

	if (!err)
		err = let_go(&s->links.fault_kernel);
	if (!err)
		err = let_go(&s->links.fault_enter);
	if (!err)
		err = let_go(&s->links.fault_probe);
	return err ? unable(why, err, "faults cannot be let go: %s", strerror(-err)) : 0;
}

/* What is attached already stays. */
int faults_attach(struct faults *f, struct unable *why)
{
	return session_attach(f->skeleton->skeleton, why);
}

int faults_follow(struct faults *f, int pidfd)
{
	return session_adopt(f->skeleton->progs.follow_adopt, pidfd,
			     &f->skeleton->bss->adoptions_missed);
}

const char *faults_gup_by(const struct faults *f)
{
	return f->gup_by;
}

uint64_t fault_gup(const struct fault_counts *counts)
{
	uint64_t resolved = counts->minor + counts->major;
	uint64_t raised = counts->user + counts->kernel - counts->failed;

	return resolved > raised ? resolved - raised : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

/* What one look at all threads has found. */
struct reading {
	struct faults_total total;
	struct thread_line *line; /* filled where they are wanted */
	size_t lines, room;
	int err;
	bool list;
};

static void add(struct fault_counts *to, const struct fault_counts *from)
{
	to->minor += from->minor;
	to->major += from->major;
	to->user += from->user;
	to->kernel += from->kernel;
	to->failed += from->failed;
	to->gup += from->gup;
}

static void keep_line(struct reading *r, const struct thread_line *line)
{
	struct thread_line *more;

	if (r->lines == r->room) {
		more = reallocarray(r->line, r->room * 2 + 64, sizeof(*more));
		if (!more) {
			r->err = -ENOMEM;
			return;
		}
		r->line = more;
		r->room = r->room * 2 + 64;
	}
	r->line[r->lines++] = *line;
}

static void read_line(void *arg, const void *piece)
{
	const struct thread_line *line = piece;
	struct reading *r = arg;

	add(&r->total.counts, &line->counts);
	if (r->list)
		keep_line(r, line);
}

static int read_once(struct faults *f, struct reading *r)
{
	const struct faults_bpf__bss *bss = f->skeleton->bss;

	r->lines = 0;
	r->total = (struct faults_total){
	    .counts = bss->departed,
	    .processes_refused = bss->processes_refused,
	    .units_refused = bss->units_refused,
	    .events_dropped = bss->events_dropped,
	    .births_missed = bss->births_missed,
	    .exceptions_missed = bss->exceptions_missed,
	};
	return session_iterate(f->skeleton->progs.read_threads, -1, sizeof(struct thread_line),
			       read_line, r);
}

/* Again while threads end: on a busy CPU one can stay for long between its last word and its end. */
static int read_settled(struct faults *f, struct reading *r)
{
	const struct faults_bpf__bss *bss = f->skeleton->bss;
	__u64 done, begun;
	int err;

	for (int tries = 0; tries < READ_TRIES; tries++) {
		done = __atomic_load_n(&bss->departures_done, __ATOMIC_ACQUIRE);
		err = read_once(f, r);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		begun = __atomic_load_n(&bss->departures_begun, __ATOMIC_ACQUIRE);
		if (err || r->err || begun == done)
			break;
	}
	return err ? err : r->err;
}

int faults_read(struct faults *f, struct faults_total *total, faults_thread_fn *thread, void *arg)
{
	struct reading r = {.list = thread != NULL};
	int err = read_settled(f, &r);

	*total = r.total;
	for (size_t i = 0; !err && thread && i < r.lines; i++)
		thread(arg, &r.line[i]);
	free(r.line);
	return err;
}

int faults_processes(struct faults *f, faults_process_fn *fn, void *arg)
{
	const int map = bpf_map__fd(f->skeleton->maps.processes);
	struct process_record record;
	uint32_t tgid, next;
	int more = bpf_map_get_next_key(map, NULL, &next);

	while (more == 0) {
		tgid = next;
		more = bpf_map_get_next_key(map, &tgid, &next);
		if (bpf_map_lookup_elem(map, &tgid, &record) != 0)
			continue;
		fn(arg, tgid, &record);
		if (record.ended)
			bpf_map_delete_elem(map, &tgid);
	}
	return more == -ENOENT ? 0 : more;
}

int64_t faults_ended_threads(struct faults *f, faults_thread_fn *fn, void *arg)
{
	const int map = bpf_map__fd(f->skeleton->maps.ended_threads);
	const uint32_t ended = __atomic_load_n(&f->skeleton->bss->threads_ended, __ATOMIC_ACQUIRE);
	struct thread_line line;
	int err;

	for (uint32_t i = 0; i < ended && i < THREADS_LISTED; i++) {
		err = bpf_map_lookup_elem(map, &i, &line);
		if (err)
			return err;
		fn(arg, &line);
	}
	return ended;
}

int faults_units(struct faults *f, faults_unit_fn *fn, void *arg)
{
	for (uint32_t place = 1; place <= f->units && f->unit[place].key.tgid; place++)
		fn(arg, &f->unit[place]);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int faults_release(struct faults *f)
{
	f->released_ns = now_ns();
	return session_iterate(f->skeleton->progs.release_events, -1, 0, NULL, NULL);
}

int faults_events(struct faults *f, faults_event_fn *fn, void *arg)
{
	const uint64_t before = f->handed_on;
	int err = now_ns() - f->released_ns < RELEASE_NS ? 0 : faults_release(f);

	f->event_fn = fn;
	f->event_arg = arg;
	if (!err)
		err = ring_buffer__consume(f->ring);
	return err < 0 ? err : (int)(f->handed_on - before);
}
