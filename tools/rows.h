/*
 * rows.h - all managed processes as the rows of a table: what `list` and `top` show.
 *
 * A row is plain data: nothing of the process stays open. Rates come from two collections and
 * match rows by process number and start, so that a reused number starts over.
 */
#ifndef PC_TOOLS_ROWS_H
#define PC_TOOLS_ROWS_H

#include <json-c/json.h>

#include "report/report.h"
#include "tool.h"

struct row {
	pid_t pid;
	enum status status; /* STATUS_OK, or why the rest but for `program` is empty */
	char program[REPORT_PROGRAM_BYTES];
	char problem[256];
	const char *state;
	const char *reason; /* NULL while managed */
	const char *hotness;
	struct report_memory memory;
	struct report_latency fault;
	uint64_t start_ns;
	uint64_t evicted, restored, faults, cpu_ns;
	uint64_t evicted_rate, restored_rate, fault_rate; /* a second */
	uint64_t cpu_share;				  /* thousandths of one CPU */
};

struct rows {
	struct row *row;
	size_t count, room;
	pc_ns taken;
};

/* STATUS_OK or said. rows_free() in any case. */
int rows_collect(struct rows *rows);
void rows_free(struct rows *rows);

void rows_rate(struct rows *rows, const struct rows *before);
void rows_by_saved(struct rows *rows); /* most first; rows without data last */

struct json_object *rows_json(const struct rows *rows);

/* The state in its colour, padded to `width`. */
void row_print_state(const struct row *row, int width);

#endif
