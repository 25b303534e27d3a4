/* The form for programs; also what the page of chart_html() draws from. */
#include <stdlib.h>

#include "chart.h"
#include "json.h"
#include "predicomp/predicomp.h"

#define VERSION_TEXT(x) #x
#define VERSION_WORD(x) VERSION_TEXT(x)
#define LIBRARY_VERSION                                                                            \
	VERSION_WORD(PREDICOMP_VERSION_MAJOR)                                                      \
	"." VERSION_WORD(PREDICOMP_VERSION_MINOR) "." VERSION_WORD(PREDICOMP_VERSION_PATCH)

static const char *const source_names[] = {
    [SOURCE_KERNEL] = "kernel",
    [SOURCE_SHIM] = "library",
};

static double seconds(pc_ns ns)
{
	return (double)ns / (double)PC_SEC;
}

static void add_seconds(struct json_object *object, const char *name, pc_ns ns)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%.3f", seconds(ns));
	json_object_object_add(object, name, json_object_new_double_s(seconds(ns), digits));
}

static struct json_object *sources(const struct chart *c)
{
	struct json_object *object = json_object_new_object();

	for (unsigned i = 0; i < PC_ARRAY_LEN(source_names); i++) {
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "present",
				       json_object_new_boolean(c->seen->source[i].present));
		if (c->seen->source[i].text[0])
			json_word(one, "note", c->seen->source[i].text);
		json_object_object_add(object, source_names[i], one);
	}
	return object;
}

static struct json_object *layers(const struct chart *c)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < LAYERS; i++) {
		struct json_object *one = json_object_new_object();

		json_word(one, "name", layer_kinds[i].name);
		json_word(one, "title", layer_kinds[i].title);
		json_word(one, "unit", layer_kinds[i].unit);
		json_word(one, "help", layer_kinds[i].help);
		json_word(one, "source", source_names[layer_kinds[i].source]);
		json_word(one, "kind", i == LAYER_LEVEL ? "level" : "count");
		json_object_object_add(one, "present",
				       json_object_new_boolean(chart_has(c, (enum layer)i)));
		if (i != LAYER_LEVEL)
			json_number(one, "total", (int64_t)c->m->total[i]);
		json_object_array_add(array, one);
	}
	return array;
}

/* By birth; rows say which by its place here, for numbers of processes are used again. */
static struct json_object *processes(const struct chart *c)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < c->seen->processes; i++) {
		const struct observed_process *p = &c->seen->process[i];
		struct json_object *one = json_object_new_object();

		json_number(one, "pid", p->pid);
		json_word(one, "program", p->name);
		if (p->parent)
			json_number(one, "parent", p->parent);
		json_object_array_add(array, one);
	}
	return array;
}

static struct json_object *rows(const struct chart *c)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < c->m->row_count; i++) {
		const struct matrix_row *row = &c->m->row[i];
		struct json_object *one = json_object_new_object();
		char start[24];

		snprintf(start, sizeof(start), "0x%llx", (unsigned long long)chart_start(c, row));
		json_word(one, "start", start);
		json_word(one, "class", region_class_name(row->class));
		json_word(one, "region", row->label);
		json_number(one, "process", row->process);
		json_number(one, "pid", chart_process(c, row)->pid);
		json_object_array_add(array, one);
	}
	return array;
}

static struct json_object *cells(const struct chart *c)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < c->m->cell_count; i++) {
		const struct matrix_cell *cell = &c->m->cell[i];
		struct json_object *one = json_object_new_array();

		json_object_array_add(one, json_object_new_int64(cell->row));
		json_object_array_add(one, json_object_new_int64(cell->column));
		for (unsigned layer = 0; layer < LAYERS; layer++)
			json_object_array_add(one, json_object_new_int64(cell->value[layer]));
		json_object_array_add(array, one);
	}
	return array;
}

struct json_object *chart_object(const struct chart *c)
{
	struct json_object *object = json_object_new_object();

	json_word(object, "predicomp", LIBRARY_VERSION);
	json_word(object, "program", c->seen->process[0].name);
	json_number(object, "pid", c->seen->process[0].pid);
	json_word(object, "began", chart_time(c).s);
	add_seconds(object, "seconds", c->m->elapsed);
	add_seconds(object, "column_seconds", c->m->column);
	json_number(object, "columns", c->m->columns);
	json_number(object, "row_bytes", (int64_t)c->m->row_bytes);
	json_number(object, "page_bytes", PC_PAGE);
	json_object_object_add(object, "complete", json_object_new_boolean(!c->m->failed));
	json_object_object_add(object, "sources", sources(c));
	json_object_object_add(object, "processes", processes(c));
	json_number(object, "processes_left_out", (int64_t)c->seen->left);
	json_number(object, "faults_left_out", (int64_t)c->seen->left_faults);
	json_object_object_add(object, "layers", layers(c));
	json_object_object_add(object, "rows", rows(c));
	json_object_object_add(object, "cells", cells(c));
	return object;
}

void chart_json(FILE *to, const struct chart *c)
{
	struct json_object *object = chart_object(c);

	fprintf(to, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}
