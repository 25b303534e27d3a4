/* top - managed processes live, the most saved bytes first. */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "rows.h"
#include "screen.h"

static const char details[] =
    "  --once            one table after one interval; so too where input or output is no\n"
    "                     terminal\n"
    "  --json            the same as an array of objects\n"
    "  --interval TIME   time between two readings (2s)\n"
    "\n"
    "q ends it. Rates are a second over the last interval; fault times since the start.\n";

static const struct option longs[] = {
    {"once", no_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},
    {"interval", required_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

struct request {
	bool once, json;
	pc_ns interval;
};

/* Lines that are wider than the terminal would wrap and scroll the head away. */
#define LINE_BYTES 384

struct page {
	int lines, columns; /* columns 0: no limit */
	const char *end;    /* of each line */
};

static void print_line(const struct page *page, const char *line)
{
	if (page->columns > 0)
		printf("%.*s%s", page->columns, line, page->end);
	else
		printf("%s%s", line, page->end);
}

static void print_totals(const struct rows *rows, const struct page *page)
{
	uint64_t now = 0;
	int64_t saved = 0;
	size_t readable = 0;
	char line[LINE_BYTES];

	for (size_t i = 0; i < rows->count; i++) {
		now += rows->row[i].memory.now;
		saved += rows->row[i].memory.saved;
		readable += rows->row[i].status == STATUS_OK;
	}
	snprintf(line, sizeof(line), "%zu processes, %zu unreadable: %s now, %s saved", rows->count,
		 rows->count - readable, cell_size((int64_t)now).s, cell_size(saved).s);
	print_line(page, line);
}

static void print_head(const struct page *page)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "%8s  %-16s  %-9s%11s %11s %7s %9s %10s %8s %9s %6s", "PID",
		 "PROGRAM", "STATE", "NOW", "SAVED", "RATIO", "EVICTED/s", "RESTORED/s", "FAULTS/s",
		 "FAULT-P99", "CPU%");
	fputs(ink(stdout, INK_BOLD), stdout);
	print_line(page, line);
	fputs(ink(stdout, INK_PLAIN), stdout);
}

static void print_row(const struct row *row, const struct page *page)
{
	char line[LINE_BYTES];

	if (row->status != STATUS_OK)
		snprintf(line, sizeof(line), "%8d  %-16.16s  %-9s  %.120s", row->pid, row->program,
			 row->state, row->problem);
	else
		snprintf(line, sizeof(line),
			 "%8d  %-16.16s  %-9s%11s %11s %7s %9s %10s %8s %9s %4llu.%llu", row->pid,
			 row->program, row->state, cell_size((int64_t)row->memory.now).s,
			 cell_size(row->memory.saved).s, cell_ratio(row->memory.ratio).s,
			 cell_count(row->evicted_rate).s, cell_count(row->restored_rate).s,
			 cell_count(row->fault_rate).s, cell_time(row->fault.p99).s,
			 (unsigned long long)row->cpu_share / 10,
			 (unsigned long long)row->cpu_share % 10);
	print_line(page, line);
}

static void print_table(const struct rows *rows, const struct page *page)
{
	size_t room = page->lines > 3 ? (size_t)page->lines - 3 : 0;

	print_totals(rows, page);
	print_head(page);
	for (size_t i = 0; i < rows->count && (page->lines == 0 || i < room); i++)
		print_row(&rows->row[i], page);
}

/* The next reading takes the place of `*rows`. */
static int read_next(struct rows *rows)
{
	struct rows next;
	int err = rows_collect(&next);

	if (err != STATUS_OK)
		return err;
	rows_rate(&next, rows);
	rows_by_saved(&next);
	rows_free(rows);
	*rows = next;
	return STATUS_OK;
}

static void print_once(const struct rows *rows, bool as_json)
{
	const struct page page = {.end = "\n"};
	struct json_object *object;

	if (!as_json) {
		print_table(rows, &page);
		return;
	}
	object = rows_json(rows);
	json_say(object, JSON_ALONE);
	json_object_put(object);
}

static int once(struct rows *rows, const struct request *q)
{
	int err;

	pause_for(q->interval);
	err = read_next(rows);
	if (err != STATUS_OK)
		return err;
	print_once(rows, q->json);
	return rows->count > 0 ? STATUS_OK : STATUS_NO;
}

static void draw(const struct rows *rows)
{
	struct page page = {.end = "\033[K\r\n"};

	screen_size(&page.lines, &page.columns);
	screen_home();
	print_table(rows, &page);
	screen_wipe_below();
	fflush(stdout);
}

static int live(struct rows *rows, pc_ns interval)
{
	enum screen_event event = SCREEN_TIME;
	int err = screen_enter();
	char key = '\0';

	if (err != STATUS_OK)
		return err;
	while (err == STATUS_OK && event != SCREEN_END && key != 'q') {
		pc_ns passed = now_monotonic() - rows->taken;

		draw(rows);
		event = screen_wait(passed < interval ? interval - passed : 0, &key);
		if (event == SCREEN_TIME)
			err = read_next(rows);
	}
	screen_leave();
	return err;
}

static int show(const struct request *q)
{
	struct rows rows;
	int err = rows_collect(&rows);

	rows_by_saved(&rows);
	if (err == STATUS_OK)
		err = q->once ? once(&rows, q) : live(&rows, q->interval);
	rows_free(&rows);
	return err;
}

int cmd_top(int argc, char **argv)
{
	struct request q = {.interval = 2 * PC_SEC};
	int err = STATUS_OK;
	int which;

	q.once = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	optind = 0;
	while (err == STATUS_OK && (which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (which) {
		case 'o':
			q.once = true;
			break;
		case 'j':
			q.once = q.json = true;
			break;
		case 'i':
			err = parse_period(optarg, &q.interval);
			break;
		case 'h':
			show_help("top", details);
			return STATUS_OK;
		case '?':
			return bad_usage("top");
		}
	}
	if (err == STATUS_OK && optind != argc)
		err = complain(STATUS_USAGE, "top takes no arguments");
	return err == STATUS_OK ? show(&q) : err;
}
