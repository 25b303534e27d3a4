/*
 * caps.h - THE capability table: caps.def as probes that try the thing. Nobody else tests for
 * ENOSYS, kernel versions or features.
 *
 * DESIGN  caps_have() tries what was not asked yet and caches 0 or 1 in caps.state[]; tests may set
 *       the array. Probes run on the work thread, inside its private descriptor table, before there
 *       are other pager threads, on memory of their own.
 */
#ifndef PC_KERNEL_CAPS_H
#define PC_KERNEL_CAPS_H

#include "base/types.h"

enum pc_cap_id {
#define PC_CAP(id, ...) PC_CAP_##id,
#include "predicomp/caps.def"
#undef PC_CAP
	PC_CAP_COUNT
};

struct caps {
	int8_t state[PC_CAP_COUNT]; /* -1 not asked, 0 missing, 1 there */
};

extern struct caps caps;

void caps_probe_all(void); /* but for what can only be tried on what is missing */
bool caps_have(enum pc_cap_id id);
/* The first capability that is missing and needed at all or by that way of taking pages, or -1. */
enum caps_way { CAPS_TO_MOVE, CAPS_TO_MADVISE };
int caps_missing(enum caps_way way);

#endif
