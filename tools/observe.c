#include "observe.h"

#include "array.h"
#include "kernel_view.h"
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#define SEARCH_EVERY (500 * PC_MS) /* for a segment that is not there yet */

/* One row of the segment's unit table as it was at the last look. */
struct unit_seen {
	uint64_t base;
	uint32_t generation;
	uint32_t packed, restored, away;
};

struct observer {
	pid_t pid;
	pc_ns began, next_search;
	struct matrix matrix;
	struct layout layout;
	struct target target;
	struct kernel_view *kernel; /* NULL where it is not to be had */
	bool attached;
	bool fresh; /* and not read yet: what it counted before the record began is not in it */
	struct unit_seen *seen; /* by row of the unit table */
	size_t seen_room;
	uint32_t unlisted;  /* pages packed or restored in units without a row */
	uint64_t of_others; /* faults of children, of the last look */
	struct observe_source source[2];
	uint64_t dropped[LAYERS]; /* of images before this one */
};

/* --- labels --------------------------------------------------------------------------------- */

static void label_row(struct matrix_row *row, const struct region *r)
{
	row->class = r->class;
	memcpy(row->label, r->label, sizeof(row->label));
}

static bool is_empty(const struct matrix_row *row)
{
	for (unsigned layer = 0; layer < LAYERS; layer++)
		if (row->total[layer])
			return false;
	return true;
}

static const struct region *region_of(const struct observer *o, const struct matrix_row *row)
{
	return regions_main(&o->layout.regions, row->start, row->start + PC_UNIT);
}

/*
 * Rows get the name of what lies there mostly, as soon as something does. A row keeps its name:
 * what was counted was counted in that. False when some have none yet.
 */
static bool label_rows(struct observer *o)
{
	bool all = true;

	for (size_t i = 0; i < o->matrix.row_count; i++) {
		struct matrix_row *row = &o->matrix.row[i];
		const struct region *r = NULL;

		if (row->class == REGION_UNKNOWN)
			r = region_of(o, row);
		if (r)
			label_row(row, r);
		all &= row->class != REGION_UNKNOWN || is_empty(row);
	}
	return all;
}

/* --- the image ------------------------------------------------------------------------------ */

static bool is_not_mapped(void *arg, const struct matrix_row *row)
{
	const struct observer *o = arg;

	return !region_of(o, row);
}

/* An address means nothing across an exec: what is not part of the new image goes. */
static void go_on_to(struct observer *o, pc_ns now)
{
	bool exec = false;

	while (layout_advance(&o->layout, now))
		exec = true;
	if (exec) {
		matrix_drop(&o->matrix, is_not_mapped, o, o->dropped);
		o->next_search = 0;
	}
	if (!label_rows(o) && layout_refresh(&o->layout) == 0)
		label_rows(o);
}

/* --- the segment ---------------------------------------------------------------------------- */

static void forget_segment(struct observer *o)
{
	if (o->attached)
		detach(&o->target);
	o->attached = false;
	if (o->seen)
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
	row = u->base ? matrix_row(&o->matrix, u->base) : NULL;
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
		const struct region *r = region_of(o, row);

		if (row->class == REGION_ANON && r && r->class == REGION_SHIM)
			label_row(row, r);
	}
}

static void take_own(struct observer *o)
{
	struct regions *known = &o->layout.regions;
	struct pc_span own[PC_OWN_MAX] = {{0, 0}};
	uint32_t n = report_own(&o->target.report, own);

	if (n == known->owns && memcmp(own, known->own, n * sizeof(*own)) == 0)
		return;
	memcpy(known->own, own, sizeof(own));
	known->owns = n;
	if (layout_refresh(&o->layout) == 0)
		name_own_rows(o);
}

static void look_at_segment(struct observer *o, pc_ns now)
{
	const struct report *r = &o->target.report;
	struct unit_seen *seen = NULL;
	struct refusal why;
	struct report_unit u;

	search_segment(o, now);
	if (!o->attached)
		return;
	if (attach_reread(&o->target, &why) == STATUS_OK)
		seen = array_room(o->seen, &o->seen_room, PC_MAX(r->unit_count, 1u), sizeof(*seen));
	if (!seen) {
		forget_segment(o);
		return;
	}
	o->seen = seen;
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
	struct matrix_row *row = tgid == (uint32_t)o->pid ? matrix_row(&o->matrix, base) : NULL;

	if (tgid != (uint32_t)o->pid)
		o->of_others += minor + major;
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
	layout_begin(&o->layout, pid);
	return o;
}

void observe_look(struct observer *o)
{
	const pc_ns now = now_monotonic();

	layout_look(&o->layout);
	matrix_at(&o->matrix, now - o->began);
	look_at_segment(o, now);
	o->of_others = 0;
	if (o->kernel)
		kernel_view_units(o->kernel, take_kernel_unit, o);
	/* After it: what these counts are of was mapped before. */
	go_on_to(o, now_monotonic());
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

static void tell_others(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_KERNEL];

	if (o->of_others && !s->text[0])
		snprintf(s->text, sizeof(s->text),
			 "%llu faults of its children are not shown: each process has an address "
			 "space of its own",
			 (unsigned long long)o->of_others);
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
	tell_others(o);
	memcpy(source, o->source, sizeof(o->source));
	forget_segment(o);
	if (o->kernel)
		kernel_view_close(o->kernel);
	matrix_finish(&o->matrix);
	m = o->matrix;
	layout_end(&o->layout);
	free(o->seen);
	free(o);
	return m;
}
