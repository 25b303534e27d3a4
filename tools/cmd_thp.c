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
    "Needs CAP_BPF and CAP_PERFMON. Without them: AnonHugePages in /proc/PID/smaps_rollup.\n";

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
    ROW(collapses, "collapsed into huge pages", "mm_collapse_huge_page", NULL),
    ROW(collapse_failed, "collapses given up", "mm_collapse_huge_page", NULL),
    ROW(scans, "looked at by khugepaged", "mm_khugepaged_scan_pmd", NULL),
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

struct reading {
	const struct thp *thp;
	struct vmstat before;
};

static int64_t process_value(const struct thp *t, const struct row *row)
{
	int64_t v;

	if (row->available && !row->available(t))
		return -1;
	memcpy(&v, (const char *)thp_read(t) + row->offset, sizeof(v));
	return v;
}

/* What is seen by one way on this kernel and by another on the next: which. */
static const char *source_of(const struct thp *t, const struct row *row)
{
	const char *by = thp_splits_by(t);

	return by && row->available == thp_sees_splits ? by : row->source;
}

static int64_t machine_value(const struct vmstat *before, const struct vmstat *now, size_t i)
{
	return before->value[i] < 0 ? -1 : now->value[i] - before->value[i];
}

static void add_value(struct json_object *object, const char *name, int64_t value)
{
	if (value < 0)
		json_object_object_add(object, name, NULL);
	else
		json_number(object, name, value);
}

static void say_json(const struct watch *w, const struct reading *r, const struct vmstat *now)
{
	struct json_object *object = json_object_new_object(), *all = json_object_new_object();

	json_number(object, "pid", w->pid);
	json_ratio(object, "seconds", watch_elapsed_ms(w));
	for (size_t i = 0; i < PC_ARRAY_LEN(rows); i++)
		add_value(object, rows[i].id, process_value(r->thp, &rows[i]));
	for (size_t i = 0; i < PC_ARRAY_LEN(machine); i++)
		add_value(all, machine[i].id, machine_value(&r->before, now, i));
	if (thp_sees_splits(r->thp))
		json_word(object, "splits_source", thp_splits_by(r->thp));
	json_object_object_add(object, "machine", all);
	watch_say(w, object);
}

static void say_row(const struct watch *w, const char *scope, const char *text, const char *source,
		    int64_t value)
{
	const struct cell seconds = cell_ratio(watch_elapsed_ms(w));

	if (w->format == WATCH_CSV) {
		printf("%s,%s,%s,%s,", seconds.s, scope, text, source);
		if (value >= 0)
			printf("%lld", (long long)value);
		putchar('\n');
	} else if (value < 0) {
		printf("%9s  %-8s %-34s %-28s not available on this kernel\n", seconds.s, scope,
		       text, source);
	} else {
		printf("%9s  %-8s %-34s %-28s %12lld\n", seconds.s, scope, text, source,
		       (long long)value);
	}
}

static void say(const struct watch *w, const struct reading *r)
{
	struct vmstat now;

	read_vmstat(&now);
	if (w->format == WATCH_JSON) {
		say_json(w, r, &now);
		return;
	}
	for (size_t i = 0; i < PC_ARRAY_LEN(rows); i++)
		say_row(w, "process", rows[i].text, source_of(r->thp, &rows[i]),
			process_value(r->thp, &rows[i]));
	for (size_t i = 0; i < PC_ARRAY_LEN(machine); i++)
		say_row(w, "machine", machine[i].text, machine[i].id,
			machine_value(&r->before, &now, i));
	fflush(stdout);
}

static void watch_thp(struct watch *w, const struct reading *r)
{
	enum watch_event event;

	if (w->format == WATCH_CSV)
		puts("seconds,scope,what,source,count");
	while ((event = watch_wait(w, 0)) != WATCH_END) {
		if (event == WATCH_INTERVAL)
			say(w, r);
	}
	say(w, r);
}

static const struct watch_verb verb = {.name = "thp", .details = details, .scope = WATCH_ONE};

static int open_thp(struct thp **t, const struct watch *w)
{
	struct unable why;
	int err = thp_open(t, w->pidfd, &why);

	if (!err)
		return STATUS_OK;
	*t = NULL;
	return complain(err == -EPERM ? STATUS_PERMISSION : STATUS_NO, "%s", why.text);
}

int cmd_thp(int argc, char **argv)
{
	struct reading r;
	struct watch w;
	struct thp *t = NULL;
	bool helped = false;
	int err = watch_parse(&w, &verb, NULL, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&w);
	if (err == STATUS_OK)
		err = open_thp(&t, &w);
	r.thp = t;
	read_vmstat(&r.before);
	if (err == STATUS_OK)
		err = watch_release(&w);
	if (err == STATUS_OK)
		watch_thp(&w, &r);
	if (t)
		thp_close(t);
	return watch_finish(&w, err);
}
