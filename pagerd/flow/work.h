/*
 * work.h - one round of background work: discover, sample, decide, take, pack, release, repack.
 *
 * DESIGN  Rounds are short and paced. A budget of CPU time flows in at MAX_CPU and is spent unit by
 *         unit; when it is overdrawn the round ends and the next one starts once the debt is paid.
 *         Nothing here reacts to faults: that is the pagers' job. Hooks of the program, which wait for
 *         memory to come home, are answered between two units: a round may last as long as the
 *         budget, and that is too long for a call that the program makes.
 * THREADS the work thread.
 */
#ifndef PC_FLOW_WORK_H
#define PC_FLOW_WORK_H

#include "base/types.h"
#include "flow/pack.h"
#include "flow/policy.h"
#include "flow/repack.h"
#include "flow/restore.h"

struct work {
	struct packer packer;
	struct restorer restorer;
	struct policy policy;
	struct repack repack;
	pc_addr cursor; /* where the next round of trials starts */
	pc_ns walk_at;  /* next discovery, not before */
	pc_ns last_tick;
	int64_t budget; /* ns of CPU that may be spent */
	pc_ns spent_at; /* CPU clock at the last settlement */
	uint64_t store_peak;
	const uint32_t *stop; /* not zero: end the round */
	void (*serve)(void);  /* threads of the program wait for it: called between two units */
};

void work_start(struct work *w, pc_ns now);

/* One round; returns how long to sleep. */
pc_ns work_tick(struct work *w, pc_ns now);

/* Everything that may leave leaves and is packed, whatever its age. Returns pages packed. */
uint64_t work_evict_all(struct work *w, pc_addr start, pc_addr end);

/* Everything comes back and nothing is registered any more. */
void work_drain(struct work *w);

/* [start, end) comes back and is unregistered. */
void work_return(struct work *w, pc_addr start, pc_addr end);

/* What has been learnt about age is forgotten. */
void work_new_phase(struct work *w);

void work_gauges(struct work *w);

#endif
