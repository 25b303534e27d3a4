/* list - every process that runs under the library. */
#include <getopt.h>

#include "json.h"
#include "rows.h"

static const char details[] =
    "  --json    one array of objects, sizes in bytes, times in nanoseconds\n"
    "\n"
    "BEFORE is what would be resident without packing, NOW what is. Processes of other\n"
    "users are shown as far as they may be seen. Exit status 1 when there is none.\n";

static const struct option longs[] = {
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void print_row(const struct row *row)
{
	printf("%8d  %-16.16s  ", row->pid, row->program);
	row_print_state(row, 9);
	if (row->status != STATUS_OK) {
		printf("  %s\n", row->problem);
		return;
	}
	printf("%11s %11s %11s %7s", cell_size((int64_t)row->memory.before).s,
	       cell_size((int64_t)row->memory.now).s, cell_size(row->memory.saved).s,
	       cell_ratio(row->memory.ratio).s);
	if (row->reason)
		printf("  not managed: %s", row->reason);
	putchar('\n');
}

static void print_table(const struct rows *rows)
{
	if (rows->count == 0)
		return;
	printf("%s%8s  %-16s  %-9s%11s %11s %11s %7s%s\n", ink(stdout, INK_BOLD), "PID", "PROGRAM",
	       "STATE", "BEFORE", "NOW", "SAVED", "RATIO", ink(stdout, INK_PLAIN));
	for (size_t i = 0; i < rows->count; i++)
		print_row(&rows->row[i]);
}

static int show(bool as_json)
{
	struct json_object *object;
	struct rows rows;
	int err = rows_collect(&rows);

	if (err == STATUS_OK && rows.count == 0)
		err = STATUS_NO;
	if (as_json) {
		object = rows_json(&rows);
		json_say(object, JSON_ALONE);
		json_object_put(object);
	} else {
		print_table(&rows);
	}
	if (err == STATUS_NO && !as_json)
		complain(err, "no process runs under the library");
	rows_free(&rows);
	return err;
}

int cmd_list(int argc, char **argv)
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
			show_help("list", details);
			return STATUS_OK;
		case '?':
			return bad_usage("list");
		}
	}
	if (optind != argc)
		return complain(STATUS_USAGE, "list takes no arguments");
	return show(as_json);
}
