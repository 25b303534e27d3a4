/*
 * headless - processes whose first thread has ended before they are followed are counted like others.
 *
 * Such a thread has given its stack in the kernel back, by which faults know who is followed, and is
 * there to be looked at until its process ends. Two processes of that kind are followed while they
 * are quiet: nothing may have been counted then. Then the thread that is left in each of them
 * touches memory, and what is counted is what the kernel accounts to both.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/faults.h"
#include "bpf/session.h"
#include "test.h"

#define PAGE	 4096ul
#define PAGES	 1000ul
#define BYTES	 (PAGES * PAGE)
#define HEADLESS 2
#define PATIENCE 30 /* seconds */

struct child {
	pid_t pid;
	int to, from;
	char *memory;
	size_t early; /* pages that its first thread touches */
};

static void touch(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile char *)&p[i * PAGE] = 1;
}

/* Each time it is told to. */
static void *be_left(void *arg)
{
	const struct child *c = arg;
	char word;

	while (read(c->from, &word, 1) == 1) {
		touch(c->memory + BYTES, PAGES);
		check(write(c->to, &word, 1) == 1, "write");
	}
	_exit(0);
}

_Noreturn static void be_headless(struct child *c)
{
	pthread_t left;

	touch(c->memory, c->early);
	check(pthread_create(&left, NULL, be_left, c) == 0, "thread");
	pthread_exit(NULL);
}

static char state_of(pid_t pid)
{
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
	return *stat_fields(path, line, sizeof(line));
}

static unsigned long long minor_of(pid_t pid)
{
	unsigned long long minor = 0;
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	check(sscanf(stat_fields(path, line, sizeof(line)), "%*c %*d %*d %*d %*d %*d %*u %llu",
		     &minor) == 1,
	      path);
	return minor;
}

/* A thread that has ended is a zombie a little before its stack is gone. */
static void wait_headless(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	const time_t end = time(NULL) + PATIENCE;

	while (state_of(pid) != 'Z' && time(NULL) < end)
		nanosleep(&pause, NULL);
	check(state_of(pid) == 'Z', "its first thread does not end");
	nanosleep(&pause, NULL);
}

static void start(struct child *c, size_t early)
{
	int down[2], up[2];

	c->early = early;
	c->memory =
	    mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(c->memory != MAP_FAILED && madvise(c->memory, 2 * BYTES, MADV_NOHUGEPAGE) == 0,
	      "memory");
	check(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0, "pipe");
	c->pid = fork();
	check(c->pid >= 0, "fork");
	if (c->pid == 0) {
		close(down[1]);
		c->from = down[0];
		c->to = up[1];
		be_headless(c);
	}
	close(down[0]);
	close(up[1]);
	c->to = down[1];
	c->from = up[0];
	wait_headless(c->pid);
}

static unsigned long long counted(struct faults *f)
{
	struct faults_total total;

	check(faults_read(f, &total, NULL, NULL) == 0, "faults_read");
	return total.counts.minor + total.counts.major;
}

static void tell(const struct child *c)
{
	char word = 0;

	check(write(c->to, &word, 1) == 1 && read(c->from, &word, 1) == 1, "the child");
}

int main(void)
{
	const struct faults_wanted wanted = {0};
	unsigned long long quiet, busy, accounted = 0;
	struct child child[HEADLESS];
	struct unable why;
	struct faults *f;

	check_open(faults_open(&f, &wanted, &why), &why);
	for (size_t i = 0; i < HEADLESS; i++)
		start(&child[i], (i + 1) * PAGES / HEADLESS);
	for (size_t i = 0; i < HEADLESS; i++) {
		check(faults_follow(f, session_pidfd(child[i].pid)) == 0, "faults_follow");
		accounted -= minor_of(child[i].pid);
	}
	quiet = counted(f);
	for (size_t i = 0; i < HEADLESS; i++) {
		tell(&child[i]);
		accounted += minor_of(child[i].pid);
	}
	busy = counted(f);
	for (size_t i = 0; i < HEADLESS; i++)
		close(child[i].to);
	for (size_t i = 0; i < HEADLESS; i++)
		check(waitpid(child[i].pid, NULL, 0) == child[i].pid, "wait");
	faults_close(f);
	printf("counted %llu while nothing happened; then %llu, and /proc %llu\n", quiet, busy,
	       accounted);
	if (quiet != 0 || busy != accounted || accounted < HEADLESS * PAGES)
		puts("FAIL: not what /proc says");
	return quiet != 0 || busy != accounted || accounted < HEADLESS * PAGES;
}
