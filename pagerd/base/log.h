/*
 * log.h - one line, one write(2), on the program's standard error.
 *
 * DESIGN  Every line starts with "predicomp[PID]: ". Pager threads have a descriptor table of their
 *       own without the program's standard error, so they borrow it for the length of a line
 *       (log_set_borrow(), by pager_start()). At most LOG_LINES_MAX lines below
 *       error level are written in a process's life; then one says so. A line that would have to
 *       wait, or would raise SIGPIPE, is lost instead: a reader that has stopped reading must not
 *       stop a pager or kill a program.
 * THREADS any; never takes a lock.
 */
#ifndef PC_BASE_LOG_H
#define PC_BASE_LOG_H

#include "base/types.h"

enum log_level { LOG_OFF, LOG_ERROR, LOG_INFO, LOG_DEBUG };

#define LOG_LINES_MAX 200u

void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/*
 * Called to get a descriptor to write to; *close_it says whether log closes it afterwards.
 * Default: 2, kept open.
 */
typedef int log_borrow_fn(bool *close_it);
void log_set_borrow(log_borrow_fn *fn);

/* `what`, then up to two "name=value" facts where the names are not NULL. Values are shown signed,
 * for many are a -errno. */
void log_line(enum log_level level, const char *what, const char *name1, uint64_t value1,
	      const char *name2, uint64_t value2);
/* What is said before the process is ended: whatever the level, LOG=off included. */
void log_last_words(const char *what, uint64_t fact1, uint64_t fact2);
static inline void log_say(enum log_level level, const char *what)
{
	log_line(level, what, 0, 0, 0, 0);
}

#endif
