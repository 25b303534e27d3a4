#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "faults.skel.h"
#include "session.h"

struct faults {
	struct faults_bpf *skeleton;
	struct ring_buffer *ring;	/* NULL where no events are wanted */
	const struct unit_record *unit; /* `units` + 1 of them; NULL where they are not wanted */
	uint32_t units;
	faults_event_fn *event_fn;
	void *event_arg;
};

static int hand_on(void *context, void *data, size_t size)
{
	const struct faults *f = context;

	if (size >= sizeof(struct fault_event))
		f->event_fn(f->event_arg, data);
	return 0;
}

static int prepare(struct faults_bpf *s, const struct faults_wanted *wanted)
{
	int err = 0;

	s->rodata->units_max = wanted->units;
	s->rodata->send_events = wanted->stream_bytes > 0;
	if (wanted->units)
		err = bpf_map__set_max_entries(s->maps.places, wanted->units);
	if (!err && wanted->units)
		err = bpf_map__set_max_entries(s->maps.unit_records, wanted->units + 1);
	if (!err && wanted->stream_bytes)
		err = bpf_map__set_max_entries(s->maps.events, wanted->stream_bytes);
	/* Readers of threads are run on demand, by session_iterate(). */
	bpf_program__set_autoattach(s->progs.follow_adopt, false);
	bpf_program__set_autoattach(s->progs.read_threads, false);
	return err;
}

static size_t units_bytes(uint32_t units)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((units + 1) * sizeof(struct unit_record) + page - 1) & ~(page - 1);
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

int faults_follow(struct faults *f, int pidfd)
{
	return session_iterate(f->skeleton->progs.follow_adopt, pidfd, 0, NULL, NULL);
}

uint64_t fault_gup(const struct fault_counts *counts)
{
	uint64_t resolved = counts->minor + counts->major;
	uint64_t raised = counts->user + counts->kernel - counts->failed;

	return resolved > raised ? resolved - raised : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
	struct faults_total *total;
	faults_thread_fn *fn;
	void *arg;
};

static void add(struct fault_counts *to, const struct fault_counts *from)
{
	to->minor += from->minor;
	to->major += from->major;
	to->user += from->user;
	to->kernel += from->kernel;
	to->failed += from->failed;
}

static void read_line(void *arg, const void *piece)
{
	const struct reading *reading = arg;
	const struct thread_line *line = piece;

	add(&reading->total->counts, &line->counts);
	if (reading->fn)
		reading->fn(reading->arg, line);
}

/*
 * The ended threads' sums are taken first: a thread that ends in between is missed this time rather
 * than counted twice.
 */
int faults_read(struct faults *f, struct faults_total *total, faults_thread_fn *thread, void *arg)
{
	const struct faults_bpf__bss *bss = f->skeleton->bss;
	struct reading reading = {total, thread, arg};

	*total = (struct faults_total){
	    .counts = bss->departed,
	    .processes_refused = bss->processes_refused,
	    .units_refused = bss->units_refused,
	    .events_dropped = bss->events_dropped,
	};
	return session_iterate(f->skeleton->progs.read_threads, -1, sizeof(struct thread_line),
			       read_line, &reading);
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

int faults_units(struct faults *f, faults_unit_fn *fn, void *arg)
{
	for (uint32_t place = 1; place <= f->units && f->unit[place].key.tgid; place++)
		fn(arg, &f->unit[place]);
	return 0;
}

int faults_events(struct faults *f, faults_event_fn *fn, void *arg)
{
	f->event_fn = fn;
	f->event_arg = arg;
	return ring_buffer__consume(f->ring);
}
