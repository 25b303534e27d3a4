/*
 * A program that enters namespaces, its own and new ones, alone or with threads: each call answers as
 * without the library, which must not be a second thread then nor share what has to be the program's
 * alone. What was packed reads right afterwards, and so it does for children, who are other processes
 * than they used to be.
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define LEN (4 * MIB)

#define KINDS 8
static const struct kind {
	const char *name;
	int flag;
} kinds[KINDS] = {
    {"uts", CLONE_NEWUTS},	 {"ipc", CLONE_NEWIPC},	  {"net", CLONE_NEWNET},
    {"cgroup", CLONE_NEWCGROUP}, {"mnt", CLONE_NEWNS},	  {"time", CLONE_NEWTIME},
    {"pid", CLONE_NEWPID},	 {"user", CLONE_NEWUSER},
};

static char *memory;

/* ---- a new namespace, and who keeps it ------------------------------------------------------- */

static struct {
	pid_t pid, inside; /* who has made it, and the first process in it */
	int leash;	   /* both end when it is closed */
} keeper;

static void keep(const struct kind *kind, int ready, int leash)
{
	pid_t inside;
	char c;

	if (unshare(kind->flag))
		_exit(1);
	inside = fork();
	if (inside)
		HOST_CHECK(write(ready, &inside, sizeof(inside)) == sizeof(inside));
	HOST_CHECK(read(leash, &c, 1) == 0);
	_exit(0);
}

static void keeper_start(const struct kind *kind)
{
	int ready[2], leash[2];

	HOST_CHECK(pipe(ready) == 0 && pipe(leash) == 0);
	keeper.pid = fork();
	if (!keeper.pid) {
		close(leash[1]);
		close(ready[0]);
		keep(kind, ready[1], leash[0]);
	}
	close(leash[0]);
	close(ready[1]);
	if (read(ready[0], &keeper.inside, sizeof(keeper.inside)) <= 0)
		fprintf(stderr, "figure: nothing new: %s\n", kind->name);
	close(ready[0]);
	keeper.leash = leash[1];
}

static void keeper_end(void)
{
	if (!keeper.pid)
		return;
	close(keeper.leash);
	host_reap(keeper.pid);
}

static int open_namespace(pid_t pid, const struct kind *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind->name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- ways to enter --------------------------------------------------------------------------- */

static int into_own(const struct kind *kind)
{
	int fd = open_namespace(getpid(), kind);

	return fd < 0 ? -1 : setns(fd, kind->flag);
}

static int by_number(const struct kind *kind)
{
	int fd = open_namespace(getpid(), kind);

	return fd < 0 ? -1 : (int)syscall(SYS_setns, fd, 0);
}

static int by_unshare(const struct kind *kind)
{
	return unshare(kind->flag);
}

static int into_new(const struct kind *kind)
{
	int fd = keeper.inside > 0 ? open_namespace(keeper.inside, kind) : -1;

	return fd < 0 ? -1 : setns(fd, kind->flag);
}

static const struct way {
	const char *name;
	int (*enter)(const struct kind *kind);
} ways[] = {
    {"own", into_own},
    {"own by number", by_number},
    {"unshare", by_unshare},
    {"new", into_new},
};

/* ---- what follows ---------------------------------------------------------------------------- */

static void *nothing(void *arg)
{
	return arg;
}

/* The kernel refuses threads to whose children will live elsewhere. */
static int a_thread(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, nothing, NULL);

	return err ? err : pthread_join(thread, NULL);
}

static int a_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (!host_same(memory, LEN, 1))
			exit(100);
		host_fill(memory, LEN, 2);
		if (getpid() == 1) /* is managed as any other */
			host_turn_cold(memory, LEN, 2);
		if (!host_same(memory, LEN, 2))
			exit(101);
		exit(getpid() == 1 ? 11 : 10);
	}
	return pid < 0 ? -errno : host_reap(pid);
}

static void enter(const struct kind *kind, const struct way *way, const char *who)
{
	int ret, err;

	if (way->enter == into_new)
		keeper_start(kind);
	host_turn_cold(memory, LEN, 1);
	errno = 0;
	ret = way->enter(kind);
	err = errno;
	HOST_CHECK(host_same(memory, LEN, 1));
	printf("%s, %s, %s: %d, %s; ", who, way->name, kind->name, ret, strerror(err));
	if (ret && (err == EPERM || err == ENOSPC))
		fprintf(stderr, "figure: %s, %s: %s\n", way->name, kind->name, strerror(err));
	host_nap();
	printf("a thread: %s; ", strerror(a_thread()));
	fflush(stdout);
	printf("a child: %d\n", a_child());
	keeper_end();
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void *stay(void *arg)
{
	pause();
	return arg;
}

/* In a child, for there may be no way back. What it says goes to `said`. */
static pid_t begin(const struct kind *kind, const struct way *way, bool threads, FILE *said)
{
	pthread_t thread;
	pid_t pid;

	HOST_CHECK(said);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	HOST_CHECK(dup2(fileno(said), 1) == 1);
	HOST_CHECK(!threads || pthread_create(&thread, NULL, stay, NULL) == 0);
	enter(kind, way, threads ? "with a thread" : "alone");
	exit(0);
}

static void end(pid_t pid, FILE *said)
{
	int status = host_reap(pid), c;

	rewind(said);
	while ((c = getc(said)) != EOF)
		putchar(c);
	fclose(said);
	HOST_CHECK(status == 0);
}

/* All kinds at once, for most of it is waiting; told in their order. */
static void try(const struct way *way, bool threads)
{
	FILE *said[KINDS];
	pid_t pid[KINDS];

	for (unsigned k = 0; k < KINDS; k++) {
		said[k] = tmpfile();
		pid[k] = begin(&kinds[k], way, threads, said[k]);
	}
	for (unsigned k = 0; k < KINDS; k++)
		end(pid[k], said[k]);
}

int main(void)
{
	char *own;

	if (getuid() != 0)
		HOST_SKIP("only root can enter namespaces");
	own = host_cold(LEN, 3);
	memory = host_map(LEN);
	for (unsigned w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		try(&ways[w], false);
		try(&ways[w], true);
	}
	HOST_CHECK(host_same(own, LEN, 3));
	return 0;
}
