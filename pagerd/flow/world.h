/*
 * world.h - what the verbs share: the open kernel interfaces, the layout gate, the knobs in force.
 *
 * OWNER  pager.c opens and closes it; the verbs use it. Fields below "in force" are words written
 *        by the work thread and read by all.
 *
 * THE GATE (locked-read rule, hazard M2). Reading a layout event is its acknowledgement: the
 *        program runs on. So events are read with the gate closed and applied before it opens, and
 *        every look-up that leads to a move or copy happens inside the gate together with it. Then
 *        no event can fall between the two.
 */
#ifndef PC_FLOW_WORLD_H
#define PC_FLOW_WORLD_H

#include "base/lock.h"
#include "base/types.h"
#include "kernel/pagemap.h"
#include "kernel/pressure.h"
#include "kernel/uffd.h"
#include "kernel/vma.h"

#define GATE_WORK    0u /* the work thread's slot */
#define GATE_PAGER0  1u /* pager i has slot GATE_PAGER0 + i */
#define AROUND_MAX   64u

enum way { WAY_MOVE, WAY_MADVISE };

struct world {
	struct uffd uffd;
	struct uffd silent; /* flow/donate.h; closed where there is none */
	struct rwgate gate;
	struct pagemap pagemap;
	struct pressure pressure;
	int maps, smaps;
	int mem; /* kernel/peek.h; -1 where pages are moved */
	vma_lookup *mapping_at; /* vma_query(), or vma_search() where the kernel is older */
	enum way way; /* how pages leave */

	/* in force */
	pc_ns cold_age;      /* the option, shortened by the soft cap */
	uint32_t max_runs;   /* registered runs allowed (hazard M11) */
	uint32_t keep_below; /* largest packed length worth keeping */
	bool everything;     /* COLD_AGE=0 or an evict command: age does not matter */
	bool pinned;	     /* WAY_MADVISE: the program was seen with what it does not go with */
};

extern struct world world;

#endif
