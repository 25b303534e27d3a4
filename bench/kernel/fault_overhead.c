/*
 * fault_overhead [ROUNDS] - what a first touch of 4 KiB costs more while faults are watched.
 *
 * Each round touches 64 MiB in every mode, sixteen rounds a GiB, and begins with another mode than
 * the one before, so that neither drift nor what a mode leaves behind falls on one of them; the
 * medians of the rounds are compared. A second thread on another CPU drains the event buffer, as
 * the verbs do.
 *
 *     none        nothing is attached
 *     empty       a program that does nothing is: what the tracepoint itself costs, below which no
 *                 program comes
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

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/faults.h"
#include "bpf/session.h"

#define BYTES  (64ul << 20)
#define PAGE   4096ul
#define ROUNDS 1024

struct mode {
	const char *name;
	struct faults_wanted wanted;
	enum { NOTHING, EMPTY, FAULTS } attached;
	int followed;
	double bar; /* percent; 0: none */
	double ns[ROUNDS];
};

static struct mode modes[] = {
    {.name = "none"},
    {.name = "empty", .attached = EMPTY},
    {.name = "counting", .attached = FAULTS, .followed = 1},
    {.name = "units", .wanted.units = 65536, .attached = FAULTS, .followed = 1, .bar = 5},
    {.name = "events",
     .wanted.stream_bytes = 32 << 20,
     .attached = FAULTS,
     .followed = 1,
     .bar = 10},
    {.name = "untracked", .wanted.units = 65536, .attached = FAULTS, .bar = 4},
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

/* --- the least there can be --- */

static int attach_empty(const char *tracepoint)
{
	const struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int program, link, id = libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", nothing, 2, &opts);
	link = program < 0 ? program : bpf_raw_tracepoint_open(NULL, program);
	if (program >= 0)
		close(program);
	return link;
}

static double touch_empty(void)
{
	const int user = attach_empty("page_fault_user"),
		  kernel = attach_empty("page_fault_kernel");
	double ns;

	if (user < 0 || kernel < 0) {
		fprintf(stderr, "an empty program cannot be attached: %d %d\n", user, kernel);
		exit(2);
	}
	settle();
	ns = touch();
	close(user);
	close(kernel);
	return ns;
}

static double one(const struct mode *m, pid_t other, uint64_t *dropped)
{
	struct faults *f;
	struct unable why;
	double ns;

	settle();
	if (m->attached == NOTHING)
		return touch();
	if (m->attached == EMPTY)
		return touch_empty();
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
		for (size_t i = 0; i < MODES; i++) {
			struct mode *m = &modes[(i + (size_t)round) % MODES];

			m->ns[round] = one(m, other, &dropped);
		}
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return report(rounds, dropped);
}
