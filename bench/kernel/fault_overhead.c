/*
 * fault_overhead [ROUNDS] - what a first touch of 4 KiB costs more while faults are watched.
 *
 * Each round touches 1 GiB in every mode, one after the other, so that what drifts drifts for all;
 * the medians of the rounds are compared. A second thread on another CPU drains the event buffer,
 * as the verbs do.
 *
 *     none        nothing is attached
 *     counting    followed, totals only: predicomp faults
 *     units       followed, counted in its 2 MiB unit: predicomp heatmap
 *     events      followed, every fault as an event: predicomp trace
 *     untracked   programs are attached, and another process is followed
 *
 * Exit status 1 when a bar is missed, 77 when programs cannot be loaded.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/faults.h"
#include "bpf/session.h"

#define BYTES  (64ul << 20)
#define PAGE   4096ul
#define ROUNDS 1024

struct mode {
	const char *name;
	struct faults_wanted wanted;
	int attached, followed;
	double bar; /* percent; 0: none */
	double ns[ROUNDS];
};

static struct mode modes[] = {
    {.name = "none"},
    {.name = "counting", .attached = 1, .followed = 1},
    {.name = "units", .wanted.units = 65536, .attached = 1, .followed = 1, .bar = 5},
    {.name = "events", .wanted.stream_bytes = 32 << 20, .attached = 1, .followed = 1, .bar = 10},
    {.name = "untracked", .wanted.units = 65536, .attached = 1, .bar = 4},
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

struct drain {
	struct faults *faults;
	volatile int stop;
	uint64_t events;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* What attaching and letting go leave to be done (RCU, freed tables) is not the fault's cost. */
static void settle(void)
{
	const struct timespec pause = {.tv_nsec = 100000000};

	nanosleep(&pause, NULL);
}

static double touch(void)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double start;

	if (p == MAP_FAILED || madvise(p, BYTES, MADV_NOHUGEPAGE) != 0) {
		perror("64 MiB");
		exit(2);
	}
	start = now_ns();
	for (size_t i = 0; i < BYTES; i += PAGE)
		*(volatile char *)&p[i] = 1;
	start = now_ns() - start;
	munmap(p, BYTES);
	return start * PAGE / BYTES;
}

static void count_event(void *arg, const struct fault_event *event)
{
	struct drain *d = arg;

	(void)event;
	d->events++;
}

static void *drain(void *arg)
{
	const struct timespec pause = {.tv_nsec = 500000};
	struct drain *d = arg;

	run_on(0);
	while (!d->stop) {
		faults_events(d->faults, count_event, d);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static double touch_watched(const struct mode *m, struct faults *f, uint64_t *dropped)
{
	struct drain d = {.faults = f};
	struct faults_total total;
	pthread_t thread = 0;
	double ns;

	if (m->wanted.stream_bytes && pthread_create(&thread, NULL, drain, &d) != 0) {
		fprintf(stderr, "no thread could be started\n");
		exit(2);
	}
	ns = touch();
	d.stop = 1;
	if (m->wanted.stream_bytes)
		pthread_join(thread, NULL);
	if (faults_read(f, &total, NULL, NULL) == 0)
		*dropped += total.events_dropped;
	if (m->followed && total.counts.minor < BYTES / PAGE)
		fprintf(stderr, "%s: only %llu faults were seen\n", m->name, total.counts.minor);
	return ns;
}

static double one(const struct mode *m, pid_t other, uint64_t *dropped)
{
	struct faults *f;
	struct unable why;
	double ns;

	settle();
	if (!m->attached)
		return touch();
	if (faults_open(&f, &m->wanted, &why) != 0) {
		printf("SKIP: %s\n", why.text);
		kill(other, SIGKILL);
		exit(77);
	}
	faults_follow(f, session_pidfd(m->followed ? getpid() : other));
	settle();
	ns = touch_watched(m, f, dropped);
	faults_close(f);
	return ns;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *ns, int count)
{
	qsort(ns, (size_t)count, sizeof(*ns), by_size);
	return count % 2 ? ns[count / 2] : (ns[count / 2 - 1] + ns[count / 2]) / 2;
}

static int report(int rounds, uint64_t dropped)
{
	const double base = median(modes[0].ns, rounds);
	int missed = 0;

	printf("%-10s %9s %9s %8s %7s\n", "mode", "ns/fault", "more", "", "bar");
	for (size_t i = 0; i < MODES; i++) {
		const double ns = median(modes[i].ns, rounds), more = 100 * (ns - base) / base;

		printf("%-10s %9.0f %+9.0f %+7.1f%%", modes[i].name, ns, ns - base, more);
		if (modes[i].bar > 0)
			printf(" %6.0f%% %s", modes[i].bar,
			       more <= modes[i].bar ? "met" : "MISSED");
		putchar('\n');
		missed += modes[i].bar > 0 && more > modes[i].bar;
	}
	printf("events dropped: %llu\n", (unsigned long long)dropped);
	return missed > 0;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 48;
	uint64_t dropped = 0;
	pid_t other;

	if (rounds < 1 || rounds > ROUNDS) {
		fprintf(stderr, "usage: fault_overhead [ROUNDS], 1 to %d\n", ROUNDS);
		return 2;
	}
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	run_on(1);
	touch(); /* the machine's memory is warm from here on */
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < MODES; i++)
			modes[i].ns[round] = one(&modes[i], other, &dropped);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return report(rounds, dropped);
}
