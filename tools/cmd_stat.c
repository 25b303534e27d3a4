/* stat - what happened in one process, once or again and again. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "json.h"
#include "report/render.h"

static const char details[] =
    "  --all             also every counter, with what it counts\n"
    "  --json            everything as one object; raw values\n"
    "  --csv             everything as a header and a row; raw values\n"
    "  --interval TIME   again each TIME (2, 500ms) until the process ends: one line of\n"
    "                    rates a second, one JSON object a line, or one row of CSV\n"
    "  --count N         stop after N\n";

enum format { FORMAT_TEXT, FORMAT_ALL, FORMAT_JSON, FORMAT_CSV };

struct request {
	enum format format;
	pc_ns interval; /* 0: once */
	uint64_t count; /* 0: for ever */
	pid_t pid;
};

static const struct option longs[] = {
    {"all", no_argument, NULL, 'a'},
    {"json", no_argument, NULL, 'j'},
    {"csv", no_argument, NULL, 'c'},
    {"interval", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* --- whole reports -------------------------------------------------------------------------- */

static void print_text(const struct report *r, void (*render)(const struct report *, struct text *))
{
	char buf[RENDER_CSV_BYTES];
	struct text t = text_begin(buf, sizeof(buf));

	render(r, &t);
	fputs(buf, stdout);
}

static void print_item(void *arg, const struct report_item *item)
{
	char name[64];

	(void)arg;
	if (item->group == REPORT_IDENTITY || item->group == REPORT_OPTION ||
	    item->group == REPORT_CAPABILITY)
		return;
	snprintf(name, sizeof(name), "%s%s%s", item->name, item->field ? "." : "",
		 item->field ? item->field : "");
	if (item->group == REPORT_RATIO)
		printf("%-26s %16s", name, cell_ratio((uint64_t)item->value).s);
	else
		printf("%-26s %16lld", name, (long long)item->value);
	printf(" %-9s  %s\n", item->unit, item->help ? item->help : "");
}

static void print_json(const struct report *r, enum json_style style)
{
	struct json_object *object = json_report(r);

	json_say(object, style);
	json_object_put(object);
}

static void print_whole(const struct report *r, enum format format)
{
	switch (format) {
	case FORMAT_TEXT:
		print_text(r, render_summary);
		break;
	case FORMAT_ALL:
		print_text(r, render_summary);
		putchar('\n');
		report_each(r, print_item, NULL);
		break;
	case FORMAT_JSON:
		print_json(r, JSON_ALONE);
		break;
	case FORMAT_CSV:
		print_text(r, render_csv_header);
		print_text(r, render_csv_row);
		break;
	}
}

/* --- a line of rates ------------------------------------------------------------------------ */

struct rates {
	uint64_t evicted, restored, faults, refaults, cpu_ns;
	pc_ns at;
};

static struct rates read_rates(const struct report *r)
{
	return (struct rates){
	    .evicted = report_value(r, "pages_evicted"),
	    .restored = report_value(r, "pages_restored"),
	    .faults = report_value(r, "faults_missing") + report_value(r, "faults_wp"),
	    .refaults = report_value(r, "refaults"),
	    .cpu_ns = report_value(r, "work_cpu") + report_value(r, "pager_cpu"),
	    .at = r->now,
	};
}

static void print_rates_head(void)
{
	printf("%s%11s %11s %7s %9s %10s %9s %10s %9s %9s %6s%s\n", ink(stdout, INK_BOLD), "NOW",
	       "SAVED", "RATIO", "EVICTED/s", "RESTORED/s", "FAULTS/s", "REFAULTS/s", "FAULT-P50",
	       "FAULT-P99", "CPU%", ink(stdout, INK_PLAIN));
}

static uint64_t per_second(uint64_t now, uint64_t before, pc_ns elapsed)
{
	return now > before ? (now - before) * 1000 / PC_MAX(elapsed / PC_MS, 1ull) : 0;
}

static void print_rates(const struct report *r, const struct rates *before)
{
	struct report_memory m = report_memory(r);
	struct report_latency fault = report_latency(r, "fault_all");
	struct rates now = read_rates(r);
	pc_ns elapsed = now.at - before->at;
	uint64_t cpu = per_second(now.cpu_ns, before->cpu_ns, elapsed) / PC_MS;

	printf("%11s %11s %7s %9s %10s %9s %10s %9s %9s %4llu.%llu\n", cell_size((int64_t)m.now).s,
	       cell_size(m.saved).s, cell_ratio(m.ratio).s,
	       cell_count(per_second(now.evicted, before->evicted, elapsed)).s,
	       cell_count(per_second(now.restored, before->restored, elapsed)).s,
	       cell_count(per_second(now.faults, before->faults, elapsed)).s,
	       cell_count(per_second(now.refaults, before->refaults, elapsed)).s,
	       cell_time(fault.p50).s, cell_time(fault.p99).s, (unsigned long long)cpu / 10,
	       (unsigned long long)cpu % 10);
}

/* --- the series ----------------------------------------------------------------------------- */

static void print_next(const struct report *r, const struct request *q, const struct rates *before)
{
	switch (q->format) {
	case FORMAT_TEXT:
	case FORMAT_ALL:
		print_rates(r, before);
		break;
	case FORMAT_JSON:
		print_json(r, JSON_SERIES);
		break;
	case FORMAT_CSV:
		print_text(r, render_csv_row);
		break;
	}
	fflush(stdout);
}

static void print_series_head(const struct report *r, enum format format)
{
	if (format == FORMAT_CSV)
		print_text(r, render_csv_header);
	else if (format != FORMAT_JSON)
		print_rates_head();
}

/* Until the count is reached or the process has ended: both are a good end. */
static int series(struct target *t, const struct request *q, struct refusal *why)
{
	int err = STATUS_OK;

	print_series_head(&t->report, q->format);
	for (uint64_t i = 0; q->count == 0 || i < q->count; i++) {
		struct rates before = read_rates(&t->report);

		pause_for(q->interval);
		err = attach_refresh(t, why);
		if (err == STATUS_NO_PROCESS)
			return STATUS_OK;
		if (err != STATUS_OK)
			return err;
		print_next(&t->report, q, &before);
		if (ferror(stdout))
			return STATUS_OK; /* main says it */
	}
	return err;
}

static int show(const struct request *q)
{
	struct refusal why;
	struct target t;
	int err = attach_named(&t, q->pid, ATTACH_READ, &why);

	if (err != STATUS_OK)
		return complain(err, "%s", why.text);
	if (q->interval == 0)
		print_whole(&t.report, q->format);
	else
		err = series(&t, q, &why);
	detach(&t);
	return err == STATUS_OK ? err : complain(err, "%s", why.text);
}

static int parse_count(const char *s, uint64_t *count)
{
	if (parse_u64(s, count) != 0 || *count == 0)
		return complain(STATUS_USAGE, "%s is not a number above 0", s);
	return STATUS_OK;
}

static int take_option(int which, struct request *q)
{
	switch (which) {
	case 'a':
		q->format = FORMAT_ALL;
		return STATUS_OK;
	case 'j':
		q->format = FORMAT_JSON;
		return STATUS_OK;
	case 'c':
		q->format = FORMAT_CSV;
		return STATUS_OK;
	case 'i':
		return parse_period(optarg, &q->interval);
	case 'n':
		return parse_count(optarg, &q->count);
	}
	return bad_usage("stat");
}

int cmd_stat(int argc, char **argv)
{
	struct request q = {0};
	int which, err;

	optind = 0;
	while ((which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (which == 'h') {
			show_help("stat", details);
			return STATUS_OK;
		}
		err = take_option(which, &q);
		if (err != STATUS_OK)
			return err;
	}
	if (q.count && !q.interval)
		return complain(STATUS_USAGE, "--count counts intervals: give one with --interval");
	err = one_pid(argc, argv, &q.pid);
	return err == STATUS_OK ? show(&q) : err;
}
