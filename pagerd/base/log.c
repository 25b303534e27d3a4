#include "base/log.h"

#include "base/atomic.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <poll.h>
#include <time.h>

/* Room for an option_error and its surroundings; below PIPE_BUF, so that lines never mix. */
#define LINE_BYTES 640u

static int borrow_stderr(bool *close_it)
{
	*close_it = false;
	return 2;
}

static enum log_level threshold = LOG_ERROR;
static log_borrow_fn *borrow = borrow_stderr;
static uint32_t lines_spent;

void log_set_level(enum log_level level)
{
	store_relaxed(&threshold, level);
}

bool log_wants(enum log_level level)
{
	return level != LOG_OFF && level <= load_relaxed(&threshold);
}

void log_set_borrow(log_borrow_fn *fn)
{
	store_relaxed(&borrow, fn);
}

static bool takes_a_line(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	struct timespec at_once = {0, 0};

	return sys_poll(&p, 1, &at_once) == 1 && p.revents == POLLOUT;
}

static void write_line(const char *line, size_t bytes)
{
	bool close_it = false;
	int fd = load_relaxed(&borrow)(&close_it);

	if (fd < 0)
		return;
	/* A failed write has nowhere to be told. */
	if (takes_a_line(fd))
		sys_write(fd, line, bytes);
	if (close_it)
		sys_close(fd);
}

static void fact(struct text *t, const char *name, uint64_t value)
{
	if (!name)
		return;
	text_char(t, ' ');
	text_str(t, name);
	text_char(t, '=');
	text_i64(t, (int64_t)value);
}

static void compose(const char *what, const char *name1, uint64_t value1, const char *name2,
		    uint64_t value2)
{
	char line[LINE_BYTES];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, "predicomp[");
	text_i64(&t, sys_getpid());
	text_str(&t, "]: ");
	text_shown(&t, what, LINE_BYTES);
	fact(&t, name1, value1);
	fact(&t, name2, value2);
	if (t.truncated)
		memcpy(line + t.len - 3, "...", 3);
	line[t.len] = '\n';
	write_line(line, t.len + 1);
}

/* Looks before it adds, so that the count cannot wrap and let lines out again. */
static bool spend_line(void)
{
	uint32_t spent = load_relaxed(&lines_spent);

	if (spent <= LOG_LINES_MAX)
		spent = add_relaxed(&lines_spent, 1u);
	if (spent == LOG_LINES_MAX)
		compose("from here on only errors are told", NULL, 0, NULL, 0);
	return spent < LOG_LINES_MAX;
}

void log_line(enum log_level level, const char *what, const char *name1, uint64_t value1,
	      const char *name2, uint64_t value2)
{
	if (!log_wants(level))
		return;
	if (level == LOG_ERROR || spend_line())
		compose(what, name1, value1, name2, value2);
}

void log_last_words(const char *what, uint64_t fact1, uint64_t fact2)
{
	compose(what, "fact1", fact1, "fact2", fact2);
}
