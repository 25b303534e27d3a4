#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static const char followed[] =
    "  -p, --pid PID      watch this process, its threads, and what it starts from now on\n";
static const char by_command[] =
    "  -- COMMAND         start a command and watch it from its first instruction on; the exit\n"
    "                     status is its own\n";
static const char intervals[] =
    "  --interval TIME    again each TIME (2, 500ms); after -p PID also as a bare argument\n"
    "  --count N          stop after N of them\n"
    "  --json             one object; with an interval one a line, the total last\n"
    "  --csv              the same as a header and rows\n";
static const char events[] = "  --json             one object a line\n"
			     "  --csv              a header and rows\n";
static const char once[] =
    "  --interval TIME    time between two looks (2, 500ms); after -p PID also as a\n"
    "                     bare argument\n"
    "  --count N          stop after N of them\n"
    "  --json             one object, at the end\n"
    "  --csv              the same as a header and rows\n";
static const char *const answers_help[] = {
    [WATCH_INTERVALS] = intervals, [WATCH_EVENTS] = events, [WATCH_ONCE] = once};

static const struct option own[] = {
    {"pid", required_argument, NULL, 'p'},   {"interval", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},
    {"csv", no_argument, NULL, 'c'},	     {"help", no_argument, NULL, 'h'},
};

#define OPTIONS_MAX 24

static void all_options(struct option all[OPTIONS_MAX], const struct option *more)
{
	size_t n = PC_ARRAY_LEN(own);

	memcpy(all, own, sizeof(own));
	for (; more && more->name && n + 1 < OPTIONS_MAX; more++)
		all[n++] = *more;
	all[n] = (struct option){0};
}

static bool is_own(int which)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(own); i++)
		if (own[i].val == which)
			return true;
	return false;
}

static int parse_number(const char *s, uint64_t *number)
{
	if (parse_u64(s, number) != 0 || *number == 0)
		return complain(STATUS_USAGE, "%s is not a number above 0", s);
	return STATUS_OK;
}

static int take_format(struct watch *w, enum watch_format format)
{
	if (w->format != WATCH_TEXT && w->format != format)
		return complain(STATUS_USAGE, "either --json or --csv, not both");
	w->format = format;
	return STATUS_OK;
}

static int take_own(struct watch *w, int which)
{
	switch (which) {
	case 'p':
		return parse_pid(optarg, &w->pid);
	case 'i':
		return parse_period(optarg, &w->interval);
	case 'n':
		return parse_number(optarg, &w->count);
	case 'j':
		return take_format(w, WATCH_JSON);
	case 'c':
		return take_format(w, WATCH_CSV);
	}
	return STATUS_OK;
}

static void help(const struct watch_verb *verb)
{
	show_help(verb->name, followed);
	fputs(by_command, stdout);
	fputs(answers_help[verb->answers], stdout);
	fputs(verb->details, stdout);
	if (verb->without)
		printf("Needs CAP_BPF and CAP_PERFMON. Without them: %s.\n", verb->without);
}

static int take_option(struct watch *w, const struct watch_verb *verb, void *arg, int which,
		       bool *helped)
{
	*helped = which == 'h';
	if (*helped)
		help(verb);
	if (*helped)
		return STATUS_OK;
	if (which == '?')
		return bad_usage(verb->name);
	return is_own(which) ? take_own(w, which) : verb->take(arg, which, optarg);
}

/* Up to what is no option, or help. */
static int take_options(struct watch *w, const struct watch_verb *verb, void *arg, int argc,
			char **argv, bool *helped)
{
	struct option all[OPTIONS_MAX];
	char letters[16];
	int err = STATUS_OK;
	int which;

	snprintf(letters, sizeof(letters), "+p:h%s", verb->letters ? verb->letters : "");
	all_options(all, verb->options);
	while (err == STATUS_OK && !*helped &&
	       (which = getopt_long(argc, argv, letters, all, NULL)) != -1)
		err = take_option(w, verb, arg, which, helped);
	return err;
}

/* What getopt stopped at: the command, an interval, or the end. */
static int take_word(struct watch *w, const struct watch_verb *verb, int argc, char **argv)
{
	if (optind == argc)
		return STATUS_OK;
	if (strcmp(argv[optind - 1], "--") == 0) {
		w->command = &argv[optind];
		return STATUS_OK;
	}
	/* What only goes with a process would be taken for one. */
	if (w->bare || (!w->pid && verb->scope == WATCH_ONE))
		return complain(STATUS_USAGE,
				"%s: a process stands after -p, a command after --, an interval "
				"after -p PID or --interval",
				argv[optind]);
	w->bare = true;
	return parse_period(argv[optind++], &w->interval);
}

static int check_sense(const struct watch *w, const struct watch_verb *verb)
{
	if (w->pid && w->command)
		return complain(STATUS_USAGE, "either -p PID or a command, not both");
	if (!w->pid && !w->command && verb->scope == WATCH_ONE)
		return complain(STATUS_USAGE,
				"%s wants -p PID or -- COMMAND; see predicomp %s --help",
				verb->name, verb->name);
	if (verb->answers == WATCH_EVENTS && (w->interval || w->count))
		return complain(STATUS_USAGE,
				"%s shows events as they come: it has no interval, and no --count",
				verb->name);
	if (w->count && !w->interval)
		return complain(STATUS_USAGE, "--count counts intervals: give one with --interval");
	return STATUS_OK;
}

int watch_parse(struct watch *w, const struct watch_verb *verb, void *arg, int argc, char **argv,
		bool *helped)
{
	int err = STATUS_OK;

	*w = (struct watch){.pidfd = -1, .hold = -1, .signals = -1};
	*helped = false;
	optind = 0;
	do {
		err = take_options(w, verb, arg, argc, argv, helped);
		if (err != STATUS_OK || *helped)
			return err;
		err = take_word(w, verb, argc, argv);
	} while (err == STATUS_OK && !w->command && optind < argc);
	return err == STATUS_OK ? check_sense(w, verb) : err;
}

int watch_unable(const struct watch_verb *verb, int err, const char *why)
{
	complain(STATUS_NO, "%s", why);
	if (verb->without)
		complain(STATUS_NO, "without it: %s", verb->without);
	return err == -EPERM ? STATUS_PERMISSION : STATUS_NO;
}

void watch_tell_refused(uint64_t processes)
{
	if (processes)
		complain(STATUS_NO, "%llu child processes were not followed: too many at a time",
			 (unsigned long long)processes);
}

/* --- start ---------------------------------------------------------------------------------- */

_Noreturn static void become_command(char **command, int hold)
{
	char go;

	/* An end instead of the word: the watcher could not attach, and has said so. */
	if (read(hold, &go, 1) != 1)
		_exit(STATUS_CANNOT_RUN);
	execvp(command[0], command);
	go = errno == ENOENT;
	complain(STATUS_CANNOT_RUN, "%s: %s", command[0], strerror(errno));
	_exit(go ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

static int start_command(struct watch *w)
{
	int ends[2];

	fflush(NULL);
	/* No pipe: when ^C has ended the command, the word is not to end the watcher by SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return complain(STATUS_NO, "socketpair: %s", strerror(errno));
	w->pid = fork();
	if (w->pid == 0) {
		close(ends[1]);
		become_command(w->command, ends[0]);
	}
	close(ends[0]);
	w->hold = ends[1];
	if (w->pid < 0)
		return complain(STATUS_NO, "fork: %s", strerror(errno));
	return STATUS_OK;
}

static int open_process(struct watch *w)
{
	w->pidfd = pidfd_open(w->pid, 0);
	if (w->pidfd >= 0)
		return STATUS_OK;
	if (errno == ESRCH)
		return complain(STATUS_NO_PROCESS, "there is no process %d", w->pid);
	/* ENOENT: on newer kernels */
	if (errno == EINVAL || errno == ENOENT)
		return complain(STATUS_NO_PROCESS, "%d is a thread; its process is wanted", w->pid);
	return complain(STATUS_NO, "process %d: %s", w->pid, strerror(errno));
}

static int catch_signals(struct watch *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return w->signals >= 0 ? STATUS_OK : complain(STATUS_NO, "signalfd: %s", strerror(errno));
}

int watch_start(struct watch *w)
{
	int err = w->command ? start_command(w) : STATUS_OK;

	if (err == STATUS_OK && w->pid)
		err = open_process(w);
	return err == STATUS_OK ? catch_signals(w) : err;
}

int watch_release(struct watch *w)
{
	w->began = now_monotonic();
	w->next = w->began + w->interval;
	if (w->hold < 0)
		return STATUS_OK;
	if (send(w->hold, "", 1, MSG_NOSIGNAL) != 1)
		return complain(STATUS_NO, "the command has died before it began");
	close(w->hold);
	w->hold = -1;
	return STATUS_OK;
}

/* --- wait ----------------------------------------------------------------------------------- */

static int milliseconds(pc_ns ns)
{
	return (int)PC_MIN((ns + PC_MS - 1) / PC_MS, 1000000ull);
}

enum watch_event watch_wait(struct watch *w, pc_ns at_most)
{
	struct pollfd fds[] = {
	    {.fd = w->signals, .events = POLLIN},
	    {.fd = w->pidfd, .events = POLLIN},
	};
	const pc_ns now = now_monotonic();
	pc_ns left = at_most ? at_most : 1000 * PC_SEC;

	if (w->interval)
		left = PC_MIN(left, w->next > now ? w->next - now : 0);
	if (poll(fds, PC_ARRAY_LEN(fds), milliseconds(left)) > 0)
		return WATCH_END;
	if (!w->interval || now_monotonic() < w->next)
		return WATCH_TIME;
	w->next += w->interval;
	if (w->count && ++w->shown >= w->count)
		return WATCH_END;
	return WATCH_INTERVAL;
}

uint64_t watch_elapsed_ms(const struct watch *w)
{
	return (now_monotonic() - w->began) / PC_MS;
}

/* The command's status as a shell has it; STATUS_OK while it still runs. */
static int command_status(const struct watch *w)
{
	int status;

	if (waitpid(w->pid, &status, WNOHANG) != w->pid)
		return STATUS_OK;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int watch_finish(struct watch *w, int status)
{
	if (w->hold >= 0) {
		close(w->hold); /* it was never let go */
		waitpid(w->pid, NULL, 0);
	} else if (w->command && status == STATUS_OK) {
		status = command_status(w);
	}
	if (w->pidfd >= 0)
		close(w->pidfd);
	if (w->signals >= 0)
		close(w->signals);
	return status;
}

void watch_head_total(const struct watch *w)
{
	if (w->format == WATCH_TEXT && w->interval)
		printf("%stotal%s\n", ink(stdout, INK_BOLD), ink(stdout, INK_PLAIN));
}

void watch_mark_total(const struct watch *w, struct json_object *object)
{
	json_object_object_add(object, "total", json_object_new_boolean(w->interval > 0));
}

void watch_say(const struct watch *w, struct json_object *object)
{
	json_say(object, w->interval ? JSON_SERIES : JSON_ALONE);
	json_object_put(object);
}
