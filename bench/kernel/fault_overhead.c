/*
 * fault_overhead [ROUNDS [MODE]...] - what a first touch of 4 KiB costs more while faults are watched.
 *
 * A machine's pace wanders by more than the bars are high, so nothing is compared with what was
 * measured long before it. Each mode has a process of its own, on a CPU of its own, that touches
 * 1 GiB, gives it back and touches it again, 16 MiB or some ten milliseconds at a time; what is
 * compared is its CPU time, in which neither others on that CPU nor the host's other guests count.
 * A round is four of these slices, the programs detached, attached, attached, detached, and gives
 * one ratio: what drifts steadily falls on both sides alike. The median of the rounds is the answer,
 * and the interval in which it lies with 95 % certainty stands beside it.
 *
 *     empty       a program that does nothing: what the tracepoint itself costs, below which no
 *                 program comes
 *     counting    followed, totals only: predicomp faults
 *     units       followed, counted in its 2 MiB unit: predicomp heatmap
 *     events      followed, every fault as an event, read as often as predicomp trace does
 *     untracked   programs are attached, and another process is followed
 *
 * Exit status 1 when a bar is missed, 2 when a measurement failed (a fault was not seen, an event
 * lost), 77 when programs cannot be loaded.
 */
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/faults.h"
#include "bpf/session.h"

#define BYTES	(1ul << 30)
#define SLICE	(16ul << 20)
#define PAGE	4096ul
#define ROUNDS	4096
#define POLL_MS 2 /* as predicomp trace has it */

struct mode {
	const char *name;
	struct faults_wanted wanted;
	enum { EMPTY, FAULTS } attached;
	int followed;
	double bar; /* percent; 0: none */
};

static const struct mode modes[] = {
    {.name = "empty", .attached = EMPTY},
    {.name = "counting", .attached = FAULTS, .followed = 1},
    {.name = "units", .wanted.units = 65536, .attached = FAULTS, .followed = 1, .bar = 5},
    {.name = "events",
     .wanted.stream_bytes = 16 << 20,
     .attached = FAULTS,
     .followed = 1,
     .bar = 10},
    {.name = "untracked", .wanted.units = 65536, .attached = FAULTS, .bar = 4},
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

/* A mode while it is measured. */
struct run {
	const struct mode *mode;
	pid_t toucher;
	int ask, answer;
	struct faults *faults; /* NULL: EMPTY */
	int user, kernel;      /* links of EMPTY */
	uint64_t events;
	double plain[ROUNDS], watched[ROUNDS], ratio[ROUNDS];
};

_Noreturn static void fail(const char *what)
{
	perror(what);
	exit(2);
}

_Noreturn static void give_up(const struct unable *why)
{
	fprintf(stderr, "%s\n", why->text);
	exit(2);
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* --- the process that is watched ------------------------------------------------------------ */

static double touch(char *p)
{
	double ns = cpu_ns();

	for (size_t i = 0; i < SLICE; i += PAGE)
		*(volatile char *)&p[i] = 1;
	return (cpu_ns() - ns) * PAGE / SLICE;
}

/* Once for each byte that it is sent; ends when nobody can send any more. */
_Noreturn static void be_toucher(int asked, int answer)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at = 0;
	double ns;
	char byte;

	if (p == MAP_FAILED || madvise(p, BYTES, MADV_NOHUGEPAGE) != 0)
		fail("1 GiB");
	run_on(1);
	while (read(asked, &byte, 1) == 1) {
		if (at == 0 && madvise(p, BYTES, MADV_DONTNEED) != 0)
			fail("MADV_DONTNEED");
		ns = touch(p + at);
		at = (at + SLICE) % BYTES;
		if (write(answer, &ns, sizeof(ns)) != sizeof(ns))
			fail("answer");
	}
	_exit(0);
}

static void start_toucher(struct run *r)
{
	int asked[2], answer[2];

	if (pipe(asked) != 0 || pipe(answer) != 0)
		fail("pipe");
	r->toucher = fork();
	if (r->toucher < 0)
		fail("fork");
	if (r->toucher == 0) {
		close(asked[1]);
		close(answer[0]);
		be_toucher(asked[0], answer[1]);
	}
	close(asked[0]);
	close(answer[1]);
	r->ask = asked[1];
	r->answer = answer[0];
}

static void end_toucher(struct run *r)
{
	int status;

	close(r->ask);
	close(r->answer);
	if (waitpid(r->toucher, &status, 0) != r->toucher || status != 0)
		fail("the process that is watched did not end well");
}

/* --- the least there can be ----------------------------------------------------------------- */

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

/* --- by turns ------------------------------------------------------------------------------- */

/* What attaching and letting go leave to be done is not the fault's cost. */
static void pause_ms(long ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000};

	nanosleep(&pause, NULL);
}

static void attach(struct run *r)
{
	struct unable why;

	if (r->faults) {
		if (faults_attach(r->faults, &why) != 0)
			give_up(&why);
	} else {
		r->user = attach_empty("page_fault_user");
		r->kernel = attach_empty("page_fault_kernel");
		if (r->user < 0 || r->kernel < 0)
			fail("an empty program cannot be attached");
	}
	pause_ms(2);
}

static void detach(struct run *r)
{
	struct unable why;

	if (r->faults) {
		if (faults_detach(r->faults, &why) != 0)
			give_up(&why);
	} else {
		close(r->user);
		close(r->kernel);
	}
	pause_ms(2);
}

static void count_event(void *arg, const struct fault_event *event)
{
	struct run *r = arg;

	(void)event;
	r->events++;
}

/* Nanoseconds a fault. The events are read meanwhile, on another CPU. */
static double slice(struct run *r)
{
	struct pollfd answered = {.fd = r->answer, .events = POLLIN};
	const int stream = r->mode->wanted.stream_bytes > 0;
	double ns;
	int ready;

	if (write(r->ask, "", 1) != 1)
		fail("the process that is watched");
	do {
		ready = poll(&answered, 1, stream ? POLL_MS : -1);
		if (stream)
			faults_events(r->faults, count_event, r);
	} while (ready == 0);
	if (ready < 0 || read(r->answer, &ns, sizeof(ns)) != sizeof(ns))
		fail("the process that is watched");
	return ns;
}

static void one_round(struct run *r, int round)
{
	double plain = slice(r), watched;

	attach(r);
	watched = slice(r);
	watched += slice(r);
	detach(r);
	plain += slice(r);
	r->plain[round] = plain / 2;
	r->watched[round] = watched / 2;
	r->ratio[round] = watched / plain;
}

/* A measurement of programs that missed something shows nothing. */
static void check_seen(struct run *r, int rounds)
{
	const uint64_t touched = 2ul * (uint64_t)rounds * (SLICE / PAGE);
	struct faults_total total;

	if (!r->faults)
		return;
	if (faults_read(r->faults, &total, NULL, NULL) != 0)
		fail("threads cannot be read");
	if (r->mode->wanted.stream_bytes && faults_release(r->faults) == 0)
		faults_events(r->faults, count_event, r);
	if (r->mode->followed ? total.counts.user < touched : total.counts.user > touched / 100)
		fprintf(stderr, "%s: %llu faults were seen, and %llu pages touched\n",
			r->mode->name, total.counts.user, (unsigned long long)touched);
	else if (total.events_dropped || total.units_refused)
		fprintf(stderr, "%s: %llu events were lost, %llu units had no place\n",
			r->mode->name, (unsigned long long)total.events_dropped,
			(unsigned long long)total.units_refused);
	/* The last fault of each stretch is settled by the next exception. */
	else if (r->mode->wanted.stream_bytes && r->events + 2 < touched)
		fprintf(stderr, "%s: %llu events of %llu faults\n", r->mode->name,
			(unsigned long long)r->events, (unsigned long long)touched);
	else
		return;
	exit(2);
}

static void open_programs(struct run *r, pid_t other)
{
	struct unable why;

	if (r->mode->attached == EMPTY)
		return;
	if (faults_open(&r->faults, &r->mode->wanted, &why) != 0) {
		printf("SKIP: %s\n", why.text);
		exit(77);
	}
	if (faults_follow(r->faults, session_pidfd(r->mode->followed ? r->toucher : other)) != 0)
		fail("the process cannot be followed");
	detach(r);
}

/* --- the answer ----------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of sorted values. */
static double middle(const double *v, int count)
{
	return count % 2 ? v[count / 2] : (v[count / 2 - 1] + v[count / 2]) / 2;
}

static double median(double *v, int count)
{
	qsort(v, (size_t)count, sizeof(*v), by_size);
	return middle(v, count);
}

/* Half the interval that has the median of all with 95 %: by the binomial law of how many of
 * `count` sorted values lie below it, whatever they are like. */
static double uncertainty(const double *sorted, int count)
{
	int out = (int)floor(((double)count - 1.96 * sqrt(count)) / 2);

	if (out < 0)
		out = 0;
	return (sorted[count - 1 - out] - sorted[out]) / 2;
}

static int report(struct run *r, int rounds)
{
	const struct mode *m = r->mode;
	const double plain = median(r->plain, rounds), watched = median(r->watched, rounds);
	const double more = 100 * (median(r->ratio, rounds) - 1);
	const int missed = m->bar > 0 && more > m->bar;

	printf("%-10s %9.0f %9.0f %+7.1f%% %6.1f%%", m->name, plain, watched, more,
	       100 * uncertainty(r->ratio, rounds));
	if (m->bar > 0)
		printf(" %5.0f%% %s", m->bar, missed ? "MISSED" : "met");
	putchar('\n');
	fflush(stdout);
	return missed;
}

static int measure(const struct mode *m, int rounds, pid_t other)
{
	struct run *r = calloc(1, sizeof(*r));
	int missed;

	if (!r)
		fail("memory");
	r->mode = m;
	start_toucher(r);
	open_programs(r, other);
	slice(r); /* the memory is warm from here on */
	for (int round = 0; round < rounds; round++)
		one_round(r, round);
	check_seen(r, rounds);
	if (r->faults)
		faults_close(r->faults);
	end_toucher(r);
	missed = report(r, rounds);
	free(r);
	return missed;
}

static pid_t start_other(void)
{
	const pid_t other = fork();

	if (other < 0)
		fail("fork");
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return other;
}

/* Whether a mode is among those that were named, or none was. */
static int wanted(const struct mode *m, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], m->name) == 0)
			return 1;
	}
	return argc <= 2;
}

static int known(const char *name)
{
	for (size_t i = 0; i < MODES; i++) {
		if (strcmp(name, modes[i].name) == 0)
			return 1;
	}
	return 0;
}

static void check_arguments(int argc, char **argv, int rounds)
{
	int right = rounds >= 1 && rounds <= ROUNDS;

	for (int i = 2; i < argc; i++)
		right &= known(argv[i]);
	if (right)
		return;
	fprintf(stderr, "usage: fault_overhead [ROUNDS [MODE]...], 1 to %d; modes are", ROUNDS);
	for (size_t i = 0; i < MODES; i++)
		fprintf(stderr, " %s", modes[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 300;
	int missed = 0;
	pid_t other;

	check_arguments(argc, argv, rounds);
	other = start_other();
	run_on(0);
	printf("%-10s %9s %9s %8s %7s %6s\n", "mode", "ns/fault", "watched", "more", "+-", "bar");
	for (size_t i = 0; i < MODES; i++) {
		if (wanted(&modes[i], argc, argv))
			missed += measure(&modes[i], rounds, other);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return missed > 0;
}
