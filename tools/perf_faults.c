#include "perf_faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "perf_rings.h"

#define RING_BYTES (128u * PC_PAGE) /* kernel.perf_event_mlock_kb lets everybody have that much */

/* As asked for by sample_type, in the order that perf_event.h gives. */
struct sample {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time, address, id;
};

struct perf_faults {
	bool kernel;
	struct perf_rings rings;
	uint64_t lost;	 /* for want of memory */
	uint64_t *major; /* identities of events that count major faults */
	size_t majors;
	struct kernel_fault *fault;
	size_t faults, fault_room;
};

static struct perf_event_attr event_of(uint64_t config, bool kernel)
{
	return (struct perf_event_attr){
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(struct perf_event_attr),
	    .config = config,
	    .sample_period = 1,
	    .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID,
	    .inherit = 1,
	    .exclude_kernel = !kernel,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};
}

static int add_events(struct perf_faults *p, pid_t pid, uint64_t config)
{
	const struct perf_event_attr attr = event_of(config, p->kernel);

	return perf_rings_add(&p->rings, pid, &attr);
}

/* Whose sample it is, is all that tells major from minor. */
static int identify(struct perf_faults *p, size_t first)
{
	p->major = calloc(p->rings.fds, sizeof(*p->major));
	if (!p->major)
		return -ENOMEM;
	for (size_t i = first; i < p->rings.fds; i++)
		if (ioctl(p->rings.fd[i], PERF_EVENT_IOC_ID, &p->major[p->majors++]))
			return -errno;
	return 0;
}

static int open_all(struct perf_faults *p, pid_t pid)
{
	const struct perf_event_attr probe = event_of(PERF_COUNT_SW_PAGE_FAULTS_MIN, true);
	int fd = perf_rings_try(pid, &probe), err;
	size_t minors;

	p->kernel = fd >= 0;
	if (fd >= 0)
		close(fd);
	err = perf_rings_begin(&p->rings, RING_BYTES);
	if (!err)
		err = add_events(p, pid, PERF_COUNT_SW_PAGE_FAULTS_MIN);
	minors = p->rings.fds;
	if (!err)
		err = add_events(p, pid, PERF_COUNT_SW_PAGE_FAULTS_MAJ);
	return err ? err : identify(p, minors);
}

static void explain(int err, char *why, size_t size)
{
	if (err == -EACCES || err == -EPERM)
		snprintf(why, size,
			 "perf's events are not permitted: kernel.perf_event_paranoid must be 2 or "
			 "less, and the process this user's own");
	else
		snprintf(why, size, "perf's events cannot be opened: %s", strerror(-err));
}

struct perf_faults *perf_faults_open(pid_t pid, char *why, size_t size)
{
	struct perf_faults *p = calloc(1, sizeof(*p));
	int err = p ? open_all(p, pid) : -ENOMEM;

	if (!err)
		return p;
	explain(err, why, size);
	if (p)
		perf_faults_close(p);
	return NULL;
}

void perf_faults_close(struct perf_faults *p)
{
	perf_rings_end(&p->rings);
	free(p->major);
	free(p->fault);
	free(p);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool is_major(const struct perf_faults *p, uint64_t id)
{
	for (size_t i = 0; i < p->majors; i++)
		if (p->major[i] == id)
			return true;
	return false;
}

static void keep(struct perf_faults *p, const struct sample *s)
{
	struct kernel_fault *fault =
	    array_room(p->fault, &p->fault_room, p->faults + 1, sizeof(*fault));

	if (!fault) {
		p->lost++;
		return;
	}
	p->fault = fault;
	p->fault[p->faults++] = (struct kernel_fault){
	    .time = s->time,
	    .address = s->address,
	    .tgid = s->pid,
	    .tid = s->tid,
	    .major = is_major(p, s->id),
	};
}

static void take_record(void *arg, const struct perf_event_header *record)
{
	struct sample sample;

	if (record->type != PERF_RECORD_SAMPLE || record->size < sizeof(sample))
		return;
	memcpy(&sample, record, sizeof(sample));
	keep(arg, &sample);
}

static int by_time(const void *a, const void *b)
{
	const struct kernel_fault *x = a, *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

int perf_faults_read(struct perf_faults *p, kernel_fault_fn *fn, void *arg)
{
	p->faults = 0;
	perf_rings_read(&p->rings, take_record, p);
	if (p->faults)
		qsort(p->fault, p->faults, sizeof(*p->fault), by_time);
	for (size_t i = 0; i < p->faults; i++)
		fn(arg, &p->fault[i]);
	return 0;
}

uint64_t perf_faults_lost(const struct perf_faults *p)
{
	return p->lost + perf_rings_lost(&p->rings);
}

bool perf_faults_sees_kernel(const struct perf_faults *p)
{
	return p->kernel;
}
