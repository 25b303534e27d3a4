#include "kernel/pressure.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <fcntl.h>

static long open_text(const char *path)
{
	return sys_open(path, O_RDONLY | O_CLOEXEC);
}

static void close_open(const struct pressure *p)
{
	if (p->statm >= 0)
		sys_close(p->statm);
	if (p->status >= 0)
		sys_close(p->status);
	if (p->leader >= 0)
		sys_close(p->leader);
}

int pressure_open(struct pressure *p)
{
	*p = (struct pressure){
	    .statm = (int)open_text("/proc/thread-self/statm"),
	    .status = (int)open_text("/proc/thread-self/status"),
	    .leader = (int)open_text("/proc/self/status"),
	};
	const int err = PC_MIN(p->statm, PC_MIN(p->status, p->leader));

	if (err >= 0)
		return 0;
	close_open(p);
	*p = (struct pressure){-1, -1, -1};
	return err;
}

int64_t pressure_anon(const struct pressure *p)
{
	char text[128];
	const char *at = text;
	uint64_t size, resident, shared;
	long n = sys_pread(p->statm, text, sizeof(text) - 1, 0);

	if (n < 0)
		return n;
	text[n] = 0;
	if (!scan_dec(&at, &size) || !scan_word(&at, " ") || !scan_dec(&at, &resident) ||
	    !scan_word(&at, " ") || !scan_dec(&at, &shared))
		return -EINVAL;
	/* The two are counted one after the other, so their difference may dip below nothing. */
	return resident > shared ? (int64_t)((resident - shared) * PC_PAGE) : 0;
}

static bool field(const char *line, const char *name, uint64_t *out)
{
	if (!scan_word(&line, name))
		return false;
	scan_blanks(&line);
	return scan_dec(&line, out);
}

static bool take_fact(const char *line, void *arg)
{
	struct process_facts *f = arg;
	uint64_t v;

	if (field(line, "RssAnon:", &v))
		f->rss_anon = v * 1024;
	else if (field(line, "VmLck:", &v))
		f->vm_locked = v * 1024;
	else if (field(line, "TracerPid:", &v))
		f->tracer_pid = (int)v;
	else if (field(line, "Seccomp:", &v))
		f->seccomp = (int)v;
	else if (field(line, "Threads:", &v))
		f->threads = (unsigned)v;
	return true;
}

int pressure_facts(const struct pressure *p, struct process_facts *out)
{
	struct process_facts leader = {0};
	int err;

	*out = (struct process_facts){0};
	err = procfile_lines_fd(p->status, take_fact, out);
	if (!err)
		err = procfile_lines_fd(p->leader, take_fact, &leader);
	if (err)
		return err;
	if (!out->tracer_pid)
		out->tracer_pid = leader.tracer_pid;
	out->seccomp = PC_MAX(out->seccomp, leader.seccomp);
	return 0;
}

/* v1 says "no limit" by the largest number of pages that it can count. */
#define LIMIT_NONE (1ull << 62)

static void lower(uint64_t *limit, uint64_t bytes)
{
	*limit = PC_MIN(*limit, bytes);
}

/* A file that is not there, or that says "max", limits nothing. */
static void lower_by_file(uint64_t *limit, const char *mount, const char *group, const char *file)
{
	char path[PROCFILE_LINE + 128];
	struct text t = text_begin(path, sizeof(path));
	uint64_t bytes;

	text_str(&t, mount);
	text_str(&t, group);
	text_str(&t, "/");
	text_str(&t, file);
	if (!t.truncated && procfile_number(path, &bytes) == 0)
		lower(limit, bytes);
}

/* "/a/b" -> "/a" -> "" */
static void to_parent(char *group)
{
	char *cut = group;

	for (char *s = group; *s; s++)
		if (*s == '/')
			cut = s;
	*cut = 0;
}

/*
 * From the group up to the root of the mount. In a container the path may be the host's, of which
 * the mount shows only the end: then the inner groups are missing here and the root is the one.
 */
static void lower_by_group(uint64_t *limit, const char *mount, const char *group, const char *file)
{
	char path[PROCFILE_LINE];
	struct text t = text_begin(path, sizeof(path));

	text_str(&t, group);
	lower_by_file(limit, mount, path, file);
	while (*path) {
		to_parent(path);
		lower_by_file(limit, mount, path, file);
	}
}

/* Past the next ':', or at the end. */
static const char *after_colon(const char *s)
{
	while (*s && *s != ':')
		s++;
	return *s ? s + 1 : s;
}

static bool lists_memory(const char *controllers)
{
	const char *s = controllers;

	for (;;) {
		if (scan_word(&s, "memory") && (*s == ',' || *s == ':'))
			return true;
		while (*s && *s != ',' && *s != ':')
			s++;
		if (*s != ',')
			return false;
		s++;
	}
}

/* A line of /proc/PID/cgroup: hierarchy ":" controllers ":" path; v2 has no controllers there. */
static bool take_group(const char *line, void *arg)
{
	uint64_t *limit = arg;
	const char *controllers = after_colon(line);
	const char *group = after_colon(controllers);

	if (scan_word(&line, "0::")) {
		lower_by_group(limit, "/sys/fs/cgroup", group, "memory.max");
		lower_by_group(limit, "/sys/fs/cgroup/unified", group, "memory.max");
	} else if (lists_memory(controllers)) {
		lower_by_group(limit, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
	}
	return true;
}

static bool take_total(const char *line, void *arg)
{
	uint64_t *limit = arg;
	uint64_t kib;

	if (!field(line, "MemTotal:", &kib))
		return true;
	lower(limit, kib * 1024);
	return false;
}

uint64_t pressure_limit(void)
{
	uint64_t limit = LIMIT_NONE;

	/* Either may be hidden from us, in a container or a chroot: the other one counts then. */
	procfile_lines("/proc/meminfo", take_total, &limit);
	procfile_lines("/proc/thread-self/cgroup", take_group, &limit);
	return limit == LIMIT_NONE ? 0 : limit;
}

int pressure_overcommit(void)
{
	uint64_t mode;
	int err = procfile_number("/proc/sys/vm/overcommit_memory", &mode);

	return err ? err : (int)mode;
}

int64_t pressure_max_map_count(void)
{
	uint64_t count;
	int err = procfile_number("/proc/sys/vm/max_map_count", &count);

	return err ? err : (int64_t)count;
}
