/*
 * shed.h - pages leave where they cannot be moved (EVICT=madvise): protect, look, copy, discard.
 *
 *   protect   in the gate, all of a run: write-protected through userfaultfd. From here on a write,
 *             the program's or the kernel's, waits until a pager has lifted the protection of its
 *             page; the page is then not taken. Who wants to pin a page to write to it waits too.
 *   look      outside the gate: the program's descriptors. What was pinned before was pinned
 *             through one of them (kernel/pins.h).
 *   collect   in the gate, SHED_BATCH pages at a time: words LEAVING; pages that are protected still,
 *             by their page table entries, have not been written since; copied to staging by a read
 *             that cannot fault; discarded; words STAGED. The rest keeps its word.
 *   unprotect what was not taken.
 *
 * WHY IT HOLDS
 *   - No write is lost: one that came before the protection is in the copy; one that comes after it
 *     waits, and finds its page either back (unprotected) or away (restored on its fault).
 *   - Nothing else is discarded: what lies there cannot be changed by a call that passes a hook
 *     (flow/mapped.h). What passes none is found out by the entries, for new memory is not
 *     protected, and by the report of the unmap that is looked for right before the discard. A raw
 *     unmap and map between that look and the discard is the hole that remains.
 *   - Who writes through /proc/PID/mem holds the lock of the mappings meanwhile. After the
 *     protection that lock is taken for writing once: such a writer has gone by then.
 *
 * WHY NOT mremap(MREMAP_DONTUNMAP)  It moves pages as UFFDIO_MOVE does, copies nothing, and loses no
 * write. bench/micro/bench_leave, microseconds a page on Linux 6.18 (and in an emulated 6.1):
 *
 *                              whole 2 MiB     every second 64 KiB     every second page
 *     protect, copy, discard   1.84 (53)       2.13 (39)               8.95 (101)
 *     mremap                   0.38 (2.5)      1.06 (23)               9.96 (262)
 *     mappings mremap leaves   1 each 2 MiB    8 each MiB               128 each MiB
 *
 *   Packing a page costs more than either, so what it saves is a third of the CPU at best. Against it:
 *   - A page that is pinned moves all the same, and what the device writes is lost, as by a discard.
 *     Here who comes to pin a protected page waits; there nobody does, and a look at the descriptors
 *     would have to be as of the instant of the move. It would want the protection too, which is
 *     most of what it saves.
 *   - What a raw unmap and map put there is moved as readily as it is discarded: the same hole.
 *   - Moves from a registered range never merge, and a program with 512 MiB of scattered cold pages
 *     would be out of mappings (vm.max_map_count is 65530). They merge when the staging area is
 *     registered and unregistered once more, under the lock of all mappings.
 *   - It takes the lock of the mappings for writing: every fault of the program waits. A discard
 *     shares it.
 *
 * THREADS the work thread.
 */
#ifndef PC_FLOW_SHED_H
#define PC_FLOW_SHED_H

#include "base/types.h"
#include "state/range.h"
#include "state/staging.h"

#define SHED_BATCH 64u /* pages; faults wait for the gate as long as these take */

/* In the gate: pages [first, end) of the unit, registered. False if the kernel refuses. */
bool shed_protect(const struct unit *u, unsigned first, unsigned end);
void shed_unprotect(const struct unit *u, unsigned first, unsigned end);

/*
 * In the gate, after the protection, which who writes through /proc/PID/mem passes by: what had found its
 * page before has written it when this returns. By a chunk that is not registered.
 */
void shed_see_writers_off(const struct chunk *c);

/*
 * Outside the gate: no descriptor of the program can have pinned what is protected now. Where one
 * can, world.pinned says so from then on.
 */
bool shed_no_pins(void);

/*
 * In the gate: pages [first, end), at most SHED_BATCH, words LEAVING. Sets gone[] for those whose
 * bytes are in their slots of `c` now and nowhere else. False when the kernel has a layout change
 * pending.
 */
bool shed_collect(const struct unit *u, const struct chunk *c, unsigned first, unsigned end,
		  uint64_t gone[UNIT_MAP_WORDS]);

#endif
