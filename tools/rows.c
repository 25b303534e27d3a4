#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "attach.h"
#include "json.h"

static void fill(struct row *row, const struct report *r)
{
	report_program(r, row->program);
	row->state = report_state(r);
	row->reason = r->segment->inert_reason ? report_reason(r) : NULL;
	row->hotness = report_hotness(r);
	row->memory = report_memory(r);
	row->fault = report_latency(r, "fault_all");
	row->start_ns = r->segment->start_ns;
	row->evicted = report_value(r, "pages_evicted");
	row->restored = report_value(r, "pages_restored");
	row->faults = report_value(r, "faults_missing") + report_value(r, "faults_wp");
	row->cpu_ns = report_value(r, "work_cpu") + report_value(r, "pager_cpu");
}

static struct row *append(struct rows *rows)
{
	struct row *row = array_room(rows->row, &rows->room, rows->count + 1, sizeof(*row));

	if (!row)
		return NULL;
	rows->row = row;
	return &rows->row[rows->count++];
}

static void add(void *arg, pid_t pid, struct target *t, const struct refusal *why)
{
	struct row *row;

	/* Gone meanwhile, or a thread that only bears the name. */
	if (!t && why->status == STATUS_NO_PROCESS)
		return;
	row = append(arg);
	if (!row)
		return;
	*row = (struct row){.pid = pid, .state = "unknown"};
	if (t) {
		fill(row, &t->report);
		return;
	}
	row->status = why->status;
	process_name(pid, row->program, sizeof(row->program));
	memcpy(row->problem, why->text, sizeof(row->problem));
}

int rows_collect(struct rows *rows)
{
	int err;

	*rows = (struct rows){.taken = now_monotonic()};
	err = attach_each(add, rows);
	if (err < 0)
		return complain(STATUS_NO, "/proc cannot be read: %s", strerror(-err));
	return STATUS_OK;
}

void rows_free(struct rows *rows)
{
	free(rows->row);
	*rows = (struct rows){0};
}

static uint64_t per_second(uint64_t now, uint64_t before, pc_ns elapsed)
{
	if (now < before || elapsed < PC_MS)
		return 0;
	return (now - before) * 1000 / (elapsed / PC_MS);
}

static void rate(struct row *row, const struct row *before, pc_ns elapsed)
{
	row->evicted_rate = per_second(row->evicted, before->evicted, elapsed);
	row->restored_rate = per_second(row->restored, before->restored, elapsed);
	row->fault_rate = per_second(row->faults, before->faults, elapsed);
	row->cpu_share = per_second(row->cpu_ns, before->cpu_ns, elapsed) / PC_MS;
}

void rows_rate(struct rows *rows, const struct rows *before)
{
	for (size_t i = 0; i < rows->count; i++) {
		for (size_t j = 0; j < before->count; j++) {
			if (rows->row[i].pid == before->row[j].pid &&
			    rows->row[i].start_ns == before->row[j].start_ns)
				rate(&rows->row[i], &before->row[j], rows->taken - before->taken);
		}
	}
}

static int compare_saved(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if ((a->status == STATUS_OK) != (b->status == STATUS_OK))
		return a->status == STATUS_OK ? -1 : 1;
	if (a->memory.saved != b->memory.saved)
		return a->memory.saved > b->memory.saved ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

void rows_by_saved(struct rows *rows)
{
	if (rows->count > 1)
		qsort(rows->row, rows->count, sizeof(*rows->row), compare_saved);
}

static struct json_object *row_json(const struct row *row)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", row->pid);
	json_word(object, "program", row->program);
	if (row->status != STATUS_OK) {
		json_word(object, "error", row->problem);
		return object;
	}
	json_word(object, "state", row->state);
	if (row->reason)
		json_word(object, "reason", row->reason);
	json_word(object, "age_source", row->hotness);
	json_number(object, "memory_before", (int64_t)row->memory.before);
	json_number(object, "memory_now", (int64_t)row->memory.now);
	json_number(object, "memory_saved", row->memory.saved);
	json_ratio(object, "ratio", row->memory.ratio);
	json_number(object, "pages_evicted", (int64_t)row->evicted);
	json_number(object, "pages_restored", (int64_t)row->restored);
	json_number(object, "faults", (int64_t)row->faults);
	json_number(object, "pages_evicted_per_second", (int64_t)row->evicted_rate);
	json_number(object, "pages_restored_per_second", (int64_t)row->restored_rate);
	json_number(object, "faults_per_second", (int64_t)row->fault_rate);
	json_ratio(object, "cpu", row->cpu_share);
	json_number(object, "fault_p50_ns", (int64_t)row->fault.p50);
	json_number(object, "fault_p99_ns", (int64_t)row->fault.p99);
	return object;
}

struct json_object *rows_json(const struct rows *rows)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < rows->count; i++)
		json_object_array_add(array, row_json(&rows->row[i]));
	return array;
}

void row_print_state(const struct row *row, int width)
{
	enum ink colour = INK_RED;

	if (row->status == STATUS_OK)
		colour = row->reason ? INK_YELLOW : INK_GREEN;
	printf("%s%-*s%s", ink(stdout, colour), width, row->state, ink(stdout, INK_PLAIN));
}
