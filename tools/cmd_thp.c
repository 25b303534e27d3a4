/* thp - huge pages and migrations of a process: how many, and how each number is known. */
#include <errno.h>
#include <string.h>

#include "bpf/thp.h"
#include "watch.h"

static const char details[] =
    "\n"
    "Rows of the process come from tracepoints, or from a function of the kernel where it lets a\n"
    "program in (splits); rows of the machine from /proc/vmstat, for what neither shows; what "
    "this\n"
    "kernel has none of is said to be not available.\n"
    "With an interval each line is of that interval, and the last of all.\n";

static const struct row {
	const char *id, *text, *source;
	size_t offset;			       /* of struct thp_counts */
	bool (*available)(const struct thp *); /* NULL: always */
} rows[] = {
#define ROW(field, text, source, available)                                                        \
	{                                                                                          \
#field, text, source, offsetof(struct thp_counts, field), available                \
	}
    ROW(faults, "faults served huge", "mm_page_alloc in a fault", NULL),
    ROW(fallbacks, "faults refused a huge page", "mm_page_alloc in a fault", NULL),
    ROW(collapses, "collapsed into huge pages", "mm_collapse_huge_page", thp_sees_collapses),
    ROW(collapse_failed, "collapses given up", "mm_collapse_huge_page", thp_sees_collapses),
    ROW(scans, "looked at by khugepaged", "mm_khugepaged_scan_pmd", thp_sees_scans),
    ROW(migrated, "pages migrated in its context", "mm_migrate_pages", thp_sees_migrations),
    ROW(migrate_failed, "migrations that failed", "mm_migrate_pages", thp_sees_migrations),
    ROW(numa_moves, "threads moved to another node", "sched_move_numa", thp_sees_numa),
    ROW(splits, "huge mappings split", "__split_huge_pmd", thp_sees_splits),
#undef ROW
};

static const struct {
	const char *id, *text;
} machine[] = {
    {"thp_fault_alloc", "faults served huge"},
    {"thp_fault_fallback", "faults refused a huge page"},
    {"thp_collapse_alloc", "collapsed into huge pages"},
    {"thp_split_page", "huge pages split"},
    {"thp_split_pmd", "huge mappings split"},
    {"thp_deferred_split_page", "huge pages queued to be split"},
    {"pgmigrate_success", "pages migrated"},
    {"numa_hint_faults", "NUMA hinting faults"},
    {"numa_pages_migrated", "pages migrated by NUMA balancing"},
};

/* /proc/vmstat now; -1 where this kernel has no such line. */
struct vmstat {
	int64_t value[PC_ARRAY_LEN(machine)];
};

static void read_vmstat(struct vmstat *v)
{
	FILE *file = fopen("/proc/vmstat", "re");
	char name[64];
	long long value;

	memset(v, -1, sizeof(*v));
	while (file && fscanf(file, "%63s %lld", name, &value) == 2) {
		for (size_t i = 0; i < PC_ARRAY_LEN(machine); i++) {
			if (strcmp(name, machine[i].id) == 0)
				v->value[i] = value;
		}
	}
	if (file)
		fclose(file);
}

/* What there was at one moment. */
struct moment {
	struct thp_counts counts;
	struct vmstat vmstat;
	uint64_t ms;
};

/* What is shown: from one moment to another. */
struct view {
	const struct watch *watch;
	const struct thp *thp;
	const struct moment *from, *to;
	bool total;
};

static void take_moment(struct moment *m, const struct watch *w, const struct thp *t)
{
	m->counts = *thp_read(t);
	m->ms = watch_elapsed_ms(w);
	read_vmstat(&m->vmstat);
}

static int64_t count_in(const struct thp_counts *c, const struct row *row)
{
	int64_t v;

	memcpy(&v, (const char *)c + row->offset, sizeof(v));
	return v;
}

static int64_t process_value(const struct view *v, const struct row *row)
{
	if (row->available && !row->available(v->thp))
		return -1;
	return count_in(&v->to->counts, row) - count_in(&v->from->counts, row);
}

/* What is seen by one way on this kernel and by another on the next: which. */
static const char *source_of(const struct thp *t, const struct row *row)
{
	const char *by = thp_splits_by(t);

	return by && row->available == thp_sees_splits ? by : row->source;
}

static int64_t machine_value(const struct view *v, size_t i)
{
	const int64_t before = v->from->vmstat.value[i];

	return before < 0 ? -1 : v->to->vmstat.value[i] - before;
}

static void add_value(struct json_object *object, const char *name, int64_t value)
{
	if (value < 0)
		json_object_object_add(object, name, NULL);
	else
		json_number(object, name, value);
}

#define NOT_AVAILABLE "not available on this kernel"

/* Each count's tracepoint or function; of the machine all come from /proc/vmstat. */
static struct json_object *sources_json(const struct view *v)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < PC_ARRAY_LEN(rows); i++)
		json_word(object, rows[i].id,
			  process_value(v, &rows[i]) < 0 ? NOT_AVAILABLE
							 : source_of(v->thp, &rows[i]));
	json_word(object, "machine", "/proc/vmstat");
	return object;
}

static void say_json(const struct view *v)
{
	struct json_object *object = json_object_new_object(), *all = json_object_new_object();

	json_number(object, "pid", v->watch->pid);
	json_ratio(object, "seconds", v->to->ms - v->from->ms);
	for (size_t i = 0; i < PC_ARRAY_LEN(rows); i++)
		add_value(object, rows[i].id, process_value(v, &rows[i]));
	for (size_t i = 0; i < PC_ARRAY_LEN(machine); i++)
		add_value(all, machine[i].id, machine_value(v, i));
	json_object_object_add(object, "sources", sources_json(v));
	json_object_object_add(object, "machine", all);
	if (v->total)
		watch_mark_total(v->watch, object);
	watch_say(v->watch, object);
}

static void say_row(const struct view *v, const char *scope, const char *text, const char *source,
		    int64_t value)
{
	const struct cell seconds = cell_ratio(v->to->ms - v->from->ms);

	if (v->watch->format == WATCH_CSV && value < 0) {
		printf("%s,%s,%s,%s,\n", seconds.s, scope, text, NOT_AVAILABLE);
	} else if (v->watch->format == WATCH_CSV) {
		printf("%s,%s,%s,%s,%lld\n", seconds.s, scope, text, source, (long long)value);
	} else if (value < 0) {
		printf("%9s  %-8s %-34s %-28s %s\n", seconds.s, scope, text, source, NOT_AVAILABLE);
	} else {
		printf("%9s  %-8s %-34s %-28s %12lld\n", seconds.s, scope, text, source,
		       (long long)value);
	}
}

static void say(const struct view *v)
{
	if (v->watch->format == WATCH_JSON) {
		say_json(v);
		return;
	}
	if (v->total)
		watch_head_total(v->watch);
	for (size_t i = 0; i < PC_ARRAY_LEN(rows); i++)
		say_row(v, "process", rows[i].text, source_of(v->thp, &rows[i]),
			process_value(v, &rows[i]));
	for (size_t i = 0; i < PC_ARRAY_LEN(machine); i++)
		say_row(v, "machine", machine[i].text, machine[i].id, machine_value(v, i));
	fflush(stdout);
}

static void watch_thp(struct watch *w, const struct thp *t, const struct moment *start)
{
	struct moment before = *start, now;
	enum watch_event event;

	if (w->format == WATCH_CSV)
		puts("seconds,scope,what,source,count");
	do {
		event = watch_wait(w, 0);
		take_moment(&now, w, t);
		if (w->interval && event != WATCH_TIME) {
			say(&(struct view){w, t, &before, &now, false});
			before = now;
		}
	} while (event != WATCH_END);
	say(&(struct view){w, t, start, &now, true});
	watch_tell_refused(thp_processes_refused(t));
}

static const struct watch_verb verb = {
    .name = "thp",
    .details = details,
    .scope = WATCH_ONE,
    .without = "AnonHugePages in /proc/PID/smaps_rollup, and thp_* of /proc/vmstat",
};

static int open_thp(struct thp **t, const struct watch *w)
{
	struct unable why;
	int err = thp_open(t, w->pidfd, &why);

	if (!err)
		return STATUS_OK;
	*t = NULL;
	return watch_unable(&verb, err, why.text);
}

int cmd_thp(int argc, char **argv)
{
	struct moment start = {0};
	struct watch w;
	struct thp *t = NULL;
	bool helped = false;
	int err = watch_parse(&w, &verb, NULL, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&w);
	if (err == STATUS_OK)
		err = open_thp(&t, &w);
	read_vmstat(&start.vmstat);
	if (err == STATUS_OK)
		err = watch_release(&w);
	if (err == STATUS_OK)
		watch_thp(&w, t, &start);
	if (t)
		thp_close(t);
	return watch_finish(&w, err);
}
