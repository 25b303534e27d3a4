#include "json.h"

#include <stdio.h>

#include "base/text.h"
#include "report/human.h"

static const char *const group_names[] = {
    [REPORT_IDENTITY] = NULL, /* at the top */
    [REPORT_OPTION] = "options", [REPORT_CAPABILITY] = "capabilities",
    [REPORT_MEMORY] = "memory",	 [REPORT_COUNTER] = "counters",
    [REPORT_GAUGE] = "gauges",	 [REPORT_HISTOGRAM] = "histograms",
    [REPORT_RATIO] = "ratios",
};

void json_word(struct json_object *object, const char *name, const char *value)
{
	json_object_object_add(object, name, json_object_new_string(value));
}

void json_number(struct json_object *object, const char *name, int64_t value)
{
	json_object_object_add(object, name, json_object_new_int64(value));
}

/* Printed as 2.155, not as the binary fraction next to it. */
void json_ratio(struct json_object *object, const char *name, uint64_t thousandths)
{
	char digits[32];
	struct text t = text_begin(digits, sizeof(digits));

	human_thousandths(&t, thousandths);
	json_object_object_add(object, name,
			       json_object_new_double_s((double)thousandths / 1000, digits));
}

/* object[name], made when it is not there. */
static struct json_object *inside(struct json_object *object, const char *name)
{
	struct json_object *found;

	if (json_object_object_get_ex(object, name, &found))
		return found;
	found = json_object_new_object();
	json_object_object_add(object, name, found);
	return found;
}

/* Of a histogram, that of its times: its count explains itself. */
static void add_unit(struct json_object *object, const struct report_item *item)
{
	if (item->unit[0] == '\0' || item->text)
		return;
	json_word(inside(object, "units"), item->name, item->unit);
}

static void add_item(void *arg, const struct report_item *item)
{
	struct json_object *place = arg;
	const char *name = item->field ? item->field : item->name;

	add_unit(arg, item);
	if (group_names[item->group])
		place = inside(place, group_names[item->group]);
	if (item->field)
		place = inside(place, item->name);
	if (item->text)
		json_word(place, name, item->text);
	else if (item->group == REPORT_RATIO)
		json_ratio(place, name, (uint64_t)item->value);
	else
		json_number(place, name, item->value);
}

struct json_object *json_report(const struct report *r)
{
	struct json_object *object = json_object_new_object();

	report_each(r, add_item, object);
	return object;
}

void json_say(struct json_object *object, enum json_style style)
{
	int flags = style == JSON_ALONE ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
					: JSON_C_TO_STRING_PLAIN;

	puts(json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}
