#include "perf_rings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "base/atomic.h"

/* All events of a CPU write to one ring, that of the first. */
struct perf_ring {
	int fd; /* -1: none yet */
	struct perf_event_mmap_page *head;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, count;
};

#define RECORD_BYTES 8192u /* the longest that is asked for has a path in it */

/* What read(2) gives of an event. */
struct count {
	uint64_t value, lost;
};

/* Kernels before 6.0 do not know what they lose, and say EINVAL to who asks. */
static int open_event(pid_t tid, int cpu, const struct perf_event_attr *like)
{
	struct perf_event_attr attr = *like;
	int fd;

	attr.read_format = PERF_FORMAT_LOST;
	fd = (int)syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_perf_event_open, like, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int perf_rings_try(pid_t pid, const struct perf_event_attr *attr)
{
	return open_event(pid, -1, attr);
}

int perf_rings_begin(struct perf_rings *r, size_t bytes)
{
	const long cpus = sysconf(_SC_NPROCESSORS_CONF);

	*r = (struct perf_rings){.bytes = bytes, .cpus = (unsigned)PC_MAX(cpus, 1L)};
	r->ring = calloc(r->cpus, sizeof(*r->ring));
	if (!r->ring)
		return -ENOMEM;
	for (unsigned i = 0; i < r->cpus; i++)
		r->ring[i].fd = -1;
	return 0;
}

void perf_rings_end(struct perf_rings *r)
{
	for (unsigned i = 0; r->ring && i < r->cpus; i++)
		if (r->ring[i].head)
			munmap(r->ring[i].head, PC_PAGE + r->bytes);
	for (size_t i = 0; i < r->fds; i++)
		close(r->fd[i]);
	free(r->ring);
	free(r->fd);
	*r = (struct perf_rings){0};
}

static int map_ring(const struct perf_rings *r, struct perf_ring *ring, int fd)
{
	void *head = mmap(NULL, PC_PAGE + r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (head == MAP_FAILED)
		return -errno;
	ring->fd = fd;
	ring->head = head;
	return 0;
}

static int add_event(struct perf_rings *r, pid_t tid, unsigned cpu,
		     const struct perf_event_attr *attr)
{
	struct perf_ring *ring = &r->ring[cpu];
	int *all = array_room(r->fd, &r->room, r->fds + 1, sizeof(*all));
	int fd;

	if (!all)
		return -ENOMEM;
	r->fd = all;
	fd = open_event(tid, (int)cpu, attr);
	if (fd < 0)
		return fd == -ENODEV ? 0 : fd; /* nothing happens on a CPU that is off line */
	r->fd[r->fds++] = fd;
	if (ring->fd < 0)
		return map_ring(r, ring, fd);
	return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) ? -errno : 0;
}

static int add_thread(struct perf_rings *r, pid_t tid, const struct perf_event_attr *attr)
{
	int err = 0;

	for (unsigned cpu = 0; !err && cpu < r->cpus; cpu++)
		err = add_event(r, tid, cpu, attr);
	return err;
}

int perf_rings_add(struct perf_rings *r, pid_t pid, const struct perf_event_attr *attr)
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
		err = add_thread(r, atoi(entry->d_name), attr);
		if (err == -ESRCH)
			err = 0; /* it has just ended */
	}
	closedir(dir);
	return err;
}

/* --- reading -------------------------------------------------------------------------------- */

/* `n` bytes at `at` of a ring, which may lie around its end. */
static void copy_out(const struct perf_rings *r, const struct perf_ring *ring, uint64_t at,
		     void *to, size_t n)
{
	const char *bytes = (const char *)ring->head + PC_PAGE;
	const size_t offset = at % r->bytes, first = PC_MIN(n, r->bytes - offset);

	memcpy(to, bytes + offset, first);
	memcpy((char *)to + first, bytes, n - first);
}

static void hand_on(struct perf_rings *r, const struct perf_event_header *record,
		    perf_record_fn *fn, void *arg)
{
	struct lost lost;

	if (record->type != PERF_RECORD_LOST) {
		fn(arg, record);
		return;
	}
	memcpy(&lost, record, sizeof(lost));
	r->lost += lost.count;
}

static void empty_ring(struct perf_rings *r, struct perf_ring *ring, perf_record_fn *fn, void *arg)
{
	const uint64_t head = load_acquire(&ring->head->data_head); /* pairs with the kernel's */
	uint64_t at = ring->head->data_tail;
	union {
		struct perf_event_header header;
		uint64_t aligned; /* as what follows the header expects */
		char bytes[RECORD_BYTES];
	} record;

	while (at < head) {
		copy_out(r, ring, at, &record.header, sizeof(record.header));
		if (record.header.size <= sizeof(record)) {
			copy_out(r, ring, at, &record, record.header.size);
			hand_on(r, &record.header, fn, arg);
		} else {
			r->lost++;
		}
		at += record.header.size;
	}
	store_release(&ring->head->data_tail, at); /* pairs with the kernel's */
}

void perf_rings_read(struct perf_rings *r, perf_record_fn *fn, void *arg)
{
	for (unsigned i = 0; i < r->cpus; i++)
		if (r->ring[i].head)
			empty_ring(r, &r->ring[i], fn, arg);
}

uint64_t perf_rings_lost(const struct perf_rings *r)
{
	struct count count;
	uint64_t lost = 0;

	for (size_t i = 0; i < r->fds; i++)
		if (read(r->fd[i], &count, sizeof(count)) == sizeof(count))
			lost += count.lost;
	return PC_MAX(lost, r->lost);
}
