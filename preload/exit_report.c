#include "exit_report.h"

#include "base/atomic.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/stats.h"
#include "base/sys.h"
#include "base/text.h"
#include "pager.h"
#include "report/render.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES (PATH_MAX + PC_OPTION_TEXT)
#define TEXT_BYTES (2 * RENDER_CSV_BYTES)
#define LOCK_PATIENCE (5 * PC_SEC)

_Static_assert(RENDER_SUMMARY_BYTES <= TEXT_BYTES, "one buffer serves both");

static char summary_path[PATH_BYTES], csv_path[PATH_BYTES];
static char rendered[TEXT_BYTES]; /* too large for an unknown stack */

static void make_absolute(const char *path, char *out)
{
	struct text t;

	if (!path[0])
		return;
	t = text_begin(out, PATH_BYTES);
	/* The kernel's answer begins with "(unreachable)" when there is no path to here. */
	if (path[0] != '/' && SYS2(__NR_getcwd, out, PATH_MAX) > 0 && out[0] == '/') {
		t.len = strlen(out);
		text_char(&t, '/');
	}
	text_str(&t, path);
}

void exit_report_prepare(void)
{
	if (!text_equal(options.summary.s, "stderr"))
		make_absolute(options.summary.s, summary_path);
	make_absolute(options.csv.s, csv_path);
}

static int write_all(int fd, const struct text *t)
{
	long n = sys_write(fd, t->buf, t->len);

	if (n < 0)
		return (int)n;
	return (size_t)n == t->len && !t->truncated ? 0 : -ENOSPC;
}

/* Who else reports holds it for less than a millisecond; for who keeps it the program's end does not wait. */
static int lock_file(int fd)
{
	const pc_ns enough = sys_monotonic() + LOCK_PATIENCE;
	long err;

	while ((err = SYS2(__NR_flock, fd, LOCK_EX | LOCK_NB)) == -EWOULDBLOCK &&
	       sys_monotonic() < enough)
		sys_nap(PC_MS);
	return (int)err;
}

/* Closing gives the lock up. */
static int append(const char *path, const struct report *r,
		  void (*render)(const struct report *, struct text *, bool first))
{
	struct text t = text_begin(rendered, sizeof(rendered));
	/* A pipe that nobody reads is refused so, instead of holding the program's end up. */
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
	long fd = SYS4(__NR_openat, AT_FDCWD, path, flags, 0644);
	int err;

	if (fd < 0)
		return (int)fd;
	err = lock_file((int)fd);
	if (err)
		goto out;
	render(r, &t, SYS3(__NR_lseek, fd, 0, SEEK_END) == 0);
	err = write_all((int)fd, &t);
out:
	sys_close((int)fd);
	return err;
}

static void csv(const struct report *r, struct text *t, bool first)
{
	if (first)
		render_csv_header(r, t);
	render_csv_row(r, t);
}

static void summary(const struct report *r, struct text *t, bool first)
{
	if (!first)
		text_char(t, '\n');
	render_summary(r, t);
}

static int summary_to_stderr(const struct report *r)
{
	struct text t = text_begin(rendered, sizeof(rendered));

	render_summary(r, &t);
	return write_all(STDERR_FILENO, &t);
}

static void complain(const char *option, const char *path, int err)
{
	char line[256];
	struct text t = text_begin(line, sizeof(line));

	if (!err)
		return;
	text_str(&t, option);
	text_str(&t, " could not be written: ");
	text_shown(&t, path, sizeof(line) / 2);
	log_line(LOG_ERROR, line, "errno", (uint64_t)-err, NULL, 0);
}

/* Of what goes on counting, what it was at one moment; where there is no memory for that, as it is. */
static enum report_fault open_report(struct report *r, long copy)
{
	if (copy < 0)
		return report_open(r, stats_segment(), stats_segment_bytes(), sys_monotonic());
	stats_copy((void *)copy);
	return report_open(r, (void *)copy, stats_segment_bytes(), sys_monotonic());
}

static void write_from(long copy)
{
	struct report r;
	enum report_fault fault = open_report(&r, copy);

	if (fault) {
		log_say(LOG_INFO, report_fault_text(fault));
		return;
	}
	if (csv_path[0])
		complain("CSV", csv_path, append(csv_path, &r, csv));
	if (summary_path[0])
		complain("SUMMARY", summary_path, append(summary_path, &r, summary));
	else if (options.summary.s[0])
		complain("SUMMARY", "stderr", summary_to_stderr(&r));
}

static void write_reports(void)
{
	long copy;

	pager_begin_counting();
	/* A child of a fork that nobody saw has its parent's segment, which is not its to report. */
	if (stats_segment()->pid && stats_segment()->pid != (int)sys_getpid())
		return;
	copy = sys_mmap(NULL, stats_segment_bytes(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	write_from(copy);
	if (copy >= 0)
		sys_munmap((void *)copy, stats_segment_bytes());
}

#define BIT(signal) (1ull << ((signal)-1))

/* The two that a write raises, of this thread alone. */
static uint64_t hold_back(void)
{
	const uint64_t raised = BIT(SIGPIPE) | BIT(SIGXFSZ);
	uint64_t before = 0;

	SYS4(__NR_rt_sigprocmask, SIG_BLOCK, &raised, &before, sizeof(before));
	return before;
}

static void let_go(uint64_t before)
{
	const uint64_t raised = (BIT(SIGPIPE) | BIT(SIGXFSZ)) & ~before;
	const struct timespec at_once = {0, 0};

	while (SYS4(__NR_rt_sigtimedwait, &raised, NULL, &at_once, sizeof(raised)) > 0)
		;
	SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}

void exit_report(void)
{
	uint64_t before;

	if (!csv_path[0] && !options.summary.s[0])
		return;
	if (load_relaxed(&stats_segment()->inert_reason) == PC_INERT_SECCOMP)
		return;
	before = hold_back();
	write_reports();
	let_go(before);
}
