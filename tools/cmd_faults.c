/* faults - how many page faults a process takes, of which kind, and where they come from. */
#include <errno.h>
#include <string.h>

#include "bpf/faults.h"
#include "name.h"
#include "watch.h"

static const char details[] =
    "  --threads          also each thread, those that have ended too, and each process that was "
    "seen\n"
    "\n"
    "MINOR and MAJOR are what the kernel accounts, and together all that was resolved: exceptions "
    "in\n"
    "USER and KERNEL mode, less FAILED (signals, EFAULT, tried again), and GUP: pages that a "
    "system\n"
    "call brought in itself (MAP_POPULATE, O_DIRECT, arguments of execve).\n"
    "Without CAP_BPF and CAP_PERFMON, minor and major come from /proc, and the rest is unknown.\n";

enum { OPTION_THREADS = 256 };

static const struct option options[] = {
    {"threads", no_argument, NULL, OPTION_THREADS},
    {0},
};

struct request {
	struct watch watch;
	bool threads;
};

/* A reading: all since the start. `whole` where the kernel's view is there, else minor and major.
 */
struct sample {
	struct fault_counts counts;
	uint64_t ms;
	uint64_t processes_refused, exceptions_missed;
	const char *gup_by; /* NULL: by what is left over */
	bool whole;
};

struct source {
	struct faults *faults; /* NULL: /proc */
	pid_t pid;
	struct fault_counts base, last; /* of /proc */
};

/* --- /proc ---------------------------------------------------------------------------------- */

static int read_stat(pid_t pid, struct fault_counts *counts)
{
	char path[64], line[1024];
	unsigned long long minor, major;
	const char *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	after = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	if (!after ||
	    sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu", &minor, &major) != 2)
		return -EIO;
	*counts = (struct fault_counts){.minor = minor, .major = major};
	return 0;
}

static int open_proc(struct source *s, const struct unable *why)
{
	int err = read_stat(s->pid, &s->base);

	if (err)
		return complain(STATUS_NO_PROCESS, "/proc/%d/stat: %s", s->pid, strerror(-err));
	s->last = s->base;
	complain(STATUS_OK, "%s", why->text);
	complain(STATUS_OK, "so minor and major come from /proc, of this process alone; where they "
			    "were raised, GUP, and its children are unknown");
	return STATUS_OK;
}

static void read_proc(struct source *s, struct sample *out)
{
	struct fault_counts now;

	/* A process that is gone keeps its last reading. */
	if (read_stat(s->pid, &now) == 0)
		s->last = now;
	out->counts.minor = s->last.minor - s->base.minor;
	out->counts.major = s->last.major - s->base.major;
}

/* --- reading -------------------------------------------------------------------------------- */

static int open_source(struct source *s, const struct watch *w, bool ended)
{
	const struct faults_wanted wanted = {.ended = ended};
	struct unable why;
	int err;

	s->pid = w->pid;
	if (faults_open(&s->faults, &wanted, &why) != 0) {
		s->faults = NULL;
		return open_proc(s, &why);
	}
	err = faults_follow(s->faults, w->pidfd);
	if (err)
		return complain(STATUS_NO, "process %d cannot be followed: %s", w->pid,
				strerror(-err));
	return STATUS_OK;
}

static void read_sample(struct source *s, const struct watch *w, struct sample *out,
			faults_thread_fn *thread, void *arg)
{
	struct faults_total total;
	int err;

	*out = (struct sample){.ms = watch_elapsed_ms(w)};
	if (!s->faults) {
		read_proc(s, out);
		return;
	}
	err = faults_read(s->faults, &total, thread, arg);
	if (err)
		complain(STATUS_NO, "threads cannot be read: %s", strerror(-err));
	out->counts = total.counts;
	out->processes_refused = total.processes_refused;
	out->exceptions_missed = total.exceptions_missed;
	out->gup_by = faults_gup_by(s->faults);
	out->whole = true;
}

static struct sample since(const struct sample *now, const struct sample *before)
{
	struct sample s = *now;

	s.counts.minor -= before->counts.minor;
	s.counts.major -= before->counts.major;
	s.counts.user -= before->counts.user;
	s.counts.kernel -= before->counts.kernel;
	s.counts.failed -= before->counts.failed;
	s.counts.gup -= before->counts.gup;
	s.ms -= before->ms;
	return s;
}

static uint64_t per_second(const struct sample *s)
{
	return (s->counts.minor + s->counts.major) * 1000 / PC_MAX(s->ms, 1ull);
}

/* --- saying it ------------------------------------------------------------------------------ */

static void add_counts(struct json_object *object, const struct fault_counts *c, bool whole)
{
	json_number(object, "minor", (int64_t)c->minor);
	json_number(object, "major", (int64_t)c->major);
	if (!whole) {
		json_object_object_add(object, "gup", NULL);
		return;
	}
	json_number(object, "gup", (int64_t)fault_gup(c));
	json_number(object, "user", (int64_t)c->user);
	json_number(object, "kernel", (int64_t)c->kernel);
	json_number(object, "failed", (int64_t)c->failed);
}

static struct json_object *sample_json(const struct request *q, const struct sample *s)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", q->watch.pid);
	json_word(object, "source", s->whole ? "bpf" : "proc");
	json_ratio(object, "seconds", s->ms);
	add_counts(object, &s->counts, s->whole);
	if (s->whole)
		json_word(object, "gup_source", s->gup_by ? s->gup_by : "difference");
	json_number(object, "faults_per_second", (int64_t)per_second(s));
	json_number(object, "processes_not_followed", (int64_t)s->processes_refused);
	json_number(object, "exceptions_missed", (int64_t)s->exceptions_missed);
	return object;
}

static void print_head(enum watch_format format)
{
	if (format == WATCH_CSV)
		puts("what,seconds,minor,major,faults_per_second,user,kernel,gup,failed");
	else if (format == WATCH_TEXT)
		printf("%s%9s %12s %10s %11s %12s %10s %10s %8s%s\n", ink(stdout, INK_BOLD),
		       "SECONDS", "MINOR", "MAJOR", "FAULTS/s", "USER", "KERNEL", "GUP", "FAILED",
		       ink(stdout, INK_PLAIN));
}

static void print_csv(const char *what, const struct sample *s)
{
	const struct fault_counts *c = &s->counts;

	printf("%s,%s,%llu,%llu,%llu", what, cell_ratio(s->ms).s, c->minor, c->major,
	       (unsigned long long)per_second(s));
	if (s->whole)
		printf(",%llu,%llu,%llu,%llu\n", c->user, c->kernel,
		       (unsigned long long)fault_gup(c), c->failed);
	else
		puts(",,,,");
}

static void print_text(const struct sample *s)
{
	const struct fault_counts *c = &s->counts;

	printf("%9s %12llu %10llu %11llu", cell_ratio(s->ms).s, c->minor, c->major,
	       (unsigned long long)per_second(s));
	if (s->whole)
		printf(" %12llu %10llu %10llu %8llu\n", c->user, c->kernel,
		       (unsigned long long)fault_gup(c), c->failed);
	else
		printf(" %12s %10s %10s %8s\n", "-", "-", "-", "-");
}

static void say_interval(const struct request *q, const struct sample *s)
{
	switch (q->watch.format) {
	case WATCH_JSON:
		watch_say(&q->watch, sample_json(q, s));
		break;
	case WATCH_CSV:
		print_csv("interval", s);
		break;
	case WATCH_TEXT:
		print_text(s);
		break;
	}
	fflush(stdout);
}

/* --- threads and processes, of the total alone ---------------------------------------------- */

struct listing {
	enum watch_format format;
	struct json_object *list;
};

static void list_one(const struct listing *l, const char *what, uint32_t id, const char *name,
		     const struct fault_counts *c)
{
	struct json_object *object;

	if (l->format == WATCH_JSON) {
		object = json_object_new_object();
		json_number(object, what, id);
		json_word(object, "name", name);
		add_counts(object, c, true);
		json_object_array_add(l->list, object);
	} else if (l->format == WATCH_CSV) {
		printf("%s %u,,%llu,%llu,,%llu,%llu,%llu,%llu\n", what, id, c->minor, c->major,
		       c->user, c->kernel, (unsigned long long)fault_gup(c), c->failed);
	} else {
		printf("%9u %12llu %10llu %11s %12llu %10llu %10llu %8llu  %s %s\n", id, c->minor,
		       c->major, "", c->user, c->kernel, (unsigned long long)fault_gup(c),
		       c->failed, what, name);
	}
}

static void list_thread(void *arg, const struct thread_line *line)
{
	list_one(arg, "thread", line->tid, shown_name(line->comm).s, &line->counts);
}

static void list_ended(void *arg, const struct thread_line *line)
{
	list_one(arg, "ended_thread", line->tid, shown_name(line->comm).s, &line->counts);
}

static void list_process(void *arg, uint32_t tgid, const struct process_record *record)
{
	list_one(arg, record->ended ? "ended" : "ended_threads_of", tgid,
		 shown_name(record->comm).s, &record->departed);
}

static void list_what_ended(struct faults *f, struct listing *list)
{
	const int64_t threads = faults_ended_threads(f, list_ended, list);

	if (threads > THREADS_LISTED)
		complain(STATUS_NO, "%lld threads that have ended are not listed",
			 (long long)(threads - THREADS_LISTED));
	faults_processes(f, list_process, list);
}

static void say_total(const struct request *q, struct source *s)
{
	struct listing list = {.format = q->watch.format, .list = NULL};
	faults_thread_fn *thread = q->threads ? list_thread : NULL;
	struct json_object *object;
	struct sample total;

	if (list.format == WATCH_JSON)
		list.list = json_object_new_array();
	watch_head_total(&q->watch);
	read_sample(s, &q->watch, &total, thread, &list);
	if (s->faults && q->threads)
		list_what_ended(s->faults, &list);
	if (list.format == WATCH_CSV)
		print_csv("total", &total);
	else if (list.format == WATCH_TEXT)
		print_text(&total);
	if (list.format == WATCH_TEXT && total.whole)
		printf("GUP is %s%s\n", total.gup_by ? "seen by " : "what no exception explains",
		       total.gup_by ? total.gup_by : "");
	if (list.format != WATCH_JSON)
		return;
	object = sample_json(q, &total);
	watch_mark_total(&q->watch, object);
	if (q->threads)
		json_object_object_add(object, "parts", list.list);
	else
		json_object_put(list.list);
	watch_say(&q->watch, object);
}

static void watch_faults(struct request *q, struct source *s)
{
	struct sample before = {0}, now, part;
	enum watch_event event;

	print_head(q->watch.format);
	do {
		event = watch_wait(&q->watch, 0);
		read_sample(s, &q->watch, &now, NULL, NULL);
		part = since(&now, &before);
		if (q->watch.interval)
			say_interval(q, &part);
		before = now;
	} while (event != WATCH_END);
	say_total(q, s);
	watch_tell_refused(now.processes_refused);
	if (now.exceptions_missed)
		complain(STATUS_NO,
			 "%llu exceptions count as GUP: the kernel had no memory to note them",
			 (unsigned long long)now.exceptions_missed);
}

static int take(void *arg, int which, const char *value)
{
	struct request *q = arg;

	(void)value;
	q->threads = which == OPTION_THREADS;
	return STATUS_OK;
}

static const struct watch_verb verb = {
    .name = "faults",
    .details = details,
    .scope = WATCH_ONE,
    .options = options,
    .take = take,
};

int cmd_faults(int argc, char **argv)
{
	struct request q = {0};
	struct source source = {0};
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&q.watch);
	if (err == STATUS_OK)
		err = open_source(&source, &q.watch, q.threads);
	if (err == STATUS_OK)
		err = watch_release(&q.watch);
	if (err == STATUS_OK)
		watch_faults(&q, &source);
	if (source.faults)
		faults_close(source.faults);
	return watch_finish(&q.watch, err);
}
