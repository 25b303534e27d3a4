/*
 * take.h - pages leave the program for staging.
 *
 *   register -> check the mapping -> which pages are there -> LEAVING -> UFFDIO_MOVE -> STAGED
 *
 * DESIGN  The order is what makes it safe. Registration comes first: from then on no hole can be
 *         filled and nothing unmapped, remapped or discarded without an event. The mapping is then
 *         asked about, and only private anonymous read-write memory is taken; the kernel refuses
 *         the move (UFFD_AGAIN) while an event is pending, and the table is under the gate. Pages
 *         that the kernel will not move (pinned, shared with a child) stay.
 *
 *         release is the way back: when the last page of a unit has come home its runs are
 *         unregistered, and the memory is native again.
 * THREADS the work thread; enters the gate by itself.
 */
#ifndef PC_FLOW_TAKE_H
#define PC_FLOW_TAKE_H

#include "base/types.h"
#include "state/range.h"

#define TAKE_RUN_MIN 16u /* pages: shorter runs are not worth a registration */

/*
 * Takes what may be taken of the unit at `base`: pages whose bit in `managed` (PC_UNIT_PAGES) is set.
 * They wait `wait` in staging before they may be packed. Returns how many left.
 */
unsigned take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait);

/* Unregisters the unit. False while something of it is away or a layout event is pending. */
bool release_unit(struct unit *u);

/*
 * Away pages of the unit may lie in memory that an unseen fork would give to the child, as zeros:
 * MADV_DONTFORK is set again, or the unit stays unit.unguarded because a layout event is pending.
 * What is home is released, for it may be noted as registered and not be, or not be what was meant.
 */
void guard_unit(struct unit *u);

#endif
