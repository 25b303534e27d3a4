/*
 * shim_view.h - what the library counted in one process, from its segment into rows of a matrix.
 *
 * DESIGN  Each look takes what was counted since the one before. The library starts in its own time,
 *         and an exec gives the process another segment: it is searched for now and then. A segment
 *         that was found outlives its process here, so the last look has its last words.
 */
#ifndef PC_TOOLS_SHIM_VIEW_H
#define PC_TOOLS_SHIM_VIEW_H

#include "attach.h"
#include "family.h"
#include "matrix.h"

struct unit_seen;

struct shim_view {
	bool present;	    /* there was a segment at some time */
	struct refusal why; /* why not; STATUS_OK where nothing is amiss */
	/* below: shim_view.c's own */
	pc_ns began, next_search;
	struct target target;
	bool attached;
	bool fresh; /* and not read yet: what it counted before the record began is not in it */
	struct unit_seen *seen; /* by row of the unit table */
	size_t seen_room;
	uint32_t unlisted; /* pages packed or restored in units without a row */
};

/* `began`: when the record did. */
void shim_view_begin(struct shim_view *v, pc_ns began);
void shim_view_end(struct shim_view *v);

/*
 * Adds to the rows of `m`. True when it is known only now which memory is the library's own: what
 * was named before may have another name.
 */
bool shim_view_look(struct shim_view *v, struct member *m, struct matrix *to, pc_ns now);

/* It has executed something: at the next look there may be another segment. */
void shim_view_again(struct shim_view *v);

/* Pages packed or restored in units that found the segment's table full. */
uint32_t shim_view_unlisted(const struct shim_view *v);

#endif
