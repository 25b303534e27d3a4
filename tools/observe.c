#include "observe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_view.h"
#include "shim_view.h"

struct observer {
	pc_ns began;
	struct matrix matrix;
	struct family family;	    /* a member's `own` is its shim_view, from its first look on */
	struct kernel_view *kernel; /* NULL where it is not to be had */
	struct observe_source source[2];
	uint32_t unlisted;	  /* pages in units without a row, of those that left */
	uint64_t unshown;	  /* faults of processes that left */
	uint64_t dropped[LAYERS]; /* of images before the last of each */
	uint64_t left[LAYERS];	  /* of processes that left, until then */
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

static const struct region *region_of(const struct member *m, const struct matrix_row *row)
{
	return regions_main(&m->layout.regions, row->start, row->start + PC_UNIT);
}

/* What lies there may be in maps alone, which is read once a look. */
static const struct region *region_now(struct member *m, const struct matrix_row *row)
{
	const struct region *r = region_of(m, row);

	if (r || is_empty(row))
		return r;
	layout_at(&m->layout, row->start);
	return region_of(m, row);
}

/*
 * Rows get the name of what lies there mostly, as soon as something does. A row keeps its name:
 * what was counted was counted in that.
 */
static void label_rows(struct observer *o)
{
	for (size_t i = 0; i < o->matrix.row_count; i++) {
		struct matrix_row *row = &o->matrix.row[i];
		struct member *m = NULL;
		const struct region *r;

		if (row->class == REGION_UNKNOWN)
			m = family_numbered(&o->family, row->process);
		if (!m)
			continue;
		r = region_now(m, row);
		if (r)
			label_row(row, r);
		else if (!is_empty(row) && family_unread(&o->family, m))
			snprintf(row->label, sizeof(row->label), FAMILY_UNREAD);
	}
}

/* Rows that were named before it was known whose memory they are. */
static void name_own_rows(struct observer *o, struct member *m)
{
	if (layout_refresh(&m->layout) != 0)
		return;
	for (size_t i = 0; i < o->matrix.row_count; i++) {
		struct matrix_row *row = &o->matrix.row[i];
		const struct region *r = row->process == m->number ? region_of(m, row) : NULL;

		if (row->class == REGION_ANON && r && r->class == REGION_SHIM)
			label_row(row, r);
	}
}

/* --- processes ------------------------------------------------------------------------------ */

static void look_for_segment(void *arg, struct member *m)
{
	(void)arg;
	if (m->own)
		shim_view_again(m->own);
}

static bool is_of(void *arg, const struct matrix_row *row)
{
	const struct member *m = arg;

	return row->process == m->number;
}

static void leave_out(void *arg, struct member *m)
{
	struct observer *o = arg;

	matrix_drop(&o->matrix, is_of, m, o->left);
	if (!m->own)
		return;
	o->unlisted += shim_view_unlisted(m->own);
	shim_view_end(m->own);
	free(m->own);
}

static bool is_of_old_image(void *arg, const struct matrix_row *row)
{
	const struct observer *o = arg;
	const struct member *m = family_numbered(&o->family, row->process);

	return m && m->became && !region_of(m, row);
}

/* An address means nothing across an exec: what is not part of the new image goes. */
static void drop_old_images(struct observer *o)
{
	bool became = false;

	for (size_t i = 0; i < o->family.count; i++)
		became |= o->family.member[i]->became;
	if (!became)
		return;
	matrix_drop(&o->matrix, is_of_old_image, o, o->dropped);
	for (size_t i = 0; i < o->family.count; i++)
		o->family.member[i]->became = false;
}

/* --- the segments --------------------------------------------------------------------------- */

static struct shim_view *view_of(struct observer *o, struct member *m)
{
	if (!m->own) {
		m->own = calloc(1, sizeof(struct shim_view));
		if (m->own)
			shim_view_begin(m->own, o->began);
	}
	return m->own;
}

static void look_at_segments(struct observer *o, pc_ns now)
{
	for (size_t i = 0; i < o->family.count; i++) {
		struct member *m = o->family.member[i];
		struct shim_view *v = view_of(o, m);

		if (v && shim_view_look(v, m, &o->matrix, now))
			name_own_rows(o, m);
		if (v && v->present)
			o->source[SOURCE_SHIM].present = true;
	}
}

/* --- the kernel ----------------------------------------------------------------------------- */

static void open_kernel(struct observer *o, int process)
{
	struct observe_source *source = &o->source[SOURCE_KERNEL];

	o->kernel = kernel_view_open(process, KERNEL_UNITS, source->text, sizeof(source->text));
	source->present = o->kernel != NULL;
}

static void take_kernel_unit(void *arg, uint32_t tgid, pc_addr base, uint64_t minor, uint64_t major)
{
	struct observer *o = arg;
	struct member *m = family_now(&o->family, (pid_t)tgid);
	struct matrix_row *row = m ? matrix_row(&o->matrix, m->number, base) : NULL;

	if (!m)
		o->unshown += minor + major;
	if (!row)
		return;
	matrix_add(&o->matrix, row, LAYER_minor, minor);
	matrix_add(&o->matrix, row, LAYER_major, major);
	m->events += minor + major;
}

/* --- all of it ------------------------------------------------------------------------------ */

struct observer *observe_begin(pid_t pid, int process, pc_ns interval)
{
	struct observer *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->began = now_monotonic();
	matrix_begin(&o->matrix, interval);
	open_kernel(o, process);
	if (family_begin(&o->family, pid, look_for_segment, leave_out, o) == 0)
		return o;
	observe_end(o, NULL);
	return NULL;
}

void observe_look(struct observer *o)
{
	const pc_ns now = now_monotonic();

	family_look(&o->family);
	/* Whoever was born until now is known before something is counted in it. */
	family_settle(&o->family, now);
	matrix_at(&o->matrix, now - o->began);
	look_at_segments(o, now);
	if (o->kernel)
		kernel_view_units(o->kernel, take_kernel_unit, o);
	/* After it: what these counts are of was mapped before. */
	family_settle(&o->family, now_monotonic());
	drop_old_images(o);
	label_rows(o);
	family_prune(&o->family);
}

void observe_hear(struct observer *o)
{
	family_hear(&o->family);
}

/* --- the end -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void tell(struct observe_source *s, const char *format,
						       ...)
{
	const size_t n = strlen(s->text);
	va_list args;

	if (n + 2 >= sizeof(s->text))
		return;
	if (n)
		memcpy(s->text + n, "; ", 3);
	va_start(args, format);
	vsnprintf(s->text + n + (n ? 2 : 0), sizeof(s->text) - n - (n ? 2 : 0), format, args);
	va_end(args);
}

static void tell_kernel(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_KERNEL];
	const uint64_t refused = o->kernel ? kernel_view_refused(o->kernel) : 0;
	const uint64_t dropped = o->dropped[LAYER_minor] + o->dropped[LAYER_major];

	if (refused)
		tell(s, "%llu faults were in units beyond the table's %u, and are not shown",
		     (unsigned long long)refused, KERNEL_UNITS_MAX);
	if (dropped)
		tell(s,
		     "%llu faults of the programs that a process was before its last exec are not "
		     "shown",
		     (unsigned long long)dropped);
}

static void tell_left(struct observer *o, uint64_t faults)
{
	struct observe_source *s = &o->source[o->kernel ? SOURCE_KERNEL : SOURCE_SHIM];

	if (o->family.left)
		tell(s,
		     "%llu processes are not shown, with %llu faults in all, %llu evictions and "
		     "%llu "
		     "restores: at most %u are, those with most of them and those that live",
		     (unsigned long long)o->family.left, (unsigned long long)faults,
		     (unsigned long long)o->left[LAYER_evictions],
		     (unsigned long long)o->left[LAYER_restores], FAMILY_SHOWN);
}

static void tell_shim(struct observer *o)
{
	struct observe_source *s = &o->source[SOURCE_SHIM];
	const struct shim_view *first = o->family.member[0]->own;
	uint32_t unlisted = o->unlisted;

	for (size_t i = 0; i < o->family.count; i++)
		if (o->family.member[i]->own)
			unlisted += shim_view_unlisted(o->family.member[i]->own);
	if (!s->present && first && first->why.status != STATUS_NO)
		tell(s, "%s", first->why.text);
	if (!o->kernel && !o->family.told)
		tell(s,
		     "what the process starts is not shown: neither the kernel's view nor perf's "
		     "events are permitted, and nothing else tells of it");
	if (unlisted)
		tell(s,
		     "%u pages were packed or restored in units that found the table full, and are "
		     "not shown",
		     unlisted);
}

static void tell_unheard(struct observer *o)
{
	const uint64_t lost = family_lost(&o->family);

	if (lost)
		tell(&o->source[o->kernel ? SOURCE_KERNEL : SOURCE_SHIM],
		     "%llu mappings came faster than they could be read: rows of processes that "
		     "have ended may lack their region, or have that of another program",
		     (unsigned long long)lost);
}

/* Those that have a row, and the first; rows say which from now on. */
static bool list_processes(const struct family *f, struct observed *out)
{
	size_t row = 0;

	out->process = calloc(f->count, sizeof(*out->process));
	for (size_t i = 0; out->process && i < f->count; i++) {
		const struct member *m = f->member[i];
		struct observed_process *p = &out->process[out->processes];
		const size_t first = row;

		for (; row < out->m.row_count && out->m.row[row].process == m->number; row++)
			out->m.row[row].process = (uint32_t)out->processes;
		if (row == first && i > 0)
			continue;
		*p = (struct observed_process){.pid = m->pid, .parent = m->parent};
		memcpy(p->name, m->name, sizeof(p->name));
		out->processes++;
	}
	return out->process != NULL;
}

static bool finish(struct observer *o, struct observed *out)
{
	*out = (struct observed){.left = o->family.left};
	out->left_faults = o->unshown + o->left[LAYER_minor] + o->left[LAYER_major];
	tell_shim(o);
	tell_kernel(o);
	tell_left(o, out->left_faults);
	tell_unheard(o);
	memcpy(out->source, o->source, sizeof(out->source));
	matrix_finish(&o->matrix);
	out->m = o->matrix;
	return list_processes(&o->family, out);
}

bool observe_end(struct observer *o, struct observed *out)
{
	const bool done = out && finish(o, out);

	for (size_t i = 0; i < o->family.count; i++) {
		if (o->family.member[i]->own)
			shim_view_end(o->family.member[i]->own);
		free(o->family.member[i]->own);
	}
	family_end(&o->family);
	if (o->kernel)
		kernel_view_close(o->kernel);
	if (!out)
		matrix_free(&o->matrix);
	free(o);
	return done;
}

void observed_free(struct observed *out)
{
	matrix_free(&out->m);
	free(out->process);
}
