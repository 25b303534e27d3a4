/*
 * packed.h - the pages that the library held when a process died, out of its core dump.
 *
 * WHY     The kernel writes zeros where pages were packed. But the store, the tables and the staging
 *         area are memory of the same process, and so in the same dump.
 * DESIGN  The segment is found by its magic at the start of a mapping, and knows its own address, so
 *         a copy of it is not taken for it. It says where the tables lie. Their layout is that of
 *         pagerd/state/, compiled in: hence the check of version and size.
 *
 *           segment.tables -> struct unit[] -> words of 64 pages -> SAME | staging slot | store entry
 *
 *         Nothing is believed: every address is looked up in the dump, every entry must pass its
 *         checksum and unpack to a whole page.
 * THREADS none: one caller.
 */
#ifndef PC_TOOLS_PACKED_H
#define PC_TOOLS_PACKED_H

#include "core.h"
#include "predicomp/segment.h"

struct packed {
	const struct core *core;
	struct pc_segment segment;
};

/* Finds the tables. STATUS_OK, or why there are none, said. */
int packed_open(struct packed *p, const struct core *core);

enum packed_kind {
	PACKED_SAME,
	PACKED_STORED,
	PACKED_STAGED,
	PACKED_MOVING, /* between two places when the process died: the dump may have it right */
	PACKED_WRONG,  /* its bytes are not to be had: a wild write, or not in the dump */
	PACKED_KINDS
};

/* `page` has PC_PAGE bytes for the first three kinds and is NULL for the others. */
typedef void packed_fn(void *arg, pc_addr at, enum packed_kind kind, const void *page);

/* Every page whose bytes were with the library, by no particular order. */
void packed_each(const struct packed *p, packed_fn *fn, void *arg);

#endif
