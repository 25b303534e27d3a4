/*
 * span.h - a sorted set of address ranges in a caller's array.
 *
 * WHY   What may be managed, what must never be, what is kept from children, what the last walk
 *       found: such sets are all over the pager. One piece of code keeps them sorted, disjoint and merged.
 * THREADS none of its own: the owner of the set decides.
 */
#ifndef PC_STATE_SPAN_H
#define PC_STATE_SPAN_H

#include "base/types.h"

struct span_set {
	struct pc_span *span;
	uint32_t count, max;
};

void span_clear(struct span_set *s);
bool span_add(struct span_set *s, pc_addr start, pc_addr end);    /* false: full, nothing done */
bool span_remove(struct span_set *s, pc_addr start, pc_addr end); /* the same (a hole needs room) */
/* First span that ends after `addr`, or count. */
uint32_t span_after(const struct span_set *s, pc_addr addr);
bool span_hits(const struct span_set *s, pc_addr start, pc_addr end);
uint64_t span_bytes(const struct span_set *s);

#endif
