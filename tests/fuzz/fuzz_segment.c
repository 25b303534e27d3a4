/*
 * Segments that somebody else filled. The bytes are taken as they are when they begin with the
 * magic; otherwise they are edits of a sound segment: (offset, byte) in threes, so that most of
 * what is tried gets past the first checks.
 *
 * Checked: a segment is refused, or everything about it can be said without leaving it (the copy is
 * exactly as large as the segment, so the sanitizer sees one byte too many), all names are plain,
 * quantiles are in order, and rendering never writes past its buffer.
 */
#include "base/stats.h"
#include "report/render.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536
#define EDIT	  3 /* bytes: offset low, offset high, value */

static char buf[RENDER_CSV_BYTES];

static void check_item(void *arg, const struct report_item *item)
{
	size_t *items = arg;

	PROMISE(item->name[0] != '\0' && item->unit);
	for (const char *c = item->name; *c; c++)
		PROMISE(*c > ' ' && *c <= '~');
	for (const char *c = item->text ? item->text : ""; *c; c++)
		PROMISE(*c >= ' ' && *c <= '~');
	PROMISE((item->group == REPORT_HISTOGRAM) == (item->field != NULL));
	++*items;
}

static void check_latency(const struct report *r, const char *name)
{
	struct report_latency l = report_latency(r, name);

	PROMISE(l.p50 <= l.p95 && l.p95 <= l.p99 && l.p99 <= l.max);
}

static void check_text(const struct report *r, void (*render)(const struct report *, struct text *))
{
	struct text t = text_begin(buf, sizeof(buf));

	render(r, &t);
	PROMISE(t.len < sizeof(buf) && buf[t.len] == '\0');
	PROMISE(t.truncated || buf[t.len - 1] == '\n');
}

static void check_segment(const void *segment, size_t size)
{
	size_t items = 0;
	struct report r;

	if (report_open(&r, segment, size, ~0ull) != REPORT_FAULT_OK)
		return;
	report_each(&r, check_item, &items);
	PROMISE(items >= r.entry_count);
	for (uint32_t i = 0; i < r.entry_count; i++)
		if (r.entries[i].kind == PC_ENTRY_HISTOGRAM)
			check_latency(&r, r.entries[i].name);
	for (uint32_t i = 0; i < r.unit_count; i++)
		report_unit(&r, i);
	check_text(&r, render_csv_header);
	check_text(&r, render_csv_row);
	check_text(&r, render_summary);
}

static void edit(unsigned char *segment, size_t length, const uint8_t *data, size_t size)
{
	for (; size >= EDIT; data += EDIT, size -= EDIT)
		segment[(data[0] | (size_t)data[1] << 8) % length] = data[2];
}

static void check_edited(const uint8_t *data, size_t size)
{
	size_t length = stats_segment_bytes();
	unsigned char *segment = aligned_alloc(PC_PAGE, length);

	PROMISE(segment);
	memset(segment, 0, length);
	stats_start(segment, 1, "fuzz", 0);
	edit(segment, length, data, size);
	check_segment(segment, length);
	free(segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t magic = PC_SEGMENT_MAGIC;
	unsigned char *copy;

	if (size > INPUT_MAX)
		return 0;
	if (size < sizeof(magic) || memcmp(data, &magic, sizeof(magic)) != 0) {
		check_edited(data, size);
		return 0;
	}
	copy = malloc(size);
	PROMISE(copy);
	memcpy(copy, data, size);
	check_segment(copy, size);
	free(copy);
	return 0;
}
