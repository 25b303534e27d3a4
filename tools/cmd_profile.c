/*
 * profile - faults and CPU time of registered processes, sampled each 50 ms into an array that
 * anybody may map and read.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "bpf/profile.h"
#include "watch.h"

static const char details[] =
    "predicomp profile serve [--pin FOLDER]     sample until ^C or the end of the command, if one "
    "is\n"
    "                                           given with -- COMMAND; pins the array on request\n"
    "predicomp profile register PID [FOLDER]    from now on, whole thread groups; 4096 at most\n"
    "predicomp profile unregister PID [FOLDER]  what has ended is dropped by itself\n"
    "predicomp profile status [FOLDER]          who is registered, and what it has used; "
    "--json, --csv\n"
    "predicomp profile unpin [FOLDER]           takes away what a sampler that was killed has "
    "left\n"
    "\n"
    "FOLDER lies in a bpf file system (/sys/fs/bpf/predicomp). FOLDER/samples is frozen and 0666: "
    "a\n"
    "reader opens it with BPF_OBJ_GET, maps it, and needs no privilege and no system call after "
    "that.\n"
    "It holds 65535 samples: time, minor, major, CPU time of each process and of all; with one "
    "process\n"
    "27 minutes of them, with twenty 2.5. What a process does after its last sample, 50 ms at "
    "most, "
    "is\n"
    "not seen. Who may not write FOLDER/registered cannot register, but sees the status.\n";

#define FOLDER "/sys/fs/bpf/predicomp"

enum { OPTION_PIN = 256 };

static const struct option options[] = {
    {"pin", required_argument, NULL, OPTION_PIN},
    {0},
};

struct request {
	struct watch watch;
	const char *folder; /* NULL: nothing is pinned */
};

static int said(int err, const struct unable *why)
{
	if (err == 0)
		return STATUS_OK;
	return complain(err == -EPERM || err == -EACCES ? STATUS_PERMISSION : STATUS_NO, "%s",
			why->text);
}

/* --- the sampler ---------------------------------------------------------------------------- */

/* The samples from `from` on; returns how many there are now. */
static uint64_t say_samples(const struct request *q, const struct profile_header *head,
			    uint64_t from)
{
	/* pairs with the program's addition after the sample */
	const uint64_t written = load_acquire(&head->written);

	for (; from < written; from++) {
		const struct profile_sample *s = profile_at(head, from);
		struct json_object *object;

		if (q->watch.format == WATCH_JSON) {
			object = json_object_new_object();
			json_number(object, "time_ns", (int64_t)s->time);
			json_number(object, "pid", s->tgid);
			json_number(object, "minor", (int64_t)s->minor);
			json_number(object, "major", (int64_t)s->major);
			json_number(object, "cpu_ns", (int64_t)s->cpu_ns);
			json_say(object, JSON_SERIES);
			json_object_put(object);
		} else {
			printf(q->watch.format == WATCH_CSV ? "%llu,%u,%llu,%llu,%llu\n"
							    : "%18llu %8u %12llu %10llu %16llu\n",
			       s->time, s->tgid, s->minor, s->major, s->cpu_ns);
		}
	}
	fflush(stdout);
	return written;
}

static void print_head(const struct request *q)
{
	if (q->watch.format == WATCH_CSV)
		puts("time_ns,pid,minor,major,cpu_ns");
	else if (q->watch.format == WATCH_TEXT)
		printf("%s%18s %8s %12s %10s %16s%s\n", ink(stdout, INK_BOLD), "TIME-NS",
		       "PID (0 ALL)", "MINOR", "MAJOR", "CPU-NS", ink(stdout, INK_PLAIN));
}

/* Shows the samples unless they are pinned for others to read. */
static int sample(struct request *q, struct profile *p)
{
	const struct profile_header *head = NULL;
	enum watch_event event;
	uint64_t shown = 0;
	struct unable why;
	int err;

	if (!q->folder) {
		head = profile_map(p, NULL, &why);
		if (!head)
			return complain(STATUS_NO, "%s", why.text);
		print_head(q);
	}
	do {
		event = watch_wait(&q->watch, PROFILE_TICK_MS * PC_MS);
		err = profile_tick(p, &why);
		if (head)
			shown = say_samples(q, head, shown);
	} while (!err && event != WATCH_END);
	return said(err, &why);
}

/* What this process takes part in: its own command, or what others register. */
static int take_part(struct request *q, struct profile *p)
{
	struct unable why;
	int err = STATUS_OK;

	if (q->watch.pid)
		err = said(profile_register(p, NULL, q->watch.pid, &why), &why);
	/* The base is what was used until now. */
	if (err == STATUS_OK)
		err = said(profile_tick(p, &why), &why);
	if (err == STATUS_OK)
		err = watch_release(&q->watch);
	return err == STATUS_OK ? sample(q, p) : err;
}

static int take_part_pinned(struct request *q, struct profile *p)
{
	struct unable why;
	int err = said(profile_pin(p, q->folder, &why), &why);

	if (err != STATUS_OK)
		return err;
	err = take_part(q, p);
	return profile_unpin(q->folder, &why) == 0 ? err : complain(STATUS_NO, "%s", why.text);
}

static int take(void *arg, int which, const char *value)
{
	struct request *q = arg;

	(void)which;
	q->folder = value;
	return STATUS_OK;
}

static const struct watch_verb verb = {
    .name = "profile",
    .details = details,
    .scope = WATCH_ONE_OR_ALL,
    .options = options,
    .take = take,
    .answers = WATCH_EVENTS,
    .without = "minor, major and CPU time of /proc/PID/stat",
};

static int serve(struct request *q)
{
	struct profile *p = NULL;
	struct unable why;
	int err = watch_start(&q->watch), unable;

	unable = err == STATUS_OK ? profile_open(&p, &why) : 0;
	if (unable)
		err = watch_unable(&verb, unable, why.text);
	if (err != STATUS_OK)
		return watch_finish(&q->watch, err);
	err = q->folder ? take_part_pinned(q, p) : take_part(q, p);
	profile_close(p);
	return watch_finish(&q->watch, err);
}

static int cmd_serve(int argc, char **argv)
{
	struct request q = {0};
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	if (!q.folder && !q.watch.pid && !q.watch.command)
		return complain(STATUS_USAGE,
				"serve wants --pin FOLDER, for others to register by, "
				"or a process to sample");
	return serve(&q);
}

/* --- the others ----------------------------------------------------------------------------- */

/* argv: the word, [PID], [FOLDER] */
static int register_pid(int argc, char **argv,
			int (*act)(struct profile *, const char *, pid_t, struct unable *))
{
	struct unable why;
	pid_t pid;
	int err;

	if (argc < 2 || argc > 3)
		return complain(STATUS_USAGE, "profile %s wants PID and at most a FOLDER", argv[0]);
	err = parse_pid(argv[1], &pid);
	return err == STATUS_OK ? said(act(NULL, argc > 2 ? argv[2] : FOLDER, pid, &why), &why)
				: err;
}

static int cmd_register(int argc, char **argv)
{
	char path[64];
	pid_t pid;

	if (argc >= 2 && parse_pid(argv[1], &pid) == STATUS_OK) {
		snprintf(path, sizeof(path), "/proc/%d", pid);
		if (access(path, F_OK) != 0)
			return complain(STATUS_NO_PROCESS, "there is no process %d", pid);
	}
	return register_pid(argc, argv, profile_register);
}

static int cmd_unregister(int argc, char **argv)
{
	return register_pid(argc, argv, profile_unregister);
}

static const struct option status_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"csv", no_argument, NULL, 'c'},
    {0},
};

struct status_view {
	enum watch_format format;
	struct json_object *array; /* JSON */
	uint64_t rows;
};

static void print_status_head(const struct status_view *view)
{
	if (view->format == WATCH_CSV)
		puts("pid,minor,major,cpu_ns");
	else if (view->format == WATCH_TEXT)
		printf("%s%8s %12s %10s %12s%s\n", ink(stdout, INK_BOLD), "PID", "MINOR", "MAJOR",
		       "CPU", ink(stdout, INK_PLAIN));
}

static void print_process(const struct status_view *view, uint32_t tgid, bool known,
			  const struct profile_sample *used)
{
	if (view->format == WATCH_CSV && known)
		printf("%u,%llu,%llu,%llu\n", tgid, used->minor, used->major, used->cpu_ns);
	else if (view->format == WATCH_CSV)
		printf("%u,,,\n", tgid);
	else if (known)
		printf("%8u %12llu %10llu %12s\n", tgid, used->minor, used->major,
		       cell_time(used->cpu_ns).s);
	else
		printf("%8u %12s %10s %12s\n", tgid, "-", "-", "-");
}

static void add_process(const struct status_view *view, uint32_t tgid, bool known,
			const struct profile_sample *used)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", tgid);
	if (known) {
		json_number(object, "minor", (int64_t)used->minor);
		json_number(object, "major", (int64_t)used->major);
		json_number(object, "cpu_ns", (int64_t)used->cpu_ns);
	}
	json_object_array_add(view->array, object);
}

/* What is not known yet, before the first sample, is left out. */
static void show_process(void *arg, uint32_t tgid, const struct profile_process *p)
{
	const struct profile_sample used = {
	    .minor = p->minor - p->base_minor,
	    .major = p->major - p->base_major,
	    .cpu_ns = p->cpu_ns - p->base_cpu,
	};
	struct status_view *view = arg;

	if (view->format == WATCH_JSON) {
		add_process(view, tgid, p->known, &used);
		return;
	}
	if (view->rows++ == 0)
		print_status_head(view);
	print_process(view, tgid, p->known, &used);
}

static int show_status(struct status_view *view, const char *folder)
{
	struct unable why;
	int err;

	view->array = json_object_new_array();
	err = said(profile_registered(folder, show_process, view, &why), &why);
	if (err == STATUS_OK && view->format == WATCH_JSON)
		json_say(view->array, JSON_ALONE);
	else if (err == STATUS_OK && view->rows == 0)
		print_status_head(view);
	json_object_put(view->array);
	return err;
}

static int cmd_status(int argc, char **argv)
{
	struct status_view view = {.format = WATCH_TEXT};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", status_options, NULL)) != -1) {
		if (c == '?')
			return complain(STATUS_USAGE,
					"profile status knows --json and --csv, not %s",
					argv[optind - 1]);
		view.format = c == 'j' ? WATCH_JSON : WATCH_CSV;
	}
	if (argc - optind > 1)
		return complain(STATUS_USAGE, "profile status wants at most a FOLDER");
	return show_status(&view, optind < argc ? argv[optind] : FOLDER);
}

static int cmd_unpin(int argc, char **argv)
{
	struct unable why;

	if (argc > 2)
		return complain(STATUS_USAGE, "profile unpin wants at most a FOLDER");
	return said(profile_unpin(argc > 1 ? argv[1] : FOLDER, &why), &why);
}

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} words[] = {
    {"serve", cmd_serve},   {"register", cmd_register}, {"unregister", cmd_unregister},
    {"status", cmd_status}, {"unpin", cmd_unpin},
};

int cmd_profile(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < PC_ARRAY_LEN(words); i++) {
		if (strcmp(argv[1], words[i].word) == 0)
			return words[i].run(argc - 1, argv + 1);
	}
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		show_help("profile", details);
		printf("serve needs CAP_BPF and CAP_PERFMON. Without them: %s.\n", verb.without);
		return STATUS_OK;
	}
	return complain(STATUS_USAGE,
			"profile wants serve, register, unregister, status or unpin; see "
			"predicomp profile --help");
}
