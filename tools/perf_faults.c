#include "perf_faults.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

#define RING_PAGES 128u /* what kernel.perf_event_mlock_kb lets everybody have on a CPU */
#define RING_BYTES (RING_PAGES * PC_PAGE)

/* As asked for by sample_type, in the order that perf_event.h gives. */
struct sample {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time, address, id;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, count;
};

/* All events of a CPU write to one ring, that of the first. */
struct ring {
	int fd; /* -1: none yet */
	struct perf_event_mmap_page *head;
};

struct perf_faults {
	bool kernel;
	uint64_t lost;
	unsigned cpus;
	struct ring *ring; /* by CPU */
	int *fd;
	uint64_t *major; /* identities of events that count major faults */
	size_t fds, majors, room;
	struct kernel_fault *fault;
	size_t faults, fault_room;
};

static int open_event(pid_t tid, int cpu, uint64_t config, bool kernel)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = config,
	    .sample_period = 1,
	    .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID,
	    .inherit = 1,
	    .exclude_kernel = !kernel,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int map_ring(struct ring *ring, int fd)
{
	void *head = mmap(NULL, PC_PAGE + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (head == MAP_FAILED)
		return -errno;
	ring->fd = fd;
	ring->head = head;
	return 0;
}

static bool grow_fds(struct perf_faults *p)
{
	size_t room = p->room ? 2 * p->room : 64;
	int *fd = realloc(p->fd, room * sizeof(*fd));
	uint64_t *major;

	if (!fd)
		return false;
	p->fd = fd;
	major = realloc(p->major, room * sizeof(*major));
	if (!major)
		return false;
	p->major = major;
	p->room = room;
	return true;
}

static int add_event(struct perf_faults *p, pid_t tid, unsigned cpu, uint64_t config)
{
	struct ring *ring = &p->ring[cpu];
	int fd, err;

	if (p->fds == p->room && !grow_fds(p))
		return -ENOMEM;
	fd = open_event(tid, (int)cpu, config, p->kernel);
	if (fd < 0)
		return fd;
	p->fd[p->fds++] = fd;
	if (ring->fd < 0)
		err = map_ring(ring, fd);
	else
		err = ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) ? -errno : 0;
	if (!err && config == PERF_COUNT_SW_PAGE_FAULTS_MAJ)
		err = ioctl(fd, PERF_EVENT_IOC_ID, &p->major[p->majors++]) ? -errno : 0;
	return err;
}

/* A CPU that is off line has no faults. */
static int add_thread(struct perf_faults *p, pid_t tid)
{
	int err = 0;

	for (unsigned cpu = 0; !err && cpu < p->cpus; cpu++) {
		err = add_event(p, tid, cpu, PERF_COUNT_SW_PAGE_FAULTS_MIN);
		if (!err)
			err = add_event(p, tid, cpu, PERF_COUNT_SW_PAGE_FAULTS_MAJ);
		if (err == -ENODEV)
			err = 0;
	}
	return err;
}

static int add_threads(struct perf_faults *p, pid_t pid)
{
	const struct dirent *entry;
	char path[64];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		err = add_thread(p, atoi(entry->d_name));
		if (err == -ESRCH)
			err = 0; /* it has just ended */
	}
	closedir(dir);
	return err;
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
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int probe, err = -ENOMEM;

	if (!p)
		goto fail;
	p->cpus = (unsigned)PC_MAX(cpus, 1L);
	p->ring = calloc(p->cpus, sizeof(*p->ring));
	for (unsigned i = 0; p->ring && i < p->cpus; i++)
		p->ring[i].fd = -1;
	probe = open_event(pid, -1, PERF_COUNT_SW_PAGE_FAULTS_MIN, true);
	p->kernel = probe >= 0;
	if (probe >= 0)
		close(probe);
	if (p->ring)
		err = add_threads(p, pid);
	if (!err)
		return p;
fail:
	explain(err, why, size);
	if (p)
		perf_faults_close(p);
	return NULL;
}

void perf_faults_close(struct perf_faults *p)
{
	for (unsigned i = 0; p->ring && i < p->cpus; i++)
		if (p->ring[i].head)
			munmap(p->ring[i].head, PC_PAGE + RING_BYTES);
	for (size_t i = 0; i < p->fds; i++)
		close(p->fd[i]);
	free(p->ring);
	free(p->fd);
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
	if (p->faults == p->fault_room) {
		size_t room = p->fault_room ? 2 * p->fault_room : 4096;
		struct kernel_fault *fault = realloc(p->fault, room * sizeof(*fault));

		if (!fault) {
			p->lost++;
			return;
		}
		p->fault = fault;
		p->fault_room = room;
	}
	p->fault[p->faults++] = (struct kernel_fault){
	    .time = s->time,
	    .address = s->address,
	    .tgid = s->pid,
	    .tid = s->tid,
	    .major = is_major(p, s->id),
	};
}

/* `n` bytes at `at` of a ring, which may lie around its end. */
static void copy_out(const struct ring *ring, uint64_t at, void *to, size_t n)
{
	const char *bytes = (const char *)ring->head + PC_PAGE;
	size_t offset = at % RING_BYTES, first = PC_MIN(n, RING_BYTES - offset);

	memcpy(to, bytes + offset, first);
	memcpy((char *)to + first, bytes, n - first);
}

static void empty_ring(struct perf_faults *p, struct ring *ring)
{
	const uint64_t head = load_acquire(&ring->head->data_head); /* pairs with the kernel's */
	uint64_t at = ring->head->data_tail;

	while (at < head) {
		struct perf_event_header header;
		struct sample sample;
		struct lost lost;

		copy_out(ring, at, &header, sizeof(header));
		if (header.type == PERF_RECORD_SAMPLE && header.size >= sizeof(sample)) {
			copy_out(ring, at, &sample, sizeof(sample));
			keep(p, &sample);
		} else if (header.type == PERF_RECORD_LOST) {
			copy_out(ring, at, &lost, sizeof(lost));
			p->lost += lost.count;
		}
		at += header.size;
	}
	store_release(&ring->head->data_tail, at); /* pairs with the kernel's */
}

static int by_time(const void *a, const void *b)
{
	const struct kernel_fault *x = a, *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

int perf_faults_read(struct perf_faults *p, kernel_fault_fn *fn, void *arg)
{
	p->faults = 0;
	for (unsigned i = 0; i < p->cpus; i++)
		if (p->ring[i].head)
			empty_ring(p, &p->ring[i]);
	if (p->faults)
		qsort(p->fault, p->faults, sizeof(*p->fault), by_time);
	for (size_t i = 0; i < p->faults; i++)
		fn(arg, &p->fault[i]);
	return 0;
}

uint64_t perf_faults_lost(const struct perf_faults *p)
{
	return p->lost;
}

bool perf_faults_sees_kernel(const struct perf_faults *p)
{
	return p->kernel;
}
