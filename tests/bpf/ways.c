/*
 * ways FACT - what can be seen in several ways is the same by each that this kernel allows, and is what the
 * kernel itself accounts. The ways are tried side by side, on one run of one child.
 *
 *     ends     of faults: by the function's return, by perf: as many as faults had an exception
 *     splits   of huge mappings: by entering the function, by a probe: as many as /proc/vmstat counts
 *     pageout  pages by MADV_PAGEOUT: by tracepoint, return or return probe: as many as are gone
 *
 * What the kernel allows must be used, and where it allows nothing the loader must say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/faults.h"
#include "bpf/reclaim.h"
#include "bpf/session.h"
#include "bpf/stall.h"
#include "bpf/thp.h"
#include "test.h"

#define PAGE	 4096ul
#define HUGE	 (2ul << 20)
#define PAGES	 4096ul /* 16 MB */
#define BYTES	 (PAGES * PAGE)
#define HUGES	 16ul
#define FAILURES 16

static char file_path[] = "/var/tmp/predicomp-ways-XXXXXX";

/* --- the child ------------------------------------------------------------------------------ */

struct child {
	pid_t pid;
	int pidfd, to, from;
};

/* What the child tells when it has worked: what the fact must be. */
typedef long work_fn(void);

_Noreturn static void be_child(work_fn *work, int to, int from)
{
	long told;
	char word;

	if (read(from, &word, 1) != 1)
		_exit(0); /* the parent skips */
	told = work();
	check(write(to, &told, sizeof(told)) == sizeof(told), "write");
	if (read(from, &word, 1) == 1)
		_exit(0);
	_exit(1);
}

static void start(struct child *c, work_fn *work)
{
	int down[2], up[2];

	check(pipe(down) == 0 && pipe(up) == 0, "pipe");
	c->pid = fork();
	check(c->pid >= 0, "fork");
	if (c->pid == 0)
		be_child(work, up[1], down[0]);
	c->to = down[1];
	c->from = up[0];
	c->pidfd = session_pidfd(c->pid);
	check(c->pidfd >= 0, "pidfd");
}

static long let_work(const struct child *c)
{
	long told;

	check(write(c->to, "", 1) == 1, "write");
	check(read(c->from, &told, sizeof(told)) == sizeof(told), "read");
	return told;
}

static void end(const struct child *c)
{
	check(write(c->to, "", 1) == 1, "write");
	check(waitpid(c->pid, NULL, 0) == c->pid, "wait");
}

static char *map(size_t bytes, int advice)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED && madvise(p, bytes, advice) == 0, "mmap");
	return p;
}

/* --- the ways ------------------------------------------------------------------------------- */

/* How often the fact was seen, by which way; `by` is NULL where there was none. */
struct seen {
	const char *by;
	unsigned long long count;
};

static const struct way {
	const char *name;
	unsigned forgone;
} ways[] = {
    {"the best", 0},
    {"a probe", SESSION_FUNCTIONS},
    {"neither", SESSION_FUNCTIONS | SESSION_PROBES},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* The section of a loader's answer begins so, where this kernel allows it; else it is not that. */
static int judge_choice(const struct seen *seen, const char *prefix, int able)
{
	const int chosen = seen->by && strncmp(seen->by, prefix, strlen(prefix)) == 0;

	if (chosen == able)
		return 0;
	printf("FAIL: %s is %s here, and was %schosen\n", prefix, able ? "possible" : "impossible",
	       chosen ? "" : "not ");
	return 1;
}

static int judge_count(const struct way *way, const struct seen *seen, unsigned long long expected)
{
	printf("%s: %s: %llu of %llu\n", way->name, seen->by ? seen->by : "none", seen->count,
	       expected);
	if (seen->by ? seen->count == expected : seen->count == 0)
		return 0;
	puts("FAIL: not what the kernel accounts");
	return 1;
}

/* --- ends of faults ------------------------------------------------------------------------- */

/* Reading beyond the end of a file gets no page: such faults have an end, but resolve nothing. */
static void fail_to_fault(void)
{
	const int fd = memfd_create("empty", MFD_CLOEXEC);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int ends[2];

	check(fd >= 0 && p != MAP_FAILED && pipe(ends) == 0, "memfd");
	for (int i = 0; i < FAILURES; i++)
		check(write(ends[1], p, 1) < 0 && errno == EFAULT, "a write from beyond the end");
}

/* Exceptions of both modes, with some that a system call has of its own, which are not stalls. */
static long fault(void)
{
	const int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct rusage before, after;
	volatile char *p;
	char *q;

	p = map(BYTES, MADV_NOHUGEPAGE);
	q = map(BYTES, MADV_NOHUGEPAGE);
	check(getrusage(RUSAGE_SELF, &before) == 0, "getrusage");
	for (size_t i = 0; i < BYTES; i += PAGE)
		p[i] = 1;
	check(read(zeros, q, BYTES / 2) == (ssize_t)(BYTES / 2), "read");
	check(madvise(q + BYTES / 2, BYTES / 2, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE");
	fail_to_fault();
	check(getrusage(RUSAGE_SELF, &after) == 0, "getrusage");
	return after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt -
	       (long)(PAGES / 2);
}

static unsigned long long ends_of(const struct histogram *h)
{
	return h[STALL_RAN].count + h[STALL_UFFD].count + h[STALL_OTHER].count;
}

/* The way of perf has an event for each end, so all are counted; which the last way must be. */
static int judge_ends(const struct way *way, const struct stall *s, long expected)
{
	const struct seen seen = {stall_ends_by(s), ends_of(stall_histograms(s))};
	const int by_function =
	    !(way->forgone & SESSION_FUNCTIONS) && able_to_enter("handle_mm_fault");

	printf("%s: %s: %llu, and %ld are known; %llu untimed\n", way->name, seen.by, seen.count,
	       expected, (unsigned long long)stall_untimed(s));
	/* That a fault failed shows at the next one; one write may try more than once. */
	if (stall_untimed(s) < FAILURES - 1 || stall_untimed(s) > FAILURES * 4 ||
	    seen.count < (unsigned long long)expected ||
	    seen.count > (unsigned long long)expected + 64)
		return 1;
	return judge_choice(&seen, by_function ? "fexit/" : "perf", 1);
}

static int test_ends(void)
{
	struct stall *s[WAYS];
	struct unable why;
	struct child c;
	long expected;
	int wrong = 0;

	start(&c, fault);
	for (size_t i = 0; i < WAYS; i++) {
		session_forgo(ways[i].forgone);
		check_open(stall_open(&s[i], &why), &why);
		check_open(stall_follow(s[i], c.pid, c.pidfd, &why), &why);
	}
	expected = let_work(&c);
	for (size_t i = 0; i < WAYS; i++) {
		wrong += judge_ends(&ways[i], s[i], expected);
		wrong += ends_of(stall_histograms(s[i])) != ends_of(stall_histograms(s[0])) ||
			 stall_untimed(s[i]) != stall_untimed(s[0]);
	}
	if (wrong)
		puts("FAIL: the ways do not agree, or see what is not there");
	end(&c);
	for (size_t i = 0; i < WAYS; i++)
		stall_close(s[i]);
	return wrong;
}

/* --- splits --------------------------------------------------------------------------------- */

/* A mapping of a huge page that loses one small page of it is split. */
static long split(void)
{
	char *p = map((HUGES + 1) * HUGE, MADV_HUGEPAGE);
	char *first = p + (HUGE - (size_t)p % HUGE) % HUGE;

	memset(first, 1, HUGES * HUGE);
	for (size_t i = 0; i < HUGES; i++)
		check(madvise(first + i * HUGE + PAGE, PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	return 0;
}

static unsigned long long vmstat(const char *wanted)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long long value, found = 0;
	char name[64];

	check(file != NULL, "/proc/vmstat");
	while (fscanf(file, "%63s %llu", name, &value) == 2) {
		if (strcmp(name, wanted) == 0)
			found = value;
	}
	fclose(file);
	return found;
}

static int judge_splits(const struct way *way, const struct thp *t, unsigned long long huge)
{
	const struct seen seen = {thp_splits_by(t), thp_read(t)->splits};
	const int functions =
	    !(way->forgone & SESSION_FUNCTIONS) && able_to_enter("__split_huge_pmd");
	const int probes =
	    !functions && !(way->forgone & SESSION_PROBES) && able_to_probe("__split_huge_pmd");

	return judge_count(way, &seen, huge) + judge_choice(&seen, "fentry/", functions) +
	       judge_choice(&seen, "kprobe/", probes) +
	       (thp_sees_splits(t) != (functions || probes));
}

/* The machine's count may have others' in it; the child had as many as it had huge pages. */
static int test_splits(void)
{
	struct thp *t[WAYS];
	struct unable why;
	struct child c;
	unsigned long long huge, all;
	int wrong = 0;

	start(&c, split);
	for (size_t i = 0; i < WAYS; i++) {
		session_forgo(ways[i].forgone);
		check_open(thp_open(&t[i], c.pidfd, &why), &why);
	}
	all = vmstat("thp_split_pmd");
	let_work(&c);
	all = vmstat("thp_split_pmd") - all;
	huge = thp_read(t[0])->faults;
	printf("%llu huge pages, the machine had %llu splits\n", huge, all);
	for (size_t i = 0; i < WAYS; i++)
		wrong += judge_splits(&ways[i], t[i], huge);
	if (all < huge) {
		puts("FAIL: less splits than huge pages that lost a small one");
		wrong++;
	}
	end(&c);
	for (size_t i = 0; i < WAYS; i++)
		thp_close(t[i]);
	if (!wrong && !huge)
		skip("the kernel gives no huge page");
	return wrong;
}

/* --- pageout -------------------------------------------------------------------------------- */

static unsigned char is_in[PAGES];

static long resident(char *p)
{
	long n = 0;

	check(mincore(p, BYTES, is_in) == 0, "mincore");
	for (size_t i = 0; i < PAGES; i++)
		n += is_in[i] & 1;
	return n;
}

/* Clean pages of a file of one's own: they need no swap. */
static long page_out(void)
{
	const int fd = open(file_path, O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	long before;

	check(fd >= 0 && p != MAP_FAILED, file_path);
	before = resident(p);
	check(madvise(p, BYTES, MADV_PAGEOUT) == 0, "MADV_PAGEOUT");
	return before - resident(p);
}

static int judge_pageout(const struct way *way, const struct reclaim *r, long gone)
{
	const int traced = able_to_trace("mm_vmscan_reclaim_pages");
	const int functions =
	    !traced && !(way->forgone & SESSION_FUNCTIONS) && able_to_enter("reclaim_pages");
	const int probes = !traced && !functions && !(way->forgone & SESSION_PROBES) &&
			   able_to_probe("reclaim_pages");
	struct reclaim_reading reading;
	struct seen seen;

	reclaim_read(r, &reading);
	seen = (struct seen){reading.pageout_by, reading.counts.pageout_pages};
	return judge_count(way, &seen, (unsigned long long)gone) +
	       judge_choice(&seen, "tp_btf/", traced) + judge_choice(&seen, "fexit/", functions) +
	       judge_choice(&seen, "kretprobe/", probes);
}

static void make_file(void)
{
	char block[PAGE];
	int fd = mkstemp(file_path);

	check(fd >= 0, file_path);
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < PAGES; i++)
		check(write(fd, block, sizeof(block)) == sizeof(block), file_path);
	check(fsync(fd) == 0, file_path);
	close(fd);
}

static void remove_file(void)
{
	unlink(file_path);
}

static int test_pageout(void)
{
	struct reclaim_wanted wanted = {.cgroup = -1};
	struct reclaim *r[WAYS];
	struct unable why;
	struct child c;
	long gone;
	int wrong = 0;

	make_file(); /* the child opens it by its name */
	atexit(remove_file);
	start(&c, page_out);
	wanted.pidfd = c.pidfd;
	for (size_t i = 0; i < WAYS; i++) {
		session_forgo(ways[i].forgone);
		check_open(reclaim_open(&r[i], &wanted, &why), &why);
	}
	gone = let_work(&c);
	for (size_t i = 0; i < WAYS; i++)
		wrong += judge_pageout(&ways[i], r[i], gone);
	end(&c);
	for (size_t i = 0; i < WAYS; i++)
		reclaim_close(r[i]);
	if (!wrong && !gone)
		skip("MADV_PAGEOUT takes nothing of a file in /var/tmp");
	return wrong;
}

static const struct {
	const char *name;
	int (*run)(void);
} facts[] = {
    {"ends", test_ends},
    {"splits", test_splits},
    {"pageout", test_pageout},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (strcmp(argv[1], facts[i].name) == 0)
			return facts[i].run() > 0;
	}
	return 2;
}
