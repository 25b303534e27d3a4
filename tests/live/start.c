/*
 * Started in odd conditions a program runs as it does without the library, managed or not: under a
 * tracer, with more rights than its user has, without /proc, where every page is counted, with memory
 * laid out in other ways, without descriptors, signals, a folder or a name. Which of them are managed is
 * told as a figure; real/start has what the library says of the others.
 */
#include "host.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define LEN	(4 * MIB)
#define TELL	100 /* the descriptor by which it is told whether memory left */
#define NOBODY	65534
#define MISSING 99 /* of this user or machine */

static char self[PATH_MAX], copy[64];

/* ---- the life of each --------------------------------------------------------------------------- */

static void *reads(void *at)
{
	return host_same(at, LEN, 1) ? at : NULL;
}

/* Without /proc, and without a place to say what is wrong. */
static int odd_life(void)
{
	char *at = host_map(LEN);
	pthread_t t;
	void *ret;
	pid_t pid;

	host_fill(at, LEN, 1);
	host_let_leave(at, LEN);
	if (write(TELL, host_absent(at, LEN) ? "1" : "0", 1) != 1)
		return 1;
	if (pthread_create(&t, NULL, reads, at) || pthread_join(t, &ret) || ret != at)
		return 2;
	host_let_leave(at, LEN);
	pid = fork();
	if (!pid)
		_exit(host_same(at, LEN, 1) ? 3 : 4);
	if (host_reap(pid) != 3)
		return 5;
	return host_same(at, LEN, 1) ? 7 : 6;
}

/* ---- conditions --------------------------------------------------------------------------------- */

static int plain(void)
{
	return 0;
}

static int traced(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int own_mounts(void)
{
	if (unshare(CLONE_NEWNS))
		return -1;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int without_proc(void)
{
	return own_mounts() || umount2("/proc", MNT_DETACH) ? -1 : 0;
}

static int without_dev(void)
{
	return own_mounts() || mount("none", "/dev", "tmpfs", 0, NULL) ? -1 : 0;
}

/* As far as a program can read it: the machine's own setting is not touched. */
static int every_page_counted(void)
{
	char two[] = "/tmp/start.XXXXXX";
	int fd = mkstemp(two), ret;

	HOST_CHECK(fd >= 0 && write(fd, "2\n", 2) == 2 && close(fd) == 0);
	ret = own_mounts() || mount(two, "/proc/sys/vm/overcommit_memory", NULL, MS_BIND, NULL);
	unlink(two);
	return ret ? -1 : 0;
}

/* The kernel then lays memory out from below. */
static int stack_unlimited(void)
{
	const struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_STACK, &most);
}

static int not_randomized(void)
{
	return personality(ADDR_NO_RANDOMIZE) < 0 ? -1 : 0;
}

static int without_descriptors(void)
{
	return close(0) || close(1) || close(2) ? -1 : 0;
}

static int without_signals(void)
{
	sigset_t all;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGCHLD)
			signal(sig, SIG_IGN);
	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

static int without_folder(void)
{
	char folder[] = "/tmp/start.XXXXXX";

	return !mkdtemp(folder) || chdir(folder) || rmdir(folder) ? -1 : 0;
}

static int on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

static int in_batch(void)
{
	const struct sched_param none = {0};

	return sched_setscheduler(0, SCHED_BATCH, &none);
}

static int no_new_rights(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The copy is somebody else's and says so, which the loader takes for a reason to preload nothing. */
static int secure(void)
{
	return chown(copy, NOBODY, NOBODY) || chmod(copy, 04755) ? -1 : 0;
}

static const struct condition {
	const char *name;
	int (*meet)(void);
} conditions[] = {
    {"plain", plain},
    {"traced", traced},
    {"secure", secure},
    {"no /proc", without_proc},
    {"no /dev", without_dev},
    {"every page counted", every_page_counted},
    {"stack unlimited", stack_unlimited},
    {"not randomized", not_randomized},
    {"no descriptors", without_descriptors},
    {"no signals", without_signals},
    {"no folder", without_folder},
    {"one CPU", on_one_cpu},
    {"in batch", in_batch},
    {"no new rights", no_new_rights},
};

/* ---- starting ------------------------------------------------------------------------------------ */

static void start(const struct condition *c, int tell)
{
	const char *program = c->meet == secure ? copy : self;

	HOST_CHECK(dup2(tell, TELL) == TELL);
	if (c->meet())
		_exit(MISSING);
	execl(program, c->meet == plain ? "" : self, "odd", (char *)NULL);
	_exit(126);
}

/* As waitpid() of a child; as its tracer, if it has asked for one, this lets it and its signals pass. */
static int see_through(pid_t pid)
{
	for (;;) {
		int status, sig;

		HOST_CHECK(waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		sig = WSTOPSIG(status);
		HOST_CHECK(ptrace(PTRACE_CONT, pid, NULL, sig == SIGTRAP ? 0L : (long)sig) == 0);
	}
}

static void one(const struct condition *c)
{
	char left = '?';
	int tell[2], status;
	pid_t pid;

	HOST_CHECK(pipe2(tell, O_CLOEXEC) == 0);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (!pid)
		start(c, tell[1]);
	close(tell[1]);
	status = see_through(pid);
	HOST_CHECK(read(tell[0], &left, 1) >= 0);
	close(tell[0]);
	printf("%s: %d\n", c->name, status);
	fprintf(stderr, "figure: %s: %s\n", c->name,
		status == MISSING ? "not to be had here"
		: left == '1'	  ? "memory left"
				  : "no memory left");
	HOST_CHECK(status == 7 || status == MISSING);
}

static void make_copy(void)
{
	int from = open(self, O_RDONLY | O_CLOEXEC), to;
	struct stat st;

	strcpy(copy, "/tmp/start.XXXXXX");
	to = mkstemp(copy);
	HOST_CHECK(from >= 0 && to >= 0 && fstat(from, &st) == 0);
	HOST_CHECK(sendfile(to, from, NULL, (size_t)st.st_size) == st.st_size);
	HOST_CHECK(fchmod(to, 0755) == 0 && close(to) == 0 && close(from) == 0);
}

static void remove_copy(void)
{
	unlink(copy);
}

int main(int argc, char **argv)
{
	char *at;

	(void)argv;
	if (argc == 2)
		return odd_life();
	HOST_CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	make_copy();
	HOST_CHECK(atexit(remove_copy) == 0);
	at = host_cold(LEN, 2);
	for (unsigned i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		one(&conditions[i]);
	HOST_CHECK(host_same(at, LEN, 2));
	return 0;
}
