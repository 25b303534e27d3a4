/*
 * tool.h - what the verbs of the command share.
 *
 * A verb is cmd_<name>(argc, argv) in a file of its own: argv[0] is the command's name, the rest
 * are its own arguments. It prints its answer on standard output, what went wrong in one line on
 * standard error, and returns an exit status of statuses.def.
 */
#ifndef PC_TOOLS_TOOL_H
#define PC_TOOLS_TOOL_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "base/types.h"

enum status {
#define PC_STATUS(id, number, text) STATUS_##id = number,
#include "statuses.def"
#undef PC_STATUS
};

#define PC_VERB(name, arguments, summary) int cmd_##name(int argc, char **argv);
#include "verbs.def"
#undef PC_VERB

/* Hidden: what `check` runs under the library. Touches memory and waits for end of input. */
#define VERB_PROBE "hold-memory"
int cmd_probe(int argc, char **argv);

/* "predicomp: ..." on standard error; returns `status`. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Usage of one verb and, below it, `details`. */
void show_help(const char *verb, const char *details);
/* After getopt has said what it does not know. */
int bad_usage(const char *verb);

int parse_pid(const char *s, pid_t *pid);	/* STATUS_OK or STATUS_USAGE, said */
int parse_period(const char *s, pc_ns *ns);	/* 2, 500ms, 1m; the same */
int one_pid(int argc, char **argv, pid_t *pid); /* the one argument left by getopt; the same */

pc_ns now_monotonic(void);
struct timespec as_timespec(pc_ns ns);
void pause_for(pc_ns ns); /* a signal may end it early */

/* Escape sequences for `stream`, or "" where it is no terminal or NO_COLOR is set. */
enum ink { INK_PLAIN, INK_BOLD, INK_GREEN, INK_YELLOW, INK_RED, INK_BLUE };
const char *ink(FILE *stream, enum ink which);

/* Text of a number in a buffer that the caller owns. */
struct cell {
	char s[32];
};
struct cell cell_size(int64_t bytes);
struct cell cell_time(pc_ns ns);
struct cell cell_count(uint64_t n);
struct cell cell_ratio(uint64_t thousandths);

#endif
