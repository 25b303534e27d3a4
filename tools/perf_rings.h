/*
 * perf_rings.h - what perf's events tell of a process, through one ring for each CPU.
 *
 * DESIGN  An event that its children inherit must be bound to a CPU to be mapped, so each thread
 *         has one for each CPU, and all events of a CPU write to the ring of the first.
 *
 *         A ring tells what it had no room for when there is room again, which may be never: the
 *         kernel is asked for that, where it counts it (Linux 6.0).
 *
 * LIMITS  A thread of a running process that is made while the others are being opened is missed.
 */
#ifndef PC_TOOLS_PERF_RINGS_H
#define PC_TOOLS_PERF_RINGS_H

#include <linux/perf_event.h>
#include <sys/types.h>

#include "base/types.h"

struct perf_ring;

struct perf_rings {
	size_t bytes; /* of each ring, a power of two pages */
	unsigned cpus;
	struct perf_ring *ring; /* by CPU */
	int *fd;		/* of all events, in the order in which they were opened */
	size_t fds, room;
	uint64_t lost; /* records that found a ring full, as far as the rings have told */
};

/* 0 or -errno. Nothing is opened yet. */
int perf_rings_begin(struct perf_rings *r, size_t bytes);
void perf_rings_end(struct perf_rings *r);

/*
 * An event like `attr` for each thread that the process has, and inherited by what they start. 0 or
 * -errno; then some may have been opened.
 */
int perf_rings_add(struct perf_rings *r, pid_t pid, const struct perf_event_attr *attr);

/* One event that is bound to no CPU: whether it is permitted. A descriptor or -errno. */
int perf_rings_try(pid_t pid, const struct perf_event_attr *attr);

/* Each record that has come since the last call, in no order between CPUs. */
typedef void perf_record_fn(void *arg, const struct perf_event_header *record);
void perf_rings_read(struct perf_rings *r, perf_record_fn *fn, void *arg);

/* Records that found a ring full, until now. Some system calls. */
uint64_t perf_rings_lost(const struct perf_rings *r);

#endif
