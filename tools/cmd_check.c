/*
 * check - what this kernel and this user can do.
 *
 * The answer comes from the library itself, in a child under the same limits, filters and identity
 * as any program started here: nothing is probed twice, and nothing is guessed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"
#include "json.h"
#include "launch.h"

static const char details[] =
    "  --json    the answer as one object\n"
    "\n"
    "A small program is run under the library. Exit status 0: its memory was managed;\n"
    "1: it was left alone, and the lines say why; 6: neither after 10 seconds.\n";

static const struct option longs[] = {
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

#define START_TIMEOUT (10 * PC_SEC)
#define POLL_INTERVAL (20 * PC_MS)

enum need { NEEDED, OPTIONAL, FOR_MOVE, FOR_MADVISE };

static const struct {
	const char *id, *name;
	enum need need;
	const char *consequence, *remedy;
} caps[] = {
#define PC_CAP(id, name, need, consequence, remedy) {#id, name, need, consequence, remedy},
#include "predicomp/caps.def"
#undef PC_CAP
};

static const char *const need_word[] = {
    [NEEDED] = "needed",
    [OPTIONAL] = "optional",
    [FOR_MOVE] = "needed",
    [FOR_MADVISE] = "madvise",
};

struct child {
	pid_t pid;
	int hold; /* the child ends when this is closed */
	int said; /* its standard error */
};

struct verdict {
	enum status status;
	bool has_segment;
	int8_t cap[PC_ARRAY_LEN(caps)];
	const char *state, *reason, *hotness;
	pc_ns elapsed;
	char said[2048];
	char library[PATH_MAX];
};

/* --- the child ------------------------------------------------------------------------------ */

/* The user's own options must not decide the answer. */
static void drop_options(void)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++)
		if (strncmp(*entry, "PREDICOMP_", strlen("PREDICOMP_")) != 0)
			*kept++ = *entry;
	*kept = NULL;
}

_Noreturn static void become_child(const char *library, const int hold[2], const int said[2])
{
	char verb[] = VERB_PROBE;
	char name[] = "predicomp-check";
	char *argv[] = {name, verb, NULL};
	char self[PATH_MAX];

	drop_options();
	if (dup2(hold[0], STDIN_FILENO) < 0 || dup2(said[1], STDERR_FILENO) < 0 ||
	    launch_self(self) != STATUS_OK || launch_preload(library) != STATUS_OK ||
	    setenv("PREDICOMP_MIN_RSS", "0", 1) != 0 || setenv("PREDICOMP_LOG", "info", 1) != 0)
		_exit(STATUS_CANNOT_RUN);
	execv(self, argv);
	_exit(STATUS_CANNOT_RUN);
}

static int start_child(const char *library, struct child *child)
{
	int hold[2], said[2];

	if (pipe2(hold, O_CLOEXEC) != 0)
		return complain(STATUS_NO, "pipe: %s", strerror(errno));
	if (pipe2(said, O_CLOEXEC) != 0) {
		close(hold[0]);
		close(hold[1]);
		return complain(STATUS_NO, "pipe: %s", strerror(errno));
	}
	child->pid = fork();
	if (child->pid == 0)
		become_child(library, hold, said);
	close(hold[0]);
	close(said[1]);
	child->hold = hold[1];
	child->said = said[0];
	if (child->pid > 0)
		return STATUS_OK;
	close(child->hold);
	close(child->said);
	return complain(STATUS_NO, "fork: %s", strerror(errno));
}

/* All that the child said, once it has ended. */
static void collect_said(int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	for (char *c = out; *c != '\0'; c++) {
		if (*c != '\n' && (*c < ' ' || *c > '~'))
			*c = '?';
	}
}

static void end_child(const struct child *child, struct verdict *v)
{
	if (v->status == STATUS_TIMEOUT)
		kill(child->pid, SIGKILL);
	close(child->hold);
	collect_said(child->said, v->said, sizeof(v->said));
	close(child->said);
	waitpid(child->pid, NULL, 0);
}

/* --- the verdict ---------------------------------------------------------------------------- */

/* True when the library has made up its mind. */
static bool decided(const struct report *r)
{
	switch (r->segment->run_state) {
	case PC_STATE_ACTIVE:
	case PC_STATE_INERT:
		return true;
	}
	return false;
}

static void note(struct verdict *v, const struct report *r)
{
	v->has_segment = true;
	v->state = report_state(r);
	v->reason = report_reason(r);
	v->hotness = report_hotness(r);
	for (size_t i = 0; i < r->cap_count; i++)
		v->cap[i] = r->segment->cap[i];
	if (!decided(r))
		return;
	v->status = r->segment->run_state == PC_STATE_ACTIVE ? STATUS_OK : STATUS_NO;
}

/* One look at the child: false when there is nothing more to wait for. */
static bool look(const struct child *child, struct verdict *v)
{
	struct pollfd ended = {.fd = child->said, .events = 0};
	struct refusal why;
	struct target t;

	if (attach(&t, child->pid, ATTACH_READ, &why) == STATUS_OK) {
		note(v, &t.report);
		detach(&t);
		return v->status == STATUS_TIMEOUT;
	}
	if (why.status == STATUS_VERSION) {
		v->status = STATUS_VERSION;
		return false;
	}
	/* Its end of the pipe closes when it dies. */
	if (poll(&ended, 1, 0) > 0 && (ended.revents & POLLHUP)) {
		v->status = STATUS_NO;
		return false;
	}
	return true;
}

static int probe(struct verdict *v)
{
	pc_ns start = now_monotonic();
	struct child child = {0};
	int err = launch_find(v->library);

	if (err == STATUS_OK)
		err = start_child(v->library, &child);
	if (err != STATUS_OK)
		return err;
	while (look(&child, v) && now_monotonic() - start < START_TIMEOUT)
		pause_for(POLL_INTERVAL);
	v->elapsed = now_monotonic() - start;
	end_child(&child, v);
	return STATUS_OK;
}

static bool is_needed(enum need need, enum need way)
{
	return need == NEEDED || need == way;
}

/* Of a library that was asked for the other way, whose probes are the same. */
static bool would_madvise(const struct verdict *v)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(caps); i++)
		if (is_needed(caps[i].need, FOR_MADVISE) && v->cap[i] <= 0)
			return false;
	return v->has_segment;
}

/* --- saying it ------------------------------------------------------------------------------ */

/* Of the two ways to be given a userfaultfd, the one that can be given to fewer where it is there.
 */
static const char *remedy(size_t i)
{
	if (strcmp(caps[i].id, "UFFD") != 0)
		return caps[i].remedy;
	if (access("/dev/userfaultfd", F_OK) == 0)
		return "ask for /dev/userfaultfd; as root: tools/setup-permissions";
	return "ask for vm.unprivileged_userfaultfd=1; as root: tools/setup-permissions --sysctl";
}

static void print_cap(size_t i, int8_t state)
{
	const char *word = state < 0 ? "not asked" : state > 0 ? "yes" : "missing";
	enum ink colour = state > 0 ? INK_GREEN : INK_YELLOW;

	if (state == 0 && is_needed(caps[i].need, FOR_MOVE))
		colour = INK_RED;
	printf("  %-49s%-10s%s%s%s\n", caps[i].name, need_word[caps[i].need], ink(stdout, colour),
	       word, ink(stdout, INK_PLAIN));
	if (state != 0)
		return;
	printf("      so      %s\n", caps[i].consequence);
	printf("      remedy  %s\n", remedy(i));
}

static void print_conclusion(const struct verdict *v)
{
	switch (v->status) {
	case STATUS_OK:
		printf("\nprograms can be managed here; page age comes from %s; started in %s\n",
		       v->hotness, cell_time(v->elapsed).s);
		return;
	case STATUS_TIMEOUT:
		printf("\nno answer: after %s the library is still %s\n", cell_time(v->elapsed).s,
		       v->has_segment ? v->state : "silent");
		return;
	case STATUS_VERSION:
		printf("\nthe library is of another version than this command\n");
		return;
	default:
		printf("\nnot managed: %s\n",
		       v->has_segment ? v->reason : "the library did not start");
	}
}

static void print_text(const struct verdict *v)
{
	printf("%s\n", v->library);
	for (size_t i = 0; v->has_segment && i < PC_ARRAY_LEN(caps); i++)
		print_cap(i, v->cap[i]);
	print_conclusion(v);
	if (v->has_segment)
		printf("EVICT=madvise %s here\n", would_madvise(v) ? "works" : "does not work");
	if (v->status != STATUS_OK && v->said[0] != '\0')
		printf("the library said:\n%s", v->said);
}

static struct json_object *cap_json(size_t i, int8_t state)
{
	struct json_object *object = json_object_new_object();
	struct json_object *there = NULL;

	if (state >= 0)
		there = json_object_new_boolean(state > 0);
	json_word(object, "id", caps[i].id);
	json_word(object, "name", caps[i].name);
	json_object_object_add(object, "needed",
			       json_object_new_boolean(is_needed(caps[i].need, FOR_MOVE)));
	json_word(object, "need", need_word[caps[i].need]);
	json_object_object_add(object, "there", there);
	json_word(object, "consequence", caps[i].consequence);
	json_word(object, "remedy", remedy(i));
	return object;
}

static void print_json(const struct verdict *v)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();

	json_object_object_add(object, "usable", json_object_new_boolean(v->status == STATUS_OK));
	json_object_object_add(object, "madvise_usable", json_object_new_boolean(would_madvise(v)));
	json_word(object, "library", v->library);
	json_word(object, "state", v->state);
	json_word(object, "reason", v->reason);
	json_word(object, "age_source", v->hotness);
	json_number(object, "elapsed_ns", (int64_t)v->elapsed);
	for (size_t i = 0; v->has_segment && i < PC_ARRAY_LEN(caps); i++)
		json_object_array_add(list, cap_json(i, v->cap[i]));
	json_object_object_add(object, "capabilities", list);
	json_word(object, "said", v->said);
	json_say(object, JSON_ALONE);
	json_object_put(object);
}

static int check(bool as_json)
{
	struct verdict v = {
	    .status = STATUS_TIMEOUT,
	    .state = "unknown",
	    .reason = "the library did not start",
	    .hotness = "none",
	};
	int err;

	memset(v.cap, -1, sizeof(v.cap));
	err = probe(&v);
	if (err != STATUS_OK)
		return err;
	if (as_json)
		print_json(&v);
	else
		print_text(&v);
	return v.status;
}

int cmd_check(int argc, char **argv)
{
	bool as_json = false;
	int which;

	optind = 0;
	while ((which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (which) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			show_help("check", details);
			return STATUS_OK;
		case '?':
			return bad_usage("check");
		}
	}
	if (optind != argc)
		return complain(STATUS_USAGE, "check takes no arguments");
	return check(as_json);
}
