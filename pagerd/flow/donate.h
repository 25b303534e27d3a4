/*
 * donate.h - the frames of pages that are packed become the store's.
 *
 * WHY    A page that is packed leaves its frame in staging, to be given back to the kernel, while the
 *        store asks the kernel for others: zeroed, charged and mapped in a fault each. Of evicting a
 *        page that was a tenth (`bench/run --only cold_touch`, "evicted page, CPU").
 * DESIGN Where a chunk has been packed, and before it is emptied, as many slabs as the store is about to
 *        open are filled with frames from its end, by move:
 *
 *          chunk   [ packed, to be given back ............. | frames ]      writable for that long
 *          store   [ slabs in use ][ ... ][ slab, EMPTY     <- 16 pages in a call ]
 *
 *        The store's part of the address space is registered for that with a userfaultfd of its own,
 *        which reports nothing: the store is written, filled by faults and given back as if it were
 *        not registered. Where there is no such thing, or it refuses, the store faults as before.
 * LAWS   - only from a chunk without live pages, only to slabs without entries: no byte that
 *          anybody reads is moved, so what a refused move did or did not do does not matter.
 *        - the reserve is filled from the chunk's start before (flow/reserve.h).
 * THREADS the work thread.
 */
#ifndef PC_FLOW_DONATE_H
#define PC_FLOW_DONATE_H

#include "base/types.h"
#include "state/staging.h"

/*
 * Opens world.silent for [store, store + bytes), all that the store can ever use, or leaves it closed. To be
 * called last, so that it takes a descriptor from nobody.
 */
void donate_start(pc_addr store, uint64_t bytes);

/* Of a chunk without live pages, which is to be emptied next. */
void donate_frames(struct chunk *c);

#endif
