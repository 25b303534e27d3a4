/*
 * json.h - reports as JSON, by json-c. Raw numbers in the unit of the table; words as strings.
 *
 * The caller owns what is returned (json_object_put) and passes it to json_say(), which prints one
 * document a call: indented on a terminal or when alone, one line in a series.
 */
#ifndef PC_TOOLS_JSON_H
#define PC_TOOLS_JSON_H

#include <json-c/json.h>

#include "report/report.h"

/*
 * { program, pid, ..., options: {}, capabilities: {}, memory: {}, counters: {}, gauges: {},
 *   histograms: { name: { count, mean, ... } }, ratios: {}, units: { name: unit } }
 */
struct json_object *json_report(const struct report *r);

enum json_style { JSON_ALONE, JSON_SERIES };
void json_say(struct json_object *object, enum json_style style);

/* object[name] = value */
void json_word(struct json_object *object, const char *name, const char *value);
void json_number(struct json_object *object, const char *name, int64_t value);
void json_ratio(struct json_object *object, const char *name, uint64_t thousandths);

#endif
