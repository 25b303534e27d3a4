/*
 * phases PHASE [late|crowded|probe] - what the loader of faults counts against what the kernel
 * accounts, for one way of bringing pages in.
 *
 * A child does the work between two stops. At both stops it is quiet, so that /proc/PID/stat and
 * the loader's totals are of one moment: minor and major must have grown by the same numbers to the
 * last fault, in the child's children too. Beside that each phase says what it must have looked
 * like.
 *
 * With `late` the kernel has no memory for a thread's record when it is born, and none may be lost
 * by that. With `crowded` all threads want the same place for it. With `probe` system calls' own
 * faults are seen by a kprobe although the kernel lets a program in at their function. Where they
 * are seen, they must be those that have no exception.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/faults.h"
#include "bpf/session.h"
#include "test.h"

#define PAGE   4096ul
#define PAGES  16384ul /* 64 MB */
#define BYTES  (PAGES * PAGE)
#define TRIES  1000
#define SLICES 64ul

static char file_path[] = "/var/tmp/predicomp-phases-XXXXXX";

/* --- the phases, in the child --------------------------------------------------------------- */

static char *fresh(int flags)
{
	char *p =
	    mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

static char *fresh_small(void)
{
	char *p = fresh(0);

	check(madvise(p, BYTES, MADV_NOHUGEPAGE) == 0, "MADV_NOHUGEPAGE");
	return p;
}

static void touch(volatile char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		p[i] = 1;
}

static unsigned look(const volatile char *p, size_t bytes)
{
	unsigned sum = 0;

	for (size_t i = 0; i < bytes; i += PAGE)
		sum += (unsigned)p[i];
	return sum;
}

static void phase_anon(void)
{
	touch(fresh_small(), BYTES);
}

static void phase_huge(void)
{
	char *p = fresh(0);

	check(madvise(p, BYTES, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
	touch(p, BYTES);
}

static void phase_zero(void)
{
	char *p = fresh_small();

	look(p, BYTES);
	touch(p, BYTES);
}

static char *map_file(int advice)
{
	int fd = open(file_path, O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);

	check(fd >= 0 && p != MAP_FAILED, file_path);
	if (advice == MADV_RANDOM)
		check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
	check(madvise(p, BYTES, advice) == 0, "madvise");
	return p;
}

static void phase_file_cold(void)
{
	look(map_file(MADV_RANDOM), BYTES);
}

/* What the kernel has of a file it may drop at any time, as a machine's host can ask it to. */
static void warm_file(void)
{
	int fd = open(file_path, O_RDONLY | O_CLOEXEC);
	char block[PAGE];

	check(fd >= 0, file_path);
	while (read(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void phase_file_warm(void)
{
	warm_file();
	look(map_file(MADV_NORMAL), BYTES);
}

static void phase_read(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char *p = fresh_small();

	check(read(fd, p, BYTES) == (ssize_t)BYTES, "read");
}

static void *touch_half(void *p)
{
	touch(p, BYTES / 2);
	return NULL;
}

static void phase_threads(void)
{
	char *p = fresh_small();
	pthread_t thread[2];

	for (size_t i = 0; i < 2; i++)
		check(pthread_create(&thread[i], NULL, touch_half, p + i * BYTES / 2) == 0,
		      "thread");
	for (size_t i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

static void *touch_slice(void *p)
{
	touch(p, BYTES / SLICES);
	return NULL;
}

static void phase_churn(void)
{
	char *p = fresh_small();
	pthread_t thread;

	for (size_t i = 0; i < SLICES; i++) {
		check(pthread_create(&thread, NULL, touch_slice, p + i * BYTES / SLICES) == 0,
		      "thread");
		pthread_join(thread, NULL);
	}
}

static void phase_fork(void)
{
	char *p = fresh_small();
	pid_t child;

	touch(p, BYTES);
	child = fork();
	check(child >= 0, "fork");
	if (child == 0) {
		touch(p, BYTES);
		_exit(0);
	}
	check(waitpid(child, NULL, 0) == child, "wait");
	touch(p, BYTES / 2);
}

static void phase_exec(void)
{
	for (int i = 0; i < 8; i++)
		check(system("/bin/true") == 0, "/bin/true");
}

static void phase_populate(void)
{
	fresh(MAP_POPULATE);
}

static sigjmp_buf landing;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(landing, 1);
}

static void phase_segv(void)
{
	volatile char *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int i = 0;

	signal(SIGSEGV, on_fault);
	for (; i < TRIES; i++) {
		if (sigsetjmp(landing, 1) == 0)
			*p = 1;
	}
}

static void phase_swap(void)
{
	char *p = fresh_small();

	touch(p, BYTES);
	check(madvise(p, BYTES, MADV_PAGEOUT) == 0, "MADV_PAGEOUT");
	look(p, BYTES);
}

/* --- what each must look like --------------------------------------------------------------- */

/* A few faults more are the phase's own code and stack. */
#define NEAR(value, expected) ((value) >= (expected) && (value) <= (expected) + 512)

static int is_anon(const struct fault_counts *c)
{
	return NEAR(c->user, PAGES) && NEAR(c->minor, PAGES) && c->major == 0 && fault_gup(c) == 0;
}

static int is_huge(const struct fault_counts *c)
{
	return c->minor >= PAGES / 512 && c->minor < PAGES / 8 && fault_gup(c) == 0;
}

static int is_zero(const struct fault_counts *c)
{
	return NEAR(c->user, 2 * PAGES) && c->failed == 0;
}

static int is_file_cold(const struct fault_counts *c)
{
	return c->major >= PAGES / 2 && fault_gup(c) == 0;
}

static int is_file_warm(const struct fault_counts *c)
{
	return c->minor >= PAGES / 64 && c->minor < PAGES && c->major == 0;
}

static int is_read(const struct fault_counts *c)
{
	return NEAR(c->kernel, PAGES) && NEAR(c->minor, PAGES) && fault_gup(c) == 0;
}

/* Each thread has faults of its own stack. */
static int is_churn(const struct fault_counts *c)
{
	return c->user >= PAGES && c->minor >= PAGES && c->major == 0 && fault_gup(c) == 0;
}

static int is_fork(const struct fault_counts *c)
{
	return NEAR(c->minor, PAGES * 5 / 2) && c->user >= PAGES * 5 / 2;
}

static int is_exec(const struct fault_counts *c)
{
	return fault_gup(c) >= 8 && c->minor > 8 * 30;
}

static int is_populate(const struct fault_counts *c)
{
	return fault_gup(c) >= PAGES / 512 && c->user < 512;
}

static int is_segv(const struct fault_counts *c)
{
	/* The last is still held: nothing has shown yet how it went. */
	return c->failed >= TRIES - 1 && c->failed < TRIES + 16 && c->user >= TRIES;
}

static int is_swap(const struct fault_counts *c)
{
	return c->major > 0 && NEAR(c->minor + c->major, c->user);
}

static const struct phase {
	const char *name;
	void (*run)(void);
	int (*looks_right)(const struct fault_counts *c);
} phases[] = {
    {"anon", phase_anon, is_anon},
    {"huge", phase_huge, is_huge},
    {"zero", phase_zero, is_zero},
    {"file_cold", phase_file_cold, is_file_cold},
    {"file_warm", phase_file_warm, is_file_warm},
    {"read", phase_read, is_read},
    {"threads", phase_threads, is_anon},
    {"churn", phase_churn, is_churn},
    {"fork", phase_fork, is_fork},
    {"exec", phase_exec, is_exec},
    {"populate", phase_populate, is_populate},
    {"segv", phase_segv, is_segv},
    {"swap", phase_swap, is_swap},
};

/* --- the parent ----------------------------------------------------------------------------- */

struct moment {
	unsigned long long minor, major; /* of /proc, children that were waited for included */
	struct faults_total total;
};

static void read_moment(struct faults *f, pid_t pid, struct moment *m)
{
	unsigned long long v[4];
	char path[64], line[1024];
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = sscanf(stat_fields(path, line, sizeof(line)),
		   "%*c %*d %*d %*d %*d %*d %*u %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3]);
	check(n == 4, path);
	m->minor = v[0] + v[1];
	m->major = v[2] + v[3];
	check(faults_read(f, &m->total, NULL, NULL) == 0, "faults_read");
}

static void step(int fd)
{
	check(write(fd, "", 1) == 1, "write");
}

static void stop(int fd)
{
	char word;

	check(read(fd, &word, 1) == 1, "read");
}

/* While the child works, what is read never goes back: a thread that ends is not lost in between. */
static int read_meanwhile(struct faults *f, int from)
{
	struct pollfd end = {.fd = from, .events = POLLIN};
	struct faults_total total;
	unsigned long long last = 0, now;
	int wrong = 0, reads = 0;

	for (; poll(&end, 1, 1) == 0; reads++) {
		check(faults_read(f, &total, NULL, NULL) == 0, "faults_read");
		now = total.counts.minor + total.counts.major;
		wrong += now < last;
		last = now;
	}
	stop(from);
	printf("%d times read meanwhile\n", reads);
	if (wrong)
		printf("FAIL: %d times there were less faults than before\n", wrong);
	return wrong;
}

/* Not exit(): what the parent registered is not the child's to do. */
_Noreturn static void be_child(const struct phase *phase, int to, int from)
{
	step(to);
	stop(from);
	phase->run();
	step(to);
	stop(from);
	_exit(0);
}

static pid_t start_child(const struct phase *phase, int *to, int *from)
{
	int down[2], up[2];
	pid_t pid;

	check(pipe(down) == 0 && pipe(up) == 0, "pipe");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0)
		be_child(phase, up[1], down[0]);
	*to = down[1];
	*from = up[0];
	return pid;
}

static void make_file(void)
{
	char block[65536];
	int fd = mkstemp(file_path);

	check(fd >= 0, file_path);
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < BYTES; i += sizeof(block))
		check(write(fd, block, sizeof(block)) == (ssize_t)sizeof(block), file_path);
	check(fsync(fd) == 0, "fsync");
	close(fd);
}

static void remove_file(void)
{
	unlink(file_path);
}

static int has_swap(void)
{
	char line[256];
	FILE *file = fopen("/proc/swaps", "re");
	int lines = 0;

	while (file && fgets(line, sizeof(line), file))
		lines++;
	if (file)
		fclose(file);
	return lines > 1;
}

static struct fault_counts difference(const struct fault_counts *a, const struct fault_counts *b)
{
	return (struct fault_counts){b->minor - a->minor,   b->major - a->major,
				     b->user - a->user,	    b->kernel - a->kernel,
				     b->failed - a->failed, b->gup - a->gup};
}

static int judge(const struct phase *phase, const struct moment *before, const struct moment *after)
{
	struct fault_counts c = difference(&before->total.counts, &after->total.counts);
	int exact =
	    c.minor == after->minor - before->minor && c.major == after->major - before->major;

	printf("%s: minor %llu (/proc %llu), major %llu (%llu), user %llu, kernel %llu, gup %llu, "
	       "failed %llu\n",
	       phase->name, c.minor, after->minor - before->minor, c.major,
	       after->major - before->major, c.user, c.kernel, (unsigned long long)fault_gup(&c),
	       c.failed);
	if (!exact)
		puts("FAIL: not what /proc says");
	if (!phase->looks_right(&c))
		puts("FAIL: not what this phase must look like");
	return !exact || !phase->looks_right(&c);
}

/* What was seen at their function is what has no exception, to the last. */
static int judge_gup(const struct moment *before, const struct moment *after, const char *by)
{
	struct fault_counts c = difference(&before->total.counts, &after->total.counts);
	const int wrong = c.gup != (by ? fault_gup(&c) : 0);

	printf("gup by %s: %llu\n", by ? by : "difference", c.gup);
	if (wrong)
		puts("FAIL: not those without an exception");
	return wrong;
}

/* Of births that found no memory: they happened, and nothing that they raised was lost. */
static int judge_births(const struct moment *m, const struct faults_wanted *wanted)
{
	printf("births missed %llu, exceptions missed %llu\n",
	       (unsigned long long)m->total.births_missed,
	       (unsigned long long)m->total.exceptions_missed);
	if (m->total.exceptions_missed)
		puts("FAIL: exceptions were lost");
	if (wanted->births_lost && !m->total.births_missed)
		puts("FAIL: every birth found memory");
	return m->total.exceptions_missed || (wanted->births_lost && !m->total.births_missed);
}

static int run(const struct phase *phase, const struct faults_wanted *wanted)
{
	struct moment before, after;
	struct faults *f;
	struct unable why;
	int to, from, wrong;
	pid_t pid;

	check_open(faults_open(&f, wanted, &why), &why);
	pid = start_child(phase, &to, &from);
	stop(from);
	check(faults_follow(f, session_pidfd(pid)) == 0, "faults_follow");
	read_moment(f, pid, &before);
	step(to);
	wrong = read_meanwhile(f, from);
	read_moment(f, pid, &after);
	step(to);
	check(waitpid(pid, NULL, 0) == pid, "wait");
	wrong += judge(phase, &before, &after) + judge_births(&after, wanted) +
		 judge_gup(&before, &after, faults_gup_by(f));
	faults_close(f);
	return wrong > 0;
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[2] : "";
	const bool late = strcmp(how, "late") == 0, probe = strcmp(how, "probe") == 0;
	const bool crowded = strcmp(how, "crowded") == 0;
	const struct faults_wanted wanted = {.births_lost = late ? UINT32_MAX : 0,
					     .crowded = crowded};
	int wrong = 2;

	if (argc < 2 || argc > 3 || (argc == 3 && !late && !crowded && !probe))
		return wrong;
	if (probe && !able_to_probe("handle_mm_fault"))
		skip("this kernel has no kprobes, or not for this user");
	if (probe)
		session_forgo(SESSION_FUNCTIONS);
	if (strcmp(argv[1], "swap") == 0 && !has_swap())
		skip("no swap is on");
	make_file();
	atexit(remove_file);
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (strcmp(argv[1], phases[i].name) == 0)
			wrong = run(&phases[i], &wanted);
	}
	return wrong;
}
