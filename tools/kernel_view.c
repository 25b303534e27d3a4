#include "kernel_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "bpf/faults.h"

#define EVENT_BYTES (32u << 20) /* some 600 000 faults between two looks */

/* One place of the table of units, as it was at the last call. */
struct unit_seen {
	uint64_t minor, major;
};

struct kernel_view {
	struct faults *faults;
	struct unit_seen *seen; /* by place */
	size_t seen_room, place;
	kernel_unit_fn *unit_fn;
	kernel_fault_fn *fault_fn;
	void *arg;
};

static void give_up(struct kernel_view *k)
{
	if (k->faults)
		faults_close(k->faults);
	free(k->seen);
	free(k);
}

struct kernel_view *kernel_view_open(int pidfd, enum kernel_view_kind kind, char *why, size_t size)
{
	const struct faults_wanted wanted = {
	    .units = kind == KERNEL_UNITS ? KERNEL_UNITS_MAX : 0,
	    .stream_bytes = kind == KERNEL_EVENTS ? EVENT_BYTES : 0,
	};
	struct kernel_view *k = calloc(1, sizeof(*k));
	struct unable unable = {"no memory"};
	int err = k ? faults_open(&k->faults, &wanted, &unable) : -1;

	if (err) {
		snprintf(why, size, "%s", unable.text);
		free(k);
		return NULL;
	}
	err = faults_follow(k->faults, pidfd);
	if (err) {
		snprintf(why, size, "the process cannot be followed: %s", strerror(-err));
		give_up(k);
		return NULL;
	}
	why[0] = '\0';
	return k;
}

void kernel_view_close(struct kernel_view *k)
{
	give_up(k);
}

static void hand_unit(void *arg, const struct unit_record *unit)
{
	struct kernel_view *k = arg;
	/* Once each: the kernel goes on counting. */
	const struct unit_seen now = {__atomic_load_n(&unit->minor, __ATOMIC_RELAXED),
				      __atomic_load_n(&unit->major, __ATOMIC_RELAXED)};
	struct unit_seen *seen = array_room(k->seen, &k->seen_room, k->place + 1, sizeof(*seen));

	if (!seen)
		return;
	k->seen = seen;
	seen += k->place++;
	if (now.minor != seen->minor || now.major != seen->major)
		k->unit_fn(k->arg, unit->key.tgid, unit->key.unit << PC_UNIT_SHIFT,
			   now.minor - seen->minor, now.major - seen->major);
	*seen = now;
}

int kernel_view_units(struct kernel_view *k, kernel_unit_fn *fn, void *arg)
{
	k->unit_fn = fn;
	k->arg = arg;
	k->place = 0;
	return faults_units(k->faults, hand_unit, k);
}

static void hand_fault(void *arg, const struct fault_event *event)
{
	const struct kernel_view *k = arg;
	const struct kernel_fault fault = {
	    .time = event->time,
	    .address = event->address,
	    .tgid = event->tgid,
	    .tid = event->tid,
	    .major = (event->flags & FAULT_MAJOR) != 0,
	};

	if (event->flags & (FAULT_MINOR | FAULT_MAJOR))
		k->fault_fn(k->arg, &fault);
}

int kernel_view_faults(struct kernel_view *k, kernel_fault_fn *fn, void *arg)
{
	int n;

	k->fault_fn = fn;
	k->arg = arg;
	n = faults_events(k->faults, hand_fault, k);
	return n < 0 ? n : 0;
}

uint64_t kernel_view_refused(struct kernel_view *k)
{
	struct faults_total total;

	if (faults_read(k->faults, &total, NULL, NULL) != 0)
		return 0;
	return total.units_refused + total.events_dropped;
}
