#include "eligible.h"

#include "real.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/sys.h"
#include "base/text.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>

/*
 * Programs that are left alone by name. A `*` at the end stands for anything. The second column
 * completes "left alone: it ...".
 */
static const struct exclusion {
	const char *name;
	const char *why;
} built_in[] = {
    {"sshd", "filters its own system calls and keeps keys"},
    {"systemd", "is what everything else hangs on"},
    {"systemd-*", "filters its own system calls"},
    {"polkitd", "decides about rights"},
    {"gpg-agent", "keeps keys in locked memory"},
    {"ssh-agent", "keeps keys and forbids being looked at"},
    {"dbus-daemon", "is what everything else hangs on"},
    {"sudo", "changes identity"},
    {"su", "changes identity"},
    {"login", "changes identity"},
    {"chrome*", "counts its threads before it filters system calls"},
    {"chromium*", "counts its threads before it filters system calls"},
    {"electron*", "counts its threads before it filters system calls"},
    {"firefox*", "filters its own system calls"},
    {"qemu-system-*", "uses userfaultfd and pins memory"},
    {"criu", "uses userfaultfd and stops other processes"},
    {"gdb", "stops other processes and reads their memory"},
    {"strace", "stops other processes and reads their memory"},
    {"ltrace", "stops other processes and reads their memory"},
    {"rr", "records every system call"},
    {"valgrind*", "runs programs on a CPU of its own making"},
};

/* Symbols that only the runtime of each defines. Memory under them is laid out by other rules. */
extern char __asan_init[] __attribute__((weak));
extern char __hwasan_init[] __attribute__((weak));
extern char __lsan_init[] __attribute__((weak));
extern char __msan_init[] __attribute__((weak));
extern char __tsan_init[] __attribute__((weak));

bool eligible_is_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}

static bool matches(const char *pattern, const char *name)
{
	while (*pattern && *pattern != '*' && *pattern == *name) {
		pattern++;
		name++;
	}
	return *pattern == '*' || (!*pattern && !*name);
}

static bool is_built_in(struct program p)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(built_in); i++) {
		if (!matches(built_in[i].name, p.called) && !matches(built_in[i].name, p.file))
			continue;
		log_say(LOG_DEBUG, built_in[i].why);
		return true;
	}
	return false;
}

static bool has_sanitizer(void)
{
	return __asan_init || __hwasan_init || __lsan_init || __msan_init || __tsan_init;
}

bool policy_is_realtime(int policy)
{
	policy &= ~SCHED_RESET_ON_FORK;
	return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

static bool is_limited(int resource)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	return SYS2(__NR_getrlimit, resource, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}

/* The beginning of a small file as text; false when there is none to be read. */
static bool read_text(const char *path, char *buf, size_t size)
{
	long fd = sys_open(path, O_RDONLY | O_CLOEXEC), n;

	if (fd < 0)
		return false;
	n = sys_read((int)fd, buf, size - 1);
	sys_close((int)fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

static bool counts_every_page(void)
{
	char text[8];

	return read_text("/proc/sys/vm/overcommit_memory", text, sizeof(text)) && text[0] == '2';
}

static bool starts_with(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix) {
		s++;
		prefix++;
	}
	return !*prefix;
}

static const char *next_line(const char *s)
{
	while (*s && *s != '\n')
		s++;
	return *s ? s + 1 : s;
}

/* False if the number after `field` in /proc/self/status is 0, or there is no such line. */
static bool status_says(const char *status, const char *field)
{
	while (*status && !starts_with(status, field))
		status = next_line(status);
	if (!*status)
		return false;
	for (status += strlen(field); *status == '\t' || *status == ' '; status++)
		;
	return *status >= '1' && *status <= '9';
}

enum pc_inert eligible_unwatched(void)
{
	char status[8192];

	if (!options.enable)
		return PC_INERT_DISABLED;
	if (!read_text("/proc/self/status", status, sizeof(status)))
		return PC_INERT_MISSING_CAP;
	if (status_says(status, "TracerPid:"))
		return PC_INERT_TRACED;
	return status_says(status, "Seccomp:") ? PC_INERT_SECCOMP : PC_INERT_NONE;
}

static bool listed(const char *list, struct program p)
{
	return text_list_has(list, p.called) || text_list_has(list, p.file);
}

enum comes_first { NEITHER, WE, LIBC };

static int who_comes(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (real_object_has(object, (const void *)&eligible))
		return WE;
	/* A function that nobody else defines, or takes the address of. */
	return real_object_has(object, (const void *)&gnu_get_libc_version) ? LIBC : NEITHER;
}

/* Two would each take the other's threads for the program's, and the other's memory. */
static bool is_second_copy(void)
{
	const void *first = dlsym(RTLD_DEFAULT, "predicomp_version");

	return first && real_object_of(first) != real_object_of((const void *)&eligible);
}

enum pc_inert eligible(struct program program)
{
	/* In the order in which the loader looks for what is called. */
	if (dl_iterate_phdr(who_comes, NULL) != WE)
		return PC_INERT_LATE;
	if (is_second_copy())
		return PC_INERT_SECOND;
	if (options.only.s[0] && !listed(options.only.s, program))
		return PC_INERT_NOT_LISTED;
	if (listed(options.except.s, program) || is_built_in(program))
		return PC_INERT_EXCLUDED;
	if (has_sanitizer())
		return PC_INERT_SANITIZER;
	if (policy_is_realtime((int)SYS1(__NR_sched_getscheduler, 0)))
		return PC_INERT_REALTIME;
	if (is_limited(RLIMIT_AS) || is_limited(RLIMIT_DATA))
		return PC_INERT_RLIMIT;
	return counts_every_page() ? PC_INERT_OVERCOMMIT : PC_INERT_NONE;
}
