/*
 * watch.h - the command line and the course of a verb that watches a process: -p PID, or --
 * COMMAND.
 *
 *     watch_parse()     -p PID [interval] | -- COMMAND, --interval, --count, --json, --csv, and the
 *                       verb's own options
 *     watch_start()     finds the process, or makes one that stands before its exec: what is
 * attached to it now sees the command from its first instruction on watch_release()   lets the
 * command go; the clock starts watch_wait()      until the next interval, or the end: the process
 * has ended, ^C, the count watch_finish()    the exit status: the command's own, as `predicomp run`
 * has it
 *
 * A watcher that is killed takes nothing with it: the command goes on, the programs are gone.
 */
#ifndef PC_TOOLS_WATCH_H
#define PC_TOOLS_WATCH_H

#include <getopt.h>

#include "json.h"
#include "tool.h"

/* When a verb answers: again each interval; with what happens, when it happens; or once, at the end. */
enum watch_answers { WATCH_INTERVALS, WATCH_EVENTS, WATCH_ONCE };

enum watch_format { WATCH_TEXT, WATCH_JSON, WATCH_CSV };

/* Whether a verb can do without a process: then it watches the machine. */
enum watch_scope { WATCH_ONE, WATCH_ONE_OR_ALL };

struct watch_verb {
	const char *name, *details;
	enum watch_scope scope;
	const struct option *options; /* the verb's own, ending with zeros; `val` not of [pinjch] */
	const char *letters;	      /* those that may be short, as getopt has it: "o:"; or NULL */
	int (*take)(void *arg, int which, const char *value); /* STATUS_OK or said */
	enum watch_answers answers;
	const char *without; /* what does without CAP_BPF and CAP_PERFMON; NULL: the verb itself */
};

struct watch {
	enum watch_format format;
	pc_ns interval; /* 0: one answer, at the end */
	uint64_t count; /* 0: until the end */
	char **command; /* NULL with -p */
	pid_t pid;	/* 0: all */
	int pidfd;	/* -1: all */
	/* below: watch.c's own */
	pc_ns began, next;
	uint64_t shown;
	int hold, signals;
	bool bare; /* the interval stood alone */
};

/* STATUS_OK, or what to exit with, said. *helped when help was all that was wanted. */
int watch_parse(struct watch *w, const struct watch_verb *verb, void *arg, int argc, char **argv,
		bool *helped);
/* The kernel's view cannot be had: says why, and what can. The status to exit with. */
int watch_unable(const struct watch_verb *verb, int err, const char *why);
/* Children that found no room in the kernel's table; 0 is no news. */
void watch_tell_refused(uint64_t processes);
int watch_start(struct watch *w);
int watch_release(struct watch *w);

enum watch_event { WATCH_TIME, WATCH_INTERVAL, WATCH_END };
/* Returns WATCH_TIME after `at_most` (0: no limit) when nothing else happened. */
enum watch_event watch_wait(struct watch *w, pc_ns at_most);

/* `status` unless that is STATUS_OK and a command ran to its end. */
int watch_finish(struct watch *w, int status);

/* seconds with milliseconds, for people and for JSON alike */
uint64_t watch_elapsed_ms(const struct watch *w);

/*
 * What sets the total apart from the intervals before it: a line of its own in a text; in JSON whether
 * there were any.
 */
void watch_head_total(const struct watch *w);
void watch_mark_total(const struct watch *w, struct json_object *object);

/* One document a line while intervals are shown, else indented. Frees `object`. */
void watch_say(const struct watch *w, struct json_object *object);

#endif
