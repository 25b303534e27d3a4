#include "observe.h"

#include "image.h"
#include "kernel_view.h"

#include <stdlib.h>
#include <string.h>

#define SEARCH_EVERY  (500 * PC_MS) /* for a segment that is not there yet */
#define REGIONS_EVERY PC_SEC

/* One row of the segment's unit table as it was at the last look. */
struct unit_seen {
	uint64_t base;
	uint32_t generation;
	uint32_t packed, restored, away;
};

struct observer {
	pid_t pid;
	pc_ns began, next_search, next_regions;
	struct matrix matrix;
	struct regions regions;
	struct target target;
	struct kernel_view *kernel; /* NULL where it is not to be had */
	bool attached;
	bool fresh; /* and not read yet: what it counted before the record began is not in it */
	struct unit_seen *seen; /* by row of the unit table */
	size_t seen_room;
	uint32_t unlisted; /* pages packed or restored in units without a row */
	struct observe_source source[2];
	struct image image;
	uint64_t dropped[LAYERS]; /* of images before this one */
};

/* --- labels --------------------------------------------------------------------------------- */

static void label_row(struct matrix_row *row, const struct region *r)
{
	row->class = r->class;
	memcpy(row->label, r->label, sizeof(row->label));
}

/*
 * Rows get the name of what lies there mostly, as soon as something does. A row keeps its name:
 * what was counted was counted in that.
 */
static void label_rows(struct observer *o)
{
	for (size_t i = 0; i < o->matrix.row_count; i++) {
		struct matrix_row *row = &o->matrix.row[i];
		const struct region *r;

		if (row->class != REGION_UNKNOWN)
			continue;
		r = regions_main(&o->regions, row->start, row->start + PC_UNIT);
		if (r)
			label_row(row, r);
	}
}

static void read_regions(struct observer *o, pc_ns now)
{
	if (now < o->next_regions)
		return;
	o->next_regions = now + REGIONS_EVERY;
	if (regions_read(&o->regions, o->pid) == 0)
		label_rows(o);
}

/* A new row is labelled at once: what lies there may be gone by the next reading. */
static struct matrix_row *row_of(struct observer *o, pc_addr addr)
{
	size_t before = o->matrix.row_count;
	struct matrix_row *row = matrix_row(&o->matrix, addr);
	const struct region *r;

	if (!row || o->matrix.row_count == before)
		return row;
	r = regions_main(&o->regions, row->start, row->start + PC_UNIT);
	if (r)
		label_row(row, r);
	else
		o->next_regions = 0;
	return row;
}

/* --- the image ------------------------------------------------------------------------------ */

static bool is_not_mapped(void *arg, const struct matrix_row *row)
{
	const struct observer *o = arg;

	return !regions_main(&o->regions, row->start, row->start + PC_UNIT);
}

/* An address means nothing across an exec: what is not part of the new image goes. */
static void drop_old_images(struct observer *o)
{
	if (regions_read(&o->regions, o->pid) != 0 || !o->regions.count)
		return;
	matrix_drop(&o->matrix, is_not_mapped, o, o->dropped);
	label_rows(o);
}

/* --- the segment ---------------------------------------------------------------------------- */

static void forget_segment(struct observer *o)
{
	if (o->attached)
		detach(&o->target);
	o->attached = false;
	memset(o->seen, 0, o->seen_room * sizeof(*o->seen));
}

/* A pager that is stopped and started again, by an exec or by itself, has another segment. */
static bool is_same_pager(const struct observer *o, const struct target *t)
{
	return o->attached && o->target.report.segment->start_ns == t->report.segment->start_ns;
}

static void search_segment(struct observer *o, pc_ns now)
{
	struct observe_source *source = &o->source[SOURCE_SHIM];
	struct refusal why;
	struct target found;

	if (now < o->next_search)
		return;
	o->next_search = now + SEARCH_EVERY;
	if (attach(&found, o->pid, ATTACH_READ, &why) != STATUS_OK) {
		if (!source->present && why.status != STATUS_NO)
			snprintf(source->text, sizeof(source->text), "%s", why.text);
		return;
	}
	if (is_same_pager(o, &found)) {
		detach(&found);
		return;
	}
	forget_segment(o);
	o->target = found;
	o->attached = true;
	o->fresh = found.report.segment->start_ns < o->began;
	source->present = true;
	source->text[0] = '\0';
}

static bool room_for(struct observer *o, uint32_t rows)
{
	struct unit_seen *seen;

	if (rows <= o->seen_room)
		return true;
	seen = realloc(o->seen, rows * sizeof(*seen));
	if (!seen)
		return false;
	memset(seen + o->seen_room, 0, (rows - o->seen_room) * sizeof(*seen));
	o->seen = seen;
	o->seen_room = rows;
	return true;
}

/* Row 0 has no address: what it counts is only said, not drawn. */
static void take_unlisted(struct observer *o, const struct report_unit *u)
{
	o->unlisted = u->value[REPORT_UNIT_packed] + u->value[REPORT_UNIT_restored];
}

static void take_unit_row(struct observer *o, const struct report_unit *u, struct unit_seen *seen)
{
	struct matrix_row *row;

	if (seen->generation != u->generation || seen->base != u->base) {
		/* The unit that had the row is managed no longer, so nothing of it is away. */
		if (seen->away && (row = matrix_row(&o->matrix, seen->base)))
			matrix_level(&o->matrix, row, row->level - seen->away);
		*seen = (struct unit_seen){.base = u->base, .generation = u->generation};
	}
	if (o->fresh) {
		seen->packed = u->value[REPORT_UNIT_packed];
		seen->restored = u->value[REPORT_UNIT_restored];
	}
	row = u->base ? row_of(o, u->base) : NULL;
	if (!row)
		return;
	matrix_add(&o->matrix, row, LAYER_evictions, u->value[REPORT_UNIT_packed] - seen->packed);
	matrix_add(&o->matrix, row, LAYER_restores,
		   u->value[REPORT_UNIT_restored] - seen->restored);
	matrix_level(&o->matrix, row, row->level - seen->away + u->value[REPORT_UNIT_away]);
	seen->packed = u->value[REPORT_UNIT_packed];
	seen->restored = u->value[REPORT_UNIT_restored];
	seen->away = u->value[REPORT_UNIT_away];
}

/* Rows that were named before it was known whose memory they are. */
static void name_own_rows(struct observer *o)
{
	for (size_t i = 0; i < o->matrix.row_count; i++) {
		struct matrix_row *row = &o->matrix.row[i];
		const struct region *r =
		    regions_main(&o->regions, row->start, row->start + PC_UNIT);

		if (row->class == REGION_ANON && r && r->class == REGION_SHIM)
			label_row(row, r);
	}
}

static void take_own(struct observer *o)
{
	struct pc_span own[PC_OWN_MAX] = {{0, 0}};
	uint32_t n = report_own(&o->target.report, own);

	if (n == o->regions.owns && memcmp(own, o->regions.own, n * sizeof(*own)) == 0)
		return;
	memcpy(o->regions.own, own, sizeof(own));
	o->regions.owns = n;
	if (regions_read(&o->regions, o->pid) == 0)
		name_own_rows(o);
}

static void look_at_segment(struct observer *o, pc_ns now)
{
	const struct report *r = &o->target.report;
	struct refusal why;
	struct report_unit u;

	search_segment(o, now);
	if (!o->attached)
		return;
	if (attach_reread(&o->target, &why) != STATUS_OK || !room_for(o, r->unit_count)) {
		forget_segment(o);
		return;
	}
	take_own(o);
	for (uint32_t i = 0; i < r->unit_count; i++) {
		u = report_unit(r, i);
		if (i == 0)
			take_unlisted(o, &u);
		else
			take_unit_row(o, &u, &o->seen[i]);
	}
	o->fresh = false;
}

/* --- the kernel ----------------------------------------------------------------------------- */

static void open_kernel(struct observer *o, int process)
{
	struct observe_source *source = &o->source[SOURCE_KERNEL];

	o->kernel = kernel_view_open(process, KERNEL_UNITS, source->text, sizeof(source->text));
	source->present = o->kernel != NULL;
}

static void add_since(struct observer *o, struct matrix_row *row, enum layer layer, uint64_t count)
{
	matrix_add(&o->matrix, row, layer, count - row->seen[layer]);
	row->seen[layer] = count;
}

static void take_kernel_unit(void *arg, uint32_t tgid, pc_addr base, uint64_t minor, uint64_t major)
{
	struct observer *o = arg;
	struct matrix_row *row = tgid == (uint32_t)o->pid ? row_of(o, base) : NULL;

	if (!row)
		return;
	add_since(o, row, LAYER_minor, minor);
	add_since(o, row, LAYER_major, major);
}

static void tell_refused(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_KERNEL];
	uint64_t refused = o->kernel ? kernel_view_refused(o->kernel) : 0;

	if (refused)
		snprintf(s->text, sizeof(s->text),
			 "%llu faults were in units beyond the table's %u, and are not shown",
			 (unsigned long long)refused, KERNEL_UNITS_MAX);
}

/* --- all of it ------------------------------------------------------------------------------ */

struct observer *observe_begin(pid_t pid, int process, pc_ns interval)
{
	struct observer *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->pid = pid;
	o->began = now_monotonic();
	matrix_begin(&o->matrix, interval);
	open_kernel(o, process);
	return o;
}

void observe_look(struct observer *o)
{
	pc_ns now = now_monotonic();
	bool exec = image_changed(&o->image, o->pid);

	if (exec)
		o->next_search = 0;
	matrix_at(&o->matrix, now - o->began);
	read_regions(o, now);
	look_at_segment(o, now);
	if (o->kernel)
		kernel_view_units(o->kernel, take_kernel_unit, o);
	if (exec)
		drop_old_images(o);
}

static void tell_dropped(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_KERNEL];
	const uint64_t faults = o->dropped[LAYER_minor] + o->dropped[LAYER_major];

	if (faults && !s->text[0])
		snprintf(
		    s->text, sizeof(s->text),
		    "%llu faults of the programs that this process was before its last exec are "
		    "not shown",
		    (unsigned long long)faults);
}

static void tell_unlisted(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_SHIM];

	if (o->unlisted)
		snprintf(s->text, sizeof(s->text),
			 "%u pages were packed or restored in units that found the table full, and "
			 "are not shown",
			 o->unlisted);
}

struct matrix observe_end(struct observer *o, struct observe_source source[2])
{
	struct matrix m;

	tell_unlisted(o);
	tell_refused(o);
	tell_dropped(o);
	memcpy(source, o->source, sizeof(o->source));
	forget_segment(o);
	if (o->kernel)
		kernel_view_close(o->kernel);
	matrix_finish(&o->matrix);
	m = o->matrix;
	regions_free(&o->regions);
	free(o->seen);
	free(o);
	return m;
}
