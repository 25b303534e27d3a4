#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "report/human.h"

static const struct {
	const char *name, *arguments;
} usages[] = {
#define PC_VERB(name, arguments, summary) {#name, arguments},
#include "verbs.def"
#undef PC_VERB
};

static const char *const inks[] = {
    [INK_PLAIN] = "\033[0m",   [INK_BOLD] = "\033[1m", [INK_GREEN] = "\033[32m",
    [INK_YELLOW] = "\033[33m", [INK_RED] = "\033[31m", [INK_BLUE] = "\033[34m",
};

int complain(int status, const char *format, ...)
{
	char line[PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fflush(stdout); /* what was said before comes before it */
	fprintf(stderr, "predicomp: %s\n", line);
	return status;
}

void show_help(const char *verb, const char *details)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(usages); i++) {
		if (strcmp(usages[i].name, verb) == 0)
			printf("usage: predicomp %s %s\n\n%s", verb, usages[i].arguments, details);
	}
}

int bad_usage(const char *verb)
{
	fprintf(stderr, "See predicomp %s --help.\n", verb);
	return STATUS_USAGE;
}

int parse_pid(const char *s, pid_t *pid)
{
	uint64_t number;

	if (parse_u64(s, &number) != 0 || number == 0 || number > INT_MAX)
		return complain(STATUS_USAGE, "%s is not a process number", s);
	*pid = (pid_t)number;
	return STATUS_OK;
}

int parse_period(const char *s, pc_ns *ns)
{
	uint64_t seconds;

	if (parse_u64(s, &seconds) == 0 && seconds <= 86400)
		*ns = seconds * PC_SEC;
	else if (parse_time(s, ns) != 0 || *ns > 86400 * PC_SEC)
		*ns = 0;
	if (*ns == 0)
		return complain(STATUS_USAGE,
				"%s is not a time above 0 and up to 24h: 2, 500ms, 1m", s);
	return STATUS_OK;
}

int one_pid(int argc, char **argv, pid_t *pid)
{
	if (optind + 1 != argc)
		return complain(STATUS_USAGE, "one process number is needed");
	return parse_pid(argv[optind], pid);
}

pc_ns now_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (pc_ns)now.tv_sec * PC_SEC + (pc_ns)now.tv_nsec;
}

struct timespec as_timespec(pc_ns ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / PC_SEC), .tv_nsec = (long)(ns % PC_SEC)};
}

void pause_for(pc_ns ns)
{
	const struct timespec ts = as_timespec(ns);

	nanosleep(&ts, NULL);
}

const char *ink(FILE *stream, enum ink which)
{
	const char *refused = getenv("NO_COLOR");

	if ((refused && *refused) || !isatty(fileno(stream)))
		return "";
	return inks[which];
}

struct cell cell_size(int64_t bytes)
{
	struct cell c;
	struct text t = text_begin(c.s, sizeof(c.s));

	human_size(&t, bytes);
	return c;
}

struct cell cell_time(pc_ns ns)
{
	struct cell c;
	struct text t = text_begin(c.s, sizeof(c.s));

	human_time(&t, ns);
	return c;
}

struct cell cell_count(uint64_t n)
{
	struct cell c;
	struct text t = text_begin(c.s, sizeof(c.s));

	human_count(&t, n);
	return c;
}

struct cell cell_ratio(uint64_t thousandths)
{
	struct cell c;
	struct text t = text_begin(c.s, sizeof(c.s));

	human_thousandths(&t, thousandths);
	return c;
}
