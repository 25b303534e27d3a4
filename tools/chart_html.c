/*
 * The page to explore: heatmap.html with its data in place of a marker. A "<" in the data, which stands
 * in names only, is written by its number: "</script" would end the script that holds them, "<!--<script"
 * keep it from ending.
 */
#include <string.h>

#include "chart.h"
#include "heatmap.html.h" /* made from heatmap.html by the build */

#define MARKER "@DATA@"

static void put_json(FILE *to, const char *json)
{
	for (; *json; json++) {
		if (*json == '<')
			fputs("\\u003c", to);
		else
			putc(*json, to);
	}
}

void chart_html(FILE *to, const struct chart *c)
{
	const char *page = (const char *)heatmap_page, *marker = strstr(page, MARKER);
	struct json_object *object = chart_object(c);

	fwrite(page, 1, (size_t)(marker - page), to);
	put_json(to, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	fputs(marker + strlen(MARKER), to);
	json_object_put(object);
}
