/*
 * The page to explore: heatmap.html with its data in place of a marker. json-c writes "</" as
 * "<\/", so that no name in the data can end the script that holds it.
 */
#include <string.h>

#include "chart.h"
#include "heatmap.html.h" /* made from heatmap.html by the build */

#define MARKER "@DATA@"

void chart_html(FILE *to, const struct chart *c)
{
	const char *page = (const char *)heatmap_page, *marker = strstr(page, MARKER);
	struct json_object *object = chart_object(c);

	fwrite(page, 1, (size_t)(marker - page), to);
	fputs(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), to);
	fputs(marker + strlen(MARKER), to);
	json_object_put(object);
}
