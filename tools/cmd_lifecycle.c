/*
 * lifecycle - processes that begin, become another program, and end; and orders to the pagers of
 * those that do: `--then 'evict after 10s'`.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bpf/life.h"
#include "csv.h"
#include "lineage.h"
#include "mailbox.h"
#include "name.h"
#include "order.h"
#include "watch.h"

static const char details[] =
    "  --name NAME        only processes of this name; orders too\n"
    "  --then ORDER       'evict after TIME' or 'restore after TIME': what to ask the library in "
    "each\n"
    "                     process that executes a program, so long after; its answer is an event\n"
    "\n"
    "An order gives the event evicted or restored, with the pages, the latency, what was and is "
    "resident\n"
    "(before_bytes, after_bytes) and the store; refused, with the reason; or missed: the process "
    "does\n"
    "not run under the library. late_ms is how long after its time it was given. root is the "
    "first\n"
    "ancestor that was seen, generation the forks from there. Other controllers' columns for an\n"
    "arena (its use, cap, least savings, region) have no meaning here: nobody enrols, nothing is\n"
    "allocated from one, and the options of a process are in predicomp stat.\n"
    "\n"
    "Without a process, the whole machine. An exec shows the arguments, an exit the status, "
    "faults, the\n"
    "peak of resident memory and how long it lived. Orders are for programs that execute from now "
    "on:\n"
    "a process that runs already is asked by predicomp evict PID.\n";

enum { OPTION_NAME = 256, OPTION_THEN };

#define POLL	      (20 * PC_MS)
#define ANSWER_WITHIN (10 * PC_SEC)
#define DUE_MAX	      65536u
#define PIDS_MAX      (1u << 22) /* that the kernel ever gives */

static const struct option options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"then", required_argument, NULL, OPTION_THEN},
    {0},
};

/* An order that waits for its time. In the order of their times, for all wait equally long. */
struct due {
	pc_ns at;
	pid_t pid;
	uint8_t life; /* lives[pid] then: else the number is another's by now */
	struct shown_name name;
};

struct request {
	struct watch watch;
	const char *name; /* NULL: all */
	enum pc_command command;
	pc_ns after;
	struct due *due;
	size_t head, count; /* due[head, head + count) */
	uint8_t *lives;	    /* by number: how many of it have ended */
	struct lineages lineages;
};

/* --- saying it ------------------------------------------------------------------------------ */

/* One event of any kind, as columns; what does not apply is left at -1 or "". */
struct event {
	pc_ns time;
	const char *what, *name, *text;
	int64_t pid, parent, root, generation, uid;
	int64_t status, minor, major, peak, lived_ms, cpu_ms;		     /* exit */
	int64_t delay_ms, late_ms, latency_ns, pages, before, after, stored; /* orders */
};

#define NOTHING                                                                                    \
	.parent = -1, .root = -1, .generation = -1, .uid = -1, .status = -1, .minor = -1,          \
	.major = -1, .peak = -1, .lived_ms = -1, .cpu_ms = -1, .delay_ms = -1, .late_ms = -1,      \
	.latency_ns = -1, .pages = -1, .before = -1, .after = -1, .stored = -1

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
#define NUMBER(name, field)                                                                        \
	{                                                                                          \
		name, offsetof(struct event, field)                                                \
	}
    NUMBER("pid", pid),
    NUMBER("parent", parent),
    NUMBER("status", status),
    NUMBER("minor", minor),
    NUMBER("major", major),
    NUMBER("peak_bytes", peak),
    NUMBER("lived_ms", lived_ms),
    NUMBER("latency_ns", latency_ns),
    NUMBER("pages", pages),
    NUMBER("root", root),
    NUMBER("generation", generation),
    NUMBER("uid", uid),
    NUMBER("cpu_ms", cpu_ms),
    NUMBER("delay_ms", delay_ms),
    NUMBER("late_ms", late_ms),
    NUMBER("before_bytes", before),
    NUMBER("after_bytes", after),
    NUMBER("stored_bytes", stored),
#undef NUMBER
};

static int64_t number(const struct event *e, size_t i)
{
	int64_t v;

	memcpy(&v, (const char *)e + numbers[i].offset, sizeof(v));
	return v;
}

static void print_head(enum watch_format format)
{
	if (format == WATCH_TEXT) {
		printf("%s%9s %-8s %8s %8s  %-16s%s\n", ink(stdout, INK_BOLD), "SECONDS", "EVENT",
		       "PID", "PARENT", "NAME", ink(stdout, INK_PLAIN));
	} else if (format == WATCH_CSV) {
		printf("seconds,event,name");
		for (size_t i = 0; i < PC_ARRAY_LEN(numbers); i++)
			printf(",%s", numbers[i].name);
		puts(",text");
	}
}

static struct cell seconds_of(const struct request *q, const struct event *e)
{
	return cell_ratio(e->time > q->watch.began ? (e->time - q->watch.began) / PC_MS : 0);
}

static void say_json(const struct request *q, const struct event *e)
{
	struct json_object *object = json_object_new_object();

	json_ratio(object, "seconds",
		   e->time > q->watch.began ? (e->time - q->watch.began) / PC_MS : 0);
	json_word(object, "event", e->what);
	json_word(object, "name", e->name);
	for (size_t i = 0; i < PC_ARRAY_LEN(numbers); i++) {
		if (number(e, i) >= 0)
			json_number(object, numbers[i].name, number(e, i));
	}
	if (*e->text)
		json_word(object, "text", e->text);
	json_say(object, JSON_SERIES);
	json_object_put(object);
}

static void say_csv(const struct request *q, const struct event *e)
{
	printf("%s,%s,", seconds_of(q, e).s, e->what);
	csv_word(stdout, e->name);
	for (size_t i = 0; i < PC_ARRAY_LEN(numbers); i++) {
		putchar(',');
		if (number(e, i) >= 0)
			printf("%lld", (long long)number(e, i));
	}
	putchar(',');
	csv_word(stdout, e->text);
	putchar('\n');
}

static void say_text(const struct request *q, const struct event *e)
{
	printf("%9s %-8s %8lld ", seconds_of(q, e).s, e->what, (long long)e->pid);
	if (e->parent >= 0)
		printf("%8lld", (long long)e->parent);
	else
		printf("%8s", "");
	printf("  %-16s", e->name);
	if (e->lived_ms >= 0)
		printf(" minor %lld, major %lld, peak %s, lived %s", (long long)e->minor,
		       (long long)e->major, cell_size(e->peak).s,
		       cell_time((pc_ns)e->lived_ms * PC_MS).s);
	if (e->pages >= 0)
		printf(" %lld pages in %s", (long long)e->pages, cell_time((pc_ns)e->latency_ns).s);
	printf(" %s\n", e->text);
}

static void say(const struct request *q, const struct event *e)
{
	switch (q->watch.format) {
	case WATCH_JSON:
		say_json(q, e);
		break;
	case WATCH_CSV:
		say_csv(q, e);
		break;
	case WATCH_TEXT:
		say_text(q, e);
		break;
	}
	fflush(stdout);
}

/* --- orders --------------------------------------------------------------------------------- */

static int parse_order(struct request *q, const char *word)
{
	char verb[16], time[32], rest;

	if (sscanf(word, "%15s after %31s %c", verb, time, &rest) != 2)
		return complain(STATUS_USAGE,
				"%s is not 'evict after TIME' or 'restore after TIME'", word);
	if (strcmp(verb, "evict") == 0)
		q->command = PC_CMD_EVICT;
	else if (strcmp(verb, "restore") == 0)
		q->command = PC_CMD_RESTORE;
	else
		return complain(STATUS_USAGE, "%s is not something to order: evict, restore", verb);
	return parse_period(time, &q->after);
}

static void plan(struct request *q, const struct life_event *e)
{
	struct due *d;

	if (q->command == PC_CMD_NONE)
		return;
	if (q->count == DUE_MAX) {
		complain(STATUS_NO, "too many orders are waiting; %u gets none", e->tgid);
		return;
	}
	d = &q->due[(q->head + q->count++) % DUE_MAX];
	d->at = e->time + q->after;
	d->pid = (pid_t)e->tgid;
	d->life = q->lives[e->tgid % PIDS_MAX];
	d->name = shown_name(e->comm);
}

/* The pager's own figure is of its last walk; here two moments are told apart. -1: not known. */
static int64_t resident_bytes(pid_t pid)
{
	long long pages = -1;
	char path[64];
	FILE *statm;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	statm = fopen(path, "re");
	if (!statm)
		return -1;
	if (fscanf(statm, "%*u %lld", &pages) != 1)
		pages = -1;
	fclose(statm);
	return pages < 0 ? -1 : pages * (int64_t)PC_PAGE;
}

static void ask(struct event *event, struct target *t, const struct mailbox_request *request,
		struct refusal *why)
{
	struct mailbox_answer answer = {0};
	struct refusal gone;

	event->before = resident_bytes(t->pid);
	if (mailbox_ask(t, request, &answer, why) != STATUS_OK) {
		event->what = "refused";
		event->text = why->text;
	} else if (answer.result != 0) {
		event->what = "refused";
		event->text = order_error(answer.result);
	} else {
		event->pages = (int64_t)answer.done;
	}
	event->latency_ns = (int64_t)(now_monotonic() - event->time);
	event->after = resident_bytes(t->pid);
	/* `why` may hold the text of the event. */
	if (attach_refresh(t, &gone) == STATUS_OK)
		event->stored = (int64_t)report_value(&t->report, "store_bytes_mapped");
}

static void place(struct event *event, const struct lineages *lineages)
{
	const struct lineage from = lineage_of(lineages, (uint32_t)event->pid);

	event->root = from.root;
	event->generation = from.generation;
}

/* Of a process that has ended its exit is all that there is to say. */
static void give(const struct request *q, const struct due *d)
{
	const struct mailbox_request request = {.command = q->command, .timeout = ANSWER_WITHIN};
	struct event event = {
	    .time = now_monotonic(), .name = d->name.s, .pid = d->pid, NOTHING, .text = ""};
	struct refusal why;
	struct target t;

	place(&event, &q->lineages);
	event.delay_ms = (int64_t)(q->after / PC_MS);
	event.late_ms = (int64_t)((event.time - d->at) / PC_MS);
	event.what = q->command == PC_CMD_EVICT ? "evicted" : "restored";
	if (attach_named(&t, d->pid, ATTACH_COMMAND, &why) == STATUS_OK) {
		ask(&event, &t, &request, &why);
		detach(&t);
	} else if (kill(d->pid, 0) == 0 || errno == EPERM) {
		event.what = "missed";
		event.text = why.text;
	} else {
		return;
	}
	say(q, &event);
}

static void give_due(struct request *q)
{
	while (q->count > 0 && q->due[q->head].at <= now_monotonic()) {
		if (q->due[q->head].life == q->lives[q->due[q->head].pid % PIDS_MAX])
			give(q, &q->due[q->head]);
		q->head = (q->head + 1) % DUE_MAX;
		q->count--;
	}
}

/* --- events --------------------------------------------------------------------------------- */

/* The zeros between arguments become blanks, and what is not printable ASCII a "?". */
static void readable(char *out, const struct life_event *e)
{
	uint32_t length = PC_MIN(e->length, LIFE_ARGUMENTS - 1u);

	for (uint32_t i = 0; i < length; i++)
		out[i] = e->arguments[i] == '\0' ? ' ' : e->arguments[i];
	while (length > 0 && out[length - 1] == ' ')
		length--;
	out[length] = '\0';
	printable(out);
}

static void take_exit(struct event *event, const struct life_event *e, char text[LIFE_ARGUMENTS])
{
	const int status = (int)e->exit_code;

	event->minor = (int64_t)e->minor;
	event->major = (int64_t)e->major;
	event->peak = (int64_t)(e->peak_pages * PC_PAGE);
	event->lived_ms = (int64_t)(e->lived_ns / PC_MS);
	event->cpu_ms = (int64_t)(e->cpu_ns / PC_MS);
	event->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (WIFSIGNALED(status) && sigabbrev_np(WTERMSIG(status)))
		snprintf(text, LIFE_ARGUMENTS, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WIFSIGNALED(status))
		snprintf(text, LIFE_ARGUMENTS, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, LIFE_ARGUMENTS, "exit status %d", WEXITSTATUS(status));
}

static const char *const kind_names[] = {
    [LIFE_FORK] = "fork",
    [LIFE_EXEC] = "exec",
    [LIFE_EXIT] = "exit",
};

static void show_event(struct request *q, const struct life_event *e)
{
	const struct shown_name name = shown_name(e->comm);
	char text[LIFE_ARGUMENTS] = "";
	struct event event = {
	    .time = e->time, .name = name.s, .pid = e->tgid, NOTHING, .text = text};

	if (q->name && strncmp(q->name, e->comm, RECORD_COMM) != 0)
		return;
	event.what = kind_names[e->kind];
	event.parent = e->parent;
	event.uid = e->uid;
	place(&event, &q->lineages);
	if (e->kind == LIFE_EXEC)
		readable(text, e);
	if (e->kind == LIFE_EXIT)
		take_exit(&event, e, text);
	say(q, &event);
	if (e->kind == LIFE_EXEC)
		plan(q, e);
}

static void take_event(void *arg, const struct life_event *e)
{
	struct request *q = arg;

	if (e->kind > LIFE_EXIT)
		return;
	/* Without memory for it the child begins a lineage of its own. */
	if (e->kind == LIFE_FORK)
		lineage_born(&q->lineages, e->tgid, e->parent);
	show_event(q, e);
	if (e->kind == LIFE_EXIT) {
		q->lives[e->tgid % PIDS_MAX]++;
		lineage_ended(&q->lineages, e->tgid);
	}
}

static pc_ns until_due(const struct request *q)
{
	const pc_ns now = now_monotonic();

	if (q->count == 0 || q->due[q->head].at > now + POLL)
		return POLL;
	return q->due[q->head].at > now ? q->due[q->head].at - now : 1;
}

static void watch_life(struct request *q, struct life *l)
{
	enum watch_event event;

	print_head(q->watch.format);
	do {
		event = watch_wait(&q->watch, until_due(q));
		life_events(l, take_event, q);
		give_due(q);
	} while (event != WATCH_END);
	if (life_dropped(l))
		complain(STATUS_NO,
			 "%llu events were lost: they came faster than they were written",
			 (unsigned long long)life_dropped(l));
	watch_tell_refused(life_processes_refused(l));
}

static int take(void *arg, int which, const char *value)
{
	struct request *q = arg;

	if (which == OPTION_THEN)
		return parse_order(q, value);
	if (strlen(value) >= RECORD_COMM)
		return complain(STATUS_USAGE, "%s: the kernel knows names by 15 letters at most",
				value);
	q->name = value;
	return STATUS_OK;
}

static const struct watch_verb verb = {
    .name = "lifecycle",
    .details = details,
    .scope = WATCH_ONE_OR_ALL,
    .options = options,
    .take = take,
    .answers = WATCH_EVENTS,
    .without = "predicomp list shows what is managed now",
};

static int open_life(struct life **l, const struct watch *w)
{
	struct unable why;
	int err = life_open(l, w->pidfd, &why);

	if (!err)
		return STATUS_OK;
	*l = NULL;
	return watch_unable(&verb, err, why.text);
}

int cmd_lifecycle(int argc, char **argv)
{
	struct request q = {0};
	struct life *l = NULL;
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	if (q.command != PC_CMD_NONE && q.watch.pid)
		complain(
		    STATUS_OK,
		    "the order is for what process %d starts: it runs already, for which there is "
		    "predicomp evict",
		    q.watch.pid);
	q.due = calloc(DUE_MAX, sizeof(*q.due));
	q.lives = calloc(PIDS_MAX, sizeof(*q.lives));
	if (!q.due || !q.lives) {
		free(q.due);
		free(q.lives);
		return complain(STATUS_NO, "no memory");
	}
	err = watch_start(&q.watch);
	if (err == STATUS_OK)
		err = open_life(&l, &q.watch);
	if (err == STATUS_OK)
		err = watch_release(&q.watch);
	if (err == STATUS_OK)
		watch_life(&q, l);
	if (l)
		life_close(l);
	free(q.due);
	free(q.lives);
	lineages_free(&q.lineages);
	return watch_finish(&q.watch, err);
}
