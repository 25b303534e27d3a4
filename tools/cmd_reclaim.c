/* reclaim - what page reclaim does, who has to wait for it, and how long. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bpf/reclaim.h"
#include "csv.h"
#include "name.h"
#include "watch.h"

static const char details[] =
    "  --cgroup PATH      only tasks in this folder of a version 2 cgroup hierarchy\n"
    "  --oneline          one line of counts for each interval (1s)\n"
    "\n"
    "Without a process or cgroup, the whole machine. kswapd is the machine's in any case. Reclaim "
    "at a\n"
    "cgroup's limit is MEMCG, not DIRECT, and wakes no kswapd. Pages are pages; WRITTEN are "
    "folios.\n"
    "--oneline has begin and end of both kinds apart: what has begun and not ended stalls now.\n";

enum { OPTION_CGROUP = 256, OPTION_ONELINE };

static const struct option options[] = {
    {"cgroup", required_argument, NULL, OPTION_CGROUP},
    {"oneline", no_argument, NULL, OPTION_ONELINE},
    {0},
};

struct request {
	struct watch watch;
	const char *cgroup;
	bool oneline;
};

/* The numbers of struct reclaim_counts; without a head, for machines alone. */
static const struct field {
	const char *name, *head;
	size_t offset;
	bool is_time;
} fields[] = {
#define FIELD(name, head)                                                                          \
	{                                                                                          \
#name, head, offsetof(struct reclaim_counts, name), false                          \
	}
#define FIELD_NS(name, head)                                                                       \
	{                                                                                          \
#name, head, offsetof(struct reclaim_counts, name), true                           \
	}
    FIELD(kswapd_woken, "KSW-WAKE"), FIELD(kswapd_slept, "SLEEP"),
    FIELD(kswapd_asked, "ASKED"),    FIELD(kswapd_pages, "KSW-PAGES"),
    FIELD(direct_begun, NULL),	     FIELD(direct, "DIRECT"),
    FIELD_NS(direct_ns, "STALL"),    FIELD(direct_pages, "PAGES"),
    FIELD(memcg_begun, NULL),	     FIELD(memcg, "MEMCG"),
    FIELD_NS(memcg_ns, "STALL"),     FIELD(memcg_pages, "PAGES"),
    FIELD(pageout_pages, "PAGEOUT"), FIELD(written, "WRITTEN"),
    FIELD(throttled, "THROTTLED"),
#undef FIELD
#undef FIELD_NS
};

static uint64_t value(const struct reclaim_counts *c, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)c + fields[i].offset, sizeof(v));
	return v;
}

static struct reclaim_counts since(const struct reclaim_counts *now,
				   const struct reclaim_counts *before)
{
	struct reclaim_counts c;

	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++) {
		uint64_t v = value(now, i) - value(before, i);

		memcpy((char *)&c + fields[i].offset, &v, sizeof(v));
	}
	return c;
}

/* --- text and CSV --------------------------------------------------------------------------- */

static void print_head(const struct request *q)
{
	if (q->oneline || q->watch.format == WATCH_JSON)
		return;
	if (q->watch.format == WATCH_CSV) {
		printf("what,seconds");
		for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++)
			printf(",%s", fields[i].name);
		puts(",pid,name,times,stall_ns,stall_max_ns,pages");
		return;
	}
	printf("%s%9s", ink(stdout, INK_BOLD), "SECONDS");
	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++)
		if (fields[i].head)
			printf(" %9s", fields[i].head);
	printf("%s\n", ink(stdout, INK_PLAIN));
}

/* What is shown: of an interval, or of all. */
struct view {
	const struct request *request;
	const struct reclaim_counts *counts;
	const struct reclaim_reading *reading;
	uint64_t ms;
	bool total;
};

static void print_text(const struct view *v)
{
	printf("%9s", cell_ratio(v->ms).s);
	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++) {
		if (!fields[i].head)
			continue;
		if (fields[i].is_time)
			printf(" %9s", cell_time(value(v->counts, i)).s);
		else
			printf(" %9llu", (unsigned long long)value(v->counts, i));
	}
	putchar('\n');
}

/* What this kernel does not show is unknown, not 0. */
static bool is_seen(const struct reclaim_reading *r, const char *field)
{
	if (strcmp(field, "pageout_pages") == 0)
		return r->pageout_by != NULL;
	return r->memcg_seen || strncmp(field, "memcg", strlen("memcg")) != 0;
}

static void print_csv(const struct view *v)
{
	printf("%s,%s", v->total ? "total" : "interval", cell_ratio(v->ms).s);
	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++) {
		putchar(',');
		if (is_seen(v->reading, fields[i].name))
			printf("%llu", (unsigned long long)value(v->counts, i));
	}
	puts(",,,,,,");
}

/* The line of a swap probe: what happened in this interval, and who was the last. */
static void print_line(const struct reclaim_counts *c, const struct reclaim_reading *r)
{
	printf("kswapd_wake=%llu kswapd_sleep=%llu direct_begin=%llu direct_end=%llu "
	       "reclaim_pages=%llu write_folio=%llu last_pid=%u last_comm=%s memcg_begin=%llu "
	       "memcg_end=%llu\n",
	       c->kswapd_woken, c->kswapd_slept, c->direct_begun, c->direct,
	       c->kswapd_pages + c->direct_pages + c->memcg_pages + c->pageout_pages, c->written,
	       r->last_tgid, r->last_tgid ? shown_name(r->last_comm).s : "-", c->memcg_begun,
	       c->memcg);
}

static void print_process_csv(void *arg, uint32_t tgid, const struct reclaim_process *p)
{
	(void)arg;
	printf("process,");
	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++)
		putchar(',');
	printf(",%u,", tgid);
	csv_word(stdout, shown_name(p->comm).s);
	printf(",%llu,%llu,%llu,%llu\n", p->times, p->stall_ns, p->max_ns, p->pages);
}

static void print_process(void *arg, uint32_t tgid, const struct reclaim_process *p)
{
	(void)arg;
	printf("%9u  %-16s %8llu times, %s in all, %s at most, %llu pages\n", tgid,
	       shown_name(p->comm).s, p->times, cell_time(p->stall_ns).s, cell_time(p->max_ns).s,
	       p->pages);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void add_process(void *arg, uint32_t tgid, const struct reclaim_process *p)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", tgid);
	json_word(object, "name", shown_name(p->comm).s);
	json_number(object, "times", (int64_t)p->times);
	json_number(object, "stall_ns", (int64_t)p->stall_ns);
	json_number(object, "stall_max_ns", (int64_t)p->max_ns);
	json_number(object, "pages", (int64_t)p->pages);
	json_object_array_add(arg, object);
}

static struct json_object *counts_json(const struct view *v)
{
	struct json_object *object = json_object_new_object();

	json_ratio(object, "seconds", v->ms);
	for (size_t i = 0; i < PC_ARRAY_LEN(fields); i++) {
		if (is_seen(v->reading, fields[i].name))
			json_number(object, fields[i].name, (int64_t)value(v->counts, i));
		else
			json_object_object_add(object, fields[i].name, NULL);
	}
	if (v->reading->pageout_by)
		json_word(object, "pageout_source", v->reading->pageout_by);
	return object;
}

/* --- the verb ------------------------------------------------------------------------------- */

static void say_interval(const struct view *v)
{
	const struct request *q = v->request;

	if (q->oneline)
		print_line(v->counts, v->reading);
	else if (q->watch.format == WATCH_JSON)
		watch_say(&q->watch, counts_json(v));
	else if (q->watch.format == WATCH_CSV)
		print_csv(v);
	else
		print_text(v);
	fflush(stdout);
}

static void say_total_json(const struct view *v, const struct reclaim *reclaim)
{
	struct json_object *object = counts_json(v), *list = json_object_new_array();

	reclaim_processes(reclaim, add_process, list);
	watch_mark_total(&v->request->watch, object);
	json_object_object_add(object, "processes", list);
	watch_say(&v->request->watch, object);
}

static void say_total_text(const struct view *v, const struct reclaim *reclaim)
{
	watch_head_total(&v->request->watch);
	print_text(v);
	reclaim_processes(reclaim, print_process, NULL);
	if (v->reading->pageout_by)
		printf("PAGEOUT is seen by %s\n", v->reading->pageout_by);
	else
		puts("PAGEOUT is not to be seen on this kernel");
	if (!v->reading->memcg_seen)
		puts("MEMCG is not to be seen on this kernel");
}

static void say_total(const struct view *v, const struct reclaim *reclaim)
{
	const enum watch_format format = v->request->watch.format;

	if (v->request->oneline)
		return;
	if (format == WATCH_JSON) {
		say_total_json(v, reclaim);
	} else if (format == WATCH_CSV) {
		print_csv(v);
		reclaim_processes(reclaim, print_process_csv, NULL);
	} else {
		say_total_text(v, reclaim);
	}
	if (v->reading->stalled_refused)
		complain(STATUS_NO, "%llu stalls were of more processes than there is room for",
			 (unsigned long long)v->reading->stalled_refused);
	watch_tell_refused(v->reading->processes_refused);
}

static void watch_reclaim(struct request *q, const struct reclaim *reclaim)
{
	struct reclaim_counts before = {0}, part;
	struct reclaim_reading now;
	enum watch_event event;
	uint64_t ms, began = 0;

	print_head(q);
	do {
		event = watch_wait(&q->watch, 0);
		reclaim_read(reclaim, &now);
		ms = watch_elapsed_ms(&q->watch);
		if (!q->watch.interval || event == WATCH_TIME)
			continue;
		part = since(&now.counts, &before);
		say_interval(&(struct view){q, &part, &now, ms - began, false});
		before = now.counts;
		began = ms;
	} while (event != WATCH_END);
	say_total(&(struct view){q, &now.counts, &now, ms, true}, reclaim);
}

static int open_cgroup(const char *path, int *fd)
{
	if (!path)
		return STATUS_OK;
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd >= 0 ? STATUS_OK : complain(STATUS_USAGE, "%s: %s", path, strerror(errno));
}

static int take(void *arg, int which, const char *word)
{
	struct request *q = arg;

	if (which == OPTION_CGROUP) {
		q->cgroup = word;
		return STATUS_OK;
	}
	q->oneline = true;
	if (!q->watch.interval)
		q->watch.interval = PC_SEC;
	return STATUS_OK;
}

static const struct watch_verb verb = {
    .name = "reclaim",
    .details = details,
    .scope = WATCH_ONE_OR_ALL,
    .options = options,
    .take = take,
    .without = "pgscan_*, pgsteal_* and allocstall_* of /proc/vmstat for the machine, memory.stat "
	       "and memory.pressure for a cgroup",
};

static int open_reclaim(struct reclaim **reclaim, const struct request *q)
{
	struct reclaim_wanted wanted = {.pidfd = q->watch.pidfd, .cgroup = -1};
	struct unable why;
	int err = open_cgroup(q->cgroup, &wanted.cgroup);

	if (err != STATUS_OK)
		return err;
	err = reclaim_open(reclaim, &wanted, &why);
	if (wanted.cgroup >= 0)
		close(wanted.cgroup);
	if (!err)
		return STATUS_OK;
	*reclaim = NULL;
	return watch_unable(&verb, err, why.text);
}

int cmd_reclaim(int argc, char **argv)
{
	struct request q = {0};
	struct reclaim *reclaim = NULL;
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	if (q.cgroup && (q.watch.pid || q.watch.command))
		return complain(STATUS_USAGE, "either --cgroup or a process, not both");
	if (q.oneline && q.watch.format != WATCH_TEXT)
		return complain(STATUS_USAGE,
				"--oneline is a format of its own: no --json, no --csv");
	err = watch_start(&q.watch);
	if (err == STATUS_OK)
		err = open_reclaim(&reclaim, &q);
	if (err == STATUS_OK)
		err = watch_release(&q.watch);
	if (err == STATUS_OK)
		watch_reclaim(&q, reclaim);
	if (reclaim)
		reclaim_close(reclaim);
	return watch_finish(&q.watch, err);
}
