#include "attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

#define SEGMENT_LINK "/memfd:" PC_SEGMENT_NAME " (deleted)"
#define SEGMENT_MAX  (64u << 20)
#define PATH_BYTES   96u
#define RETRY	     PC_MS
#define PATIENCE     (200 * PC_MS)

int refuse(struct refusal *why, enum status status, const char *format, ...)
{
	va_list args;

	why->status = status;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return status;
}

/* --- small files of /proc ------------------------------------------------------------------- */

/* Bytes read, NUL added, or -errno. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return n;
}

static bool has_name(const char *comm_path, const char *name)
{
	char comm[32];

	if (slurp(comm_path, comm, sizeof(comm)) < 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

/* What the process calls itself: the last number of its NSpid line. `pid` where that is unknown. */
static pid_t own_number(pid_t pid)
{
	char path[PATH_BYTES];
	char status[4096];
	char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (slurp(path, status, sizeof(status)) < 0)
		return pid;
	line = strstr(status, "\nNSpid:");
	if (!line)
		return pid;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	return atoi(strrchr(line, '\t') + 1);
}

/* The number that a directory entry spells, or 0. */
static pid_t entry_number(const struct dirent *entry)
{
	uint64_t number;

	if (parse_u64(entry->d_name, &number) != 0 || number > INT32_MAX)
		return 0;
	return (pid_t)number;
}

/* --- one segment ---------------------------------------------------------------------------- */

bool attach_alive(const struct target *t)
{
	struct pollfd fd = {.fd = t->process, .events = POLLIN};

	return poll(&fd, 1, 0) == 0;
}

/* All of the segment as it is now; its size or -errno. */
static ssize_t copy_segment(struct target *t)
{
	struct stat st;
	void *copy;

	if (fstat(t->segment, &st) != 0)
		return -errno;
	if (st.st_size > SEGMENT_MAX)
		return -EFBIG;
	if ((size_t)st.st_size > t->room) {
		copy = realloc(t->copy, (size_t)st.st_size);
		if (!copy)
			return -ENOMEM;
		t->copy = copy;
		t->room = (size_t)st.st_size;
	}
	if (st.st_size == 0)
		return 0;
	return pread(t->segment, t->copy, (size_t)st.st_size, 0);
}

static int refuse_fault(struct refusal *why, pid_t pid, enum report_fault fault)
{
	enum status status = STATUS_NO;

	if (fault == REPORT_FAULT_NEWER || fault == REPORT_FAULT_OLDER)
		status = STATUS_VERSION;
	return refuse(why, status, "the segment of process %d %s", pid, report_fault_text(fault));
}

/* --- finding it ----------------------------------------------------------------------------- */

/* The next number in /proc/PID/task or /proc, or 0 at the end. */
static pid_t next_number(DIR *dir)
{
	const struct dirent *entry;
	pid_t number;

	while ((entry = readdir(dir)) != NULL) {
		number = entry_number(entry);
		if (number != 0)
			return number;
	}
	return 0;
}

static bool is_segment(const char *link_path)
{
	char link[sizeof(SEGMENT_LINK) + 1];
	ssize_t len = readlink(link_path, link, sizeof(link));

	return len == (ssize_t)strlen(SEGMENT_LINK) && memcmp(link, SEGMENT_LINK, (size_t)len) == 0;
}

/* Opens the descriptor `name` of a thread if it is a segment: a descriptor, -ENOENT, or -errno. */
static int open_segment(pid_t pid, pid_t tid, const char *name, enum attach_mode mode)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%.16s", pid, tid, name);
	if (!is_segment(path))
		return -ENOENT;
	fd = open(path, (mode == ATTACH_COMMAND ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Of a segment that somebody else's thread merely reads, the number is another. */
static bool is_own(const struct target *t)
{
	struct pc_segment head;

	return pread(t->segment, &head, sizeof(head), 0) == sizeof(head) &&
	       head.magic == PC_SEGMENT_MAGIC && head.pid == own_number(t->pid);
}

/* Sets t->segment from the descriptors of one thread: 0, -ENOENT, or -errno. */
static int search_thread(struct target *t, pid_t tid)
{
	char path[PATH_BYTES];
	const struct dirent *entry;
	int found = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", t->pid, tid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (found == -ENOENT && (entry = readdir(dir)) != NULL) {
		found = open_segment(t->pid, tid, entry->d_name, t->mode);
		if (found < 0)
			continue;
		t->segment = found;
		if (!is_own(t)) {
			close(t->segment);
			found = -ENOENT;
		}
	}
	closedir(dir);
	return PC_MIN(found, 0);
}

/* The library's threads of a process, one after the other. The best answer of all wins. */
static int search_process(struct target *t)
{
	char path[PATH_BYTES];
	int best = -ENOENT;
	pid_t tid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (best != 0 && (tid = next_number(dir)) != 0) {
		int found;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", t->pid, tid);
		if (!has_name(path, PC_THREAD_NAME))
			continue;
		found = search_thread(t, tid);
		if (found == 0 || best == -ENOENT)
			best = found;
	}
	closedir(dir);
	return best;
}

static int refuse_search(struct refusal *why, pid_t pid, int err)
{
	switch (err) {
	case -ESRCH:
		return refuse(why, STATUS_NO_PROCESS, "there is no process %d", pid);
	case -ENOENT:
		return refuse(why, STATUS_NO_PROCESS,
			      "process %d does not run under the library, or is left alone by it",
			      pid);
	case -EACCES:
	case -EPERM:
		return refuse(why, STATUS_PERMISSION,
			      "process %d may not be read: it is another user's or protected", pid);
	}
	return refuse(why, STATUS_NO, "process %d cannot be read: %s", pid, strerror(-err));
}

/* --- reading it ----------------------------------------------------------------------------- */

static int read_segment(struct target *t, struct refusal *why)
{
	enum report_fault fault;
	ssize_t size = copy_segment(t);

	if (size < 0)
		return refuse(why, STATUS_NO, "the segment of process %d cannot be read: %s",
			      t->pid, strerror((int)-size));
	fault = report_open(&t->report, t->copy, (size_t)size, now_monotonic());
	if (fault != REPORT_FAULT_OK)
		return refuse_fault(why, t->pid, fault);
	return STATUS_OK;
}

/*
 * Goes over to the segment that came after this one. It stays where it is when there is none yet, or
 * the process has ended: then this one has its last words.
 */
static void find_next(struct target *t)
{
	struct target next = {.pid = t->pid, .mode = t->mode, .process = t->process, .segment = -1};
	struct refusal why;

	if (search_process(&next) != 0)
		return;
	/* Alive after it was found: else the number may be somebody else's by now. */
	if (!attach_alive(t) || read_segment(&next, &why) != STATUS_OK) {
		close(next.segment);
		free(next.copy);
		return;
	}
	close(t->segment);
	free(t->copy);
	*t = next;
}

int attach_reread(struct target *t, struct refusal *why)
{
	int err = read_segment(t, why);

	if (err == STATUS_OK && t->report.segment->replaced)
		find_next(t);
	return err;
}

int attach_refresh(struct target *t, struct refusal *why)
{
	if (!attach_alive(t))
		return refuse(why, STATUS_NO_PROCESS, "process %d has ended", t->pid);
	return attach_reread(t, why);
}

int attach(struct target *t, pid_t pid, enum attach_mode mode, struct refusal *why)
{
	int err;

	*t = (struct target){.pid = pid, .mode = mode, .segment = -1};
	t->process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (t->process < 0)
		/* EINVAL: a thread's number; ENOENT on newer kernels. */
		return refuse_search(why, pid,
				     errno == EINVAL || errno == ENOENT ? -ESRCH : -errno);
	err = search_process(t);
	err = err == 0 ? attach_refresh(t, why) : refuse_search(why, pid, err);
	if (err != STATUS_OK)
		detach(t);
	return err;
}

int attach_named(struct target *t, pid_t pid, enum attach_mode mode, struct refusal *why)
{
	const pc_ns until = now_monotonic() + PATIENCE;
	int err = attach(t, pid, mode, why);

	while (err == STATUS_NO_PROCESS && kill(pid, 0) == 0 && now_monotonic() < until) {
		pause_for(RETRY);
		err = attach(t, pid, mode, why);
	}
	return err;
}

void detach(struct target *t)
{
	if (t->segment >= 0)
		close(t->segment);
	close(t->process);
	free(t->copy);
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool has_library(pid_t pid)
{
	char path[PATH_BYTES];
	bool found = false;
	pid_t tid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (tid = next_number(dir)) != 0) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
		found = has_name(path, PC_THREAD_NAME);
	}
	closedir(dir);
	return found;
}

int attach_each(attach_fn *fn, void *arg)
{
	DIR *dir = opendir("/proc");
	pid_t pid;

	if (!dir)
		return -errno;
	while ((pid = next_number(dir)) != 0) {
		struct refusal why;
		struct target t;

		if (!has_library(pid))
			continue;
		if (attach(&t, pid, ATTACH_READ, &why) == STATUS_OK) {
			fn(arg, pid, &t, NULL);
			detach(&t);
		} else {
			fn(arg, pid, NULL, &why);
		}
	}
	closedir(dir);
	return 0;
}
