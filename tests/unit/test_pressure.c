#include "kernel/pressure.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN true
#endif
#endif
#ifndef TSAN
#define TSAN false
#endif

/* ThreadSanitizer adds memory and a thread of its own, and refuses threads after a fork. */
static void need_plain_process(void)
{
	if (!TSAN)
		return;
	print_message("SKIP: a process without ThreadSanitizer is missing\n");
	skip();
}

/* While not empty, every absolute path is opened below this folder. */
static char root[64];

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	char path[4096];

	if (nr == __NR_openat && *root) {
		snprintf(path, sizeof(path), "%s%s", root, (const char *)b);
		b = (long)path;
	}
	return __real_sys_call(nr, a, b, c, d, e, f);
}

/* --- a machine made of files --- */

static void machine_begin(void)
{
	strcpy(root, "/tmp/predicomp-pressure-XXXXXX");
	assert_non_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void machine_end(void)
{
	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	*root = 0;
}

static void machine_file(const char *name, const char *text)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *s = path + strlen(root) + 1; *s; s++)
		if (*s == '/') {
			*s = 0;
			mkdir(path, 0700);
			*s = '/';
		}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

#define GIB (1ull << 30)

#define MEMINFO "/proc/meminfo", "MemTotal:        8388608 kB\nMemFree:         1 kB\n"
#define CGROUP	"/proc/thread-self/cgroup"
#define V1_NONE "9223372036854771712\n"

struct machine {
	const char *what;
	uint64_t limit;
	struct {
		const char *name, *text;
	} file[6];
};

static const struct machine machines[] = {
    {"nothing can be read", 0, {{0}}},
    {"no cgroups", 8 * GIB, {{MEMINFO}}},
    {"v2, own limit",
     GIB,
     {{MEMINFO},
      {CGROUP, "0::/a/b\n"},
      {"/sys/fs/cgroup/a/b/memory.max", "1073741824\n"},
      {"/sys/fs/cgroup/a/memory.max", "2147483648\n"}}},
    {"v2, the parent's is lower",
     2 * GIB,
     {{MEMINFO},
      {CGROUP, "0::/a/b\n"},
      {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
      {"/sys/fs/cgroup/a/memory.max", "2147483648\n"}}},
    {"v2, more than there is",
     8 * GIB,
     {{MEMINFO}, {CGROUP, "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "99999999999999\n"}}},
    {"v2, limit of a container's root",
     GIB,
     {{MEMINFO}, {CGROUP, "0::/\n"}, {"/sys/fs/cgroup/memory.max", "1073741824\n"}}},
    {"v2 beside v1",
     GIB,
     {{MEMINFO},
      {CGROUP, "1:name=systemd:/x\n0::/x\n"},
      {"/sys/fs/cgroup/unified/x/memory.max", "1073741824\n"}}},
    {"v1, own limit",
     GIB,
     {{MEMINFO},
      {CGROUP, "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n"},
      {"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "1073741824\n"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE}}},
    {"v1, the host's path in a container",
     GIB,
     {{MEMINFO},
      {CGROUP, "4:memory:/docker/0123456789\n"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"}}},
    {"v1, none",
     8 * GIB,
     {{MEMINFO},
      {CGROUP, "4:memory:/a\n"},
      {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", V1_NONE},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE}}},
    {"v1, none, and no meminfo",
     0,
     {{CGROUP, "4:memory:/a\n"}, {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", V1_NONE}}},
    {"no meminfo", GIB, {{CGROUP, "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "1073741824\n"}}},
    {"another controller's limit",
     8 * GIB,
     {{MEMINFO},
      {CGROUP, "4:memoryx,xmemory:/a\n"},
      {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824\n"}}},
    {"not a cgroup file", 8 * GIB, {{MEMINFO}, {CGROUP, "memory\n:\n::\n\n4:memory\n"}}},
    {"not a number",
     8 * GIB,
     {{MEMINFO}, {CGROUP, "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "1073741824 bytes\n"}}},
};

static void limit_is_the_lowest(void **state)
{
	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(machines); i++) {
		const struct machine *m = &machines[i];
		uint64_t limit;

		machine_begin();
		for (size_t k = 0; k < PC_ARRAY_LEN(m->file) && m->file[k].name; k++)
			machine_file(m->file[k].name, m->file[k].text);
		limit = pressure_limit();
		machine_end();
		if (limit != m->limit)
			fail_msg("%s: %#lx instead of %#lx", m->what, limit, m->limit);
	}
}

/* Longer than the line that is kept: the part that fits still has parents. */
static void long_group_paths_keep_their_parents(void **state)
{
	char line[3000] = "0::/top";

	(void)state;
	for (int i = 0; i < 25; i++) {
		strcat(line, "/");
		memset(line + strlen(line), 'g', 100); /* the rest of the array is zero */
	}
	machine_begin();
	machine_file(CGROUP, line);
	machine_file("/sys/fs/cgroup/top/memory.max", "1073741824\n");
	assert_int_equal(pressure_limit(), GIB);
	machine_end();
}

static void real_limit_is_at_most_the_memory(void **state)
{
	const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * PC_PAGE;

	(void)state;
	assert_in_range(pressure_limit(), 1, memory);
}

static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long v;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &v), 1);
	fclose(f);
	return v;
}

static void reads_sysctls(void **state)
{
	(void)state;
	assert_int_equal(pressure_overcommit(), read_number("/proc/sys/vm/overcommit_memory"));
	assert_int_equal(pressure_max_map_count(), read_number("/proc/sys/vm/max_map_count"));
	machine_begin();
	assert_int_equal(pressure_overcommit(), -ENOENT);
	assert_int_equal(pressure_max_map_count(), -ENOENT);
	machine_file("/proc/sys/vm/overcommit_memory", "2\n");
	machine_file("/proc/sys/vm/max_map_count", "many\n");
	assert_int_equal(pressure_overcommit(), 2);
	assert_int_equal(pressure_max_map_count(), -EINVAL);
	machine_end();
}

/* --- the process --- */

static void close_all(const struct pressure *p)
{
	close(p->statm);
	close(p->status);
	close(p->leader);
}

static void expect_near(int64_t value, int64_t wanted, int64_t slack)
{
	if (llabs(value - wanted) > slack)
		fail_msg("%ld is not within %ld of %ld", value, slack, wanted);
}

static void anonymous_memory_is_followed(void **state)
{
	const int64_t bytes = 64 << 20, slack = 4 << 20;
	struct process_facts facts;
	struct pressure p;
	int64_t before, after;
	char *at;

	(void)state;
	need_plain_process();
	assert_int_equal(pressure_open(&p), 0);
	before = pressure_anon(&p);
	assert_true(before > 0);
	at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(at != MAP_FAILED);
	memset(at, 1, (size_t)bytes);
	after = pressure_anon(&p);
	expect_near(after - before, bytes, slack);
	assert_int_equal(pressure_facts(&p, &facts), 0);
	expect_near((int64_t)facts.rss_anon, after, slack);
	munmap(at, (size_t)bytes);
	expect_near(pressure_anon(&p), before, slack);
	close_all(&p);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t leader;

static void *wait_for_unlock(void *arg)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void facts_of_this_process(void **state)
{
	struct process_facts before, after;
	struct pressure p;
	pthread_t thread;
	char *at =
	    mmap(NULL, 4 * PC_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	need_plain_process();
	assert_true(at != MAP_FAILED);
	assert_int_equal(pressure_open(&p), 0);
	assert_int_equal(pressure_facts(&p, &before), 0);
	pthread_mutex_lock(&lock);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_unlock, NULL), 0);
	/* Sanitizers make mlock() do nothing. */
	assert_int_equal(syscall(SYS_mlock, at, 4 * PC_PAGE), 0);
	assert_int_equal(pressure_facts(&p, &after), 0);
	assert_int_equal(after.threads, before.threads + 1);
	assert_int_equal(after.vm_locked, before.vm_locked + 4 * PC_PAGE);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	munmap(at, 4 * PC_PAGE);
	close_all(&p);
}

/* A status file as a user in very many groups has it: what matters comes after 100 KB. */
static void write_status(const char *name, int tracer, int seccomp)
{
	const size_t size = 200000;
	char *text = malloc(size);
	size_t n = (size_t)sprintf(text, "Name:\tx\nTracerPid:\t%d\nGroups:\t", tracer);

	for (int group = 0; group < 15000; group++)
		n += (size_t)sprintf(text + n, "%d ", 100000 + group);
	sprintf(text + n,
		"\nVmLck:\t       8 kB\nRssAnon:\t   12345 kB\nThreads:\t7\nSeccomp:\t%d\n"
		"Seccomp_filters:\t9\n",
		seccomp);
	machine_file(name, text);
	free(text);
}

static void long_status_is_read_to_its_end(void **state)
{
	struct process_facts f;
	struct pressure p;

	(void)state;
	machine_begin();
	machine_file("/proc/thread-self/statm", "1000 300 100 1 0 200 0\n");
	write_status("/proc/thread-self/status", 0, 0);
	write_status("/proc/self/status", 42, 2);
	assert_int_equal(pressure_open(&p), 0);
	assert_int_equal(pressure_anon(&p), 200 * PC_PAGE);
	assert_int_equal(pressure_facts(&p, &f), 0);
	assert_int_equal(f.rss_anon, 12345 << 10);
	assert_int_equal(f.vm_locked, 8 << 10);
	assert_int_equal(f.threads, 7);
	/* These two are the leader's. */
	assert_int_equal(f.tracer_pid, 42);
	assert_int_equal(f.seccomp, 2);
	machine_file("/proc/thread-self/statm", "1000 100 300 1 0 200 0\n");
	assert_int_equal(pressure_anon(&p), 0);
	machine_file("/proc/thread-self/statm", "1000 100\n");
	assert_int_equal(pressure_anon(&p), -EINVAL);
	close_all(&p);
	machine_end();
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void half_open_is_closed(void **state)
{
	const unsigned before = open_descriptors();
	struct pressure p;

	(void)state;
	machine_begin();
	assert_int_equal(pressure_open(&p), -ENOENT);
	machine_file("/proc/thread-self/statm", "1 1 1\n");
	machine_file("/proc/thread-self/status", "");
	assert_int_equal(pressure_open(&p), -ENOENT);
	machine_end();
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(pressure_anon(&p), -EBADF);
}

static void *after_main(void *arg)
{
	struct process_facts f;
	struct pressure p;

	(void)arg;
	pthread_join(leader, NULL);
	if (pressure_open(&p) || pressure_facts(&p, &f))
		_exit(1);
	_exit(pressure_anon(&p) > 0 && f.rss_anon > 0 ? 0 : 2);
}

static void works_after_main_has_left(void **state)
{
	pthread_t thread;
	pid_t child;
	int status;

	(void)state;
	need_plain_process();
	child = fork();
	if (child == 0) {
		alarm(20);
		leader = pthread_self();
		if (pthread_create(&thread, NULL, after_main, NULL))
			_exit(3);
		pthread_exit(NULL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void tracer_is_seen(void **state)
{
	struct process_facts f;
	struct pressure p;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		if (pressure_open(&p) || pressure_facts(&p, &f))
			_exit(1);
		_exit(f.tracer_pid == getppid() ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("SKIP: ptrace is missing\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(pressure_open(&p), 0);
	assert_int_equal(pressure_facts(&p, &f), 0);
	assert_int_equal(f.tracer_pid, 0);
	close_all(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(limit_is_the_lowest),
	    cmocka_unit_test(long_group_paths_keep_their_parents),
	    cmocka_unit_test(real_limit_is_at_most_the_memory),
	    cmocka_unit_test(reads_sysctls),
	    cmocka_unit_test(anonymous_memory_is_followed),
	    cmocka_unit_test(facts_of_this_process),
	    cmocka_unit_test(long_status_is_read_to_its_end),
	    cmocka_unit_test(half_open_is_closed),
	    cmocka_unit_test(works_after_main_has_left),
	    cmocka_unit_test(tracer_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
