#include "shim_view.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

#define SEARCH_EVERY (500 * PC_MS) /* for a segment that is not there yet */

/* One row of the segment's unit table as it was at the last look. */
struct unit_seen {
	uint64_t base;
	uint32_t generation;
	uint32_t packed, restored, away;
};

void shim_view_begin(struct shim_view *v, pc_ns began)
{
	*v = (struct shim_view){.began = began};
}

static void forget_segment(struct shim_view *v)
{
	if (v->attached)
		detach(&v->target);
	v->attached = false;
	if (v->seen)
		memset(v->seen, 0, v->seen_room * sizeof(*v->seen));
}

void shim_view_end(struct shim_view *v)
{
	forget_segment(v);
	free(v->seen);
}

void shim_view_again(struct shim_view *v)
{
	v->next_search = 0;
}

/* Another one came with an exec; one that restarts goes on in a copy, which is followed. */
static bool is_same_pager(const struct shim_view *v, const struct target *t)
{
	return v->attached && v->target.report.segment->start_ns == t->report.segment->start_ns;
}

static void search_segment(struct shim_view *v, struct member *m, pc_ns now)
{
	struct target found;

	/* Its number may be another's by now. */
	if (now < v->next_search || !layout_lives(&m->layout))
		return;
	v->next_search = now + SEARCH_EVERY;
	if (attach(&found, m->pid, ATTACH_READ, &v->why) != STATUS_OK)
		return;
	if (is_same_pager(v, &found)) {
		detach(&found);
		return;
	}
	forget_segment(v);
	v->target = found;
	v->attached = true;
	v->fresh = found.report.segment->start_ns < v->began;
	v->present = true;
}

/* Row 0 has no address: what it counts is only said, not drawn. */
static void take_unlisted(struct shim_view *v, const struct report_unit *u)
{
	v->unlisted = u->value[REPORT_UNIT_packed] + u->value[REPORT_UNIT_restored];
}

static void take_row(const struct shim_view *v, struct member *m, struct matrix *to,
		     const struct report_unit *u, struct unit_seen *seen)
{
	struct matrix_row *row;

	if (seen->generation != u->generation || seen->base != u->base) {
		/* The unit that had the row is managed no longer, so nothing of it is away. */
		if (seen->away && (row = matrix_row(to, m->number, seen->base)))
			matrix_level(to, row, row->level - seen->away);
		*seen = (struct unit_seen){.base = u->base, .generation = u->generation};
	}
	if (v->fresh) {
		seen->packed = u->value[REPORT_UNIT_packed];
		seen->restored = u->value[REPORT_UNIT_restored];
	}
	row = u->base ? matrix_row(to, m->number, u->base) : NULL;
	if (!row)
		return;
	matrix_add(to, row, LAYER_evictions, u->value[REPORT_UNIT_packed] - seen->packed);
	matrix_add(to, row, LAYER_restores, u->value[REPORT_UNIT_restored] - seen->restored);
	matrix_level(to, row, row->level - seen->away + u->value[REPORT_UNIT_away]);
	m->events += u->value[REPORT_UNIT_packed] - seen->packed + u->value[REPORT_UNIT_restored] -
		     seen->restored;
	seen->packed = u->value[REPORT_UNIT_packed];
	seen->restored = u->value[REPORT_UNIT_restored];
	seen->away = u->value[REPORT_UNIT_away];
}

static bool take_own(const struct shim_view *v, struct regions *known)
{
	struct pc_span own[PC_OWN_MAX] = {{0, 0}};
	uint32_t n = report_own(&v->target.report, own);

	if (n == known->owns && memcmp(own, known->own, n * sizeof(*own)) == 0)
		return false;
	memcpy(known->own, own, sizeof(own));
	known->owns = n;
	return true;
}

bool shim_view_look(struct shim_view *v, struct member *m, struct matrix *to, pc_ns now)
{
	const struct report *r = &v->target.report;
	struct unit_seen *seen = NULL;
	struct report_unit u;
	bool named;

	search_segment(v, m, now);
	if (!v->attached)
		return false;
	if (attach_reread(&v->target, &v->why) == STATUS_OK)
		seen = array_room(v->seen, &v->seen_room, PC_MAX(r->unit_count, 1u), sizeof(*seen));
	if (!seen) {
		forget_segment(v);
		return false;
	}
	v->seen = seen;
	named = take_own(v, &m->layout.regions);
	for (uint32_t i = 0; i < r->unit_count; i++) {
		u = report_unit(r, i);
		if (i == 0)
			take_unlisted(v, &u);
		else
			take_row(v, m, to, &u, &v->seen[i]);
	}
	v->fresh = false;
	return named;
}

uint32_t shim_view_unlisted(const struct shim_view *v)
{
	return v->unlisted;
}
