#include "flow/donate.h"

#include "base/stats.h"
#include "flow/seal.h"
#include "flow/world.h"
#include "kernel/uffd.h"
#include "state/store.h"

#define SHARD	  0u
#define HOLES_MAX 16u /* pages that went home; a chunk with more has little to give */

struct donor {
	pc_addr next, end;
	unsigned holes;
};

void donate_start(pc_addr store, uint64_t bytes)
{
	if (world.way != WAY_MOVE || uffd_open_silent(&world.silent))
		return;
	if (uffd_register(&world.silent, store, store + bytes))
		uffd_close(&world.silent);
}

static bool agree(pc_addr to, pc_addr from)
{
	return (to - from) % PC_UNIT == 0;
}

static bool fill(void *to, size_t bytes, void *donor)
{
	struct donor *d = donor;
	pc_addr at = (pc_addr)to;
	const pc_addr end = at + bytes;

	while (at < end && d->next < d->end && d->holes < HOLES_MAX) {
		enum uffd_result res = UFFD_GONE;
		uint64_t done = 0;
		int error;

		/* Two addresses that agree mod 2 MiB: the huge page rule of hazard N4. Skipped as a hole is. */
		if (!agree(at, d->next))
			res = uffd_move(&world.silent, at, d->next,
					PC_MIN(end - at, d->end - d->next), &done, &error);
		if (!done && res != UFFD_GONE)
			break;
		at += done;
		d->next += PC_MAX(done, PC_PAGE);
		d->holes += !done;
	}
	ADD(SHARD, frames_donated, (at - (pc_addr)to) / PC_PAGE);
	return at == end;
}

void donate_frames(struct chunk *c)
{
	const uint32_t slabs = store_wants_stock();
	const uint64_t bytes = PC_MIN((uint64_t)slabs * STORE_SLAB, PC_UNIT);
	const unsigned first = (unsigned)((PC_UNIT - bytes) / PC_PAGE);
	const pc_addr end = staging_chunk_addr(c) + PC_UNIT;
	struct donor donor = {.next = end - bytes, .end = end};

	if (!slabs || world.silent.fd < 0 || !seal_lift(c, first))
		return;
	store_stock(slabs, fill, &donor);
	seal_lower(c, first);
}
