/*
 * reserve.h - a few pages that are paid for already, to restore with when the kernel has none.
 *
 * WHY   UFFDIO_COPY takes a new page, charged to the program's memory cgroup. At its limit, or in a
 *       machine that is out of memory, the kernel says ENOMEM, and whoever waits for the page could
 *       only be left to wait, or killed. UFFDIO_MOVE takes no page and charges nothing.
 * DESIGN  Slots behind the chunks of staging hold pages that were moved there from chunks whose
 *       pages have all been packed, instead of being given back: so filling the reserve asks for no
 *       memory either. When COPY has said ENOMEM, and only then, the bytes are written into one of
 *       them, and it goes where the bytes belong.
 *
 *           chunk, packed --MOVE--> [ EMPTY | FULL | FULL | ... ] --write, MOVE--> the program
 *
 *       A slot is EMPTY -> FULL (filled) -> TAKEN (being written and moved) -> EMPTY, or FULL again
 *       where the kernel would not move it. It is 1/RESERVE_SHARE of what is packed, and never more
 *       than STAGING_RESERVE pages. It is refilled by the next chunk that is packed. When it is out,
 *       the restorer waits for memory as it would without it.
 *
 *       A page in staging needs no reserve: it is moved back itself, unless it agrees mod 2 MiB with
 *       where it goes (hazard N4), which a remap can bring about.
 * OWNS  the slots and their states. The memory is staging's.
 * LAWS  - a FULL slot is present and mapped by nobody else, so writing to it faults for nothing.
 *         That is why children get zeros for it (MADV_WIPEONFORK): it is never shared with one.
 *       - it is registered only while pages move in, as chunks are.
 *       - memory that is not writable, or locked, cannot be moved to: there the restorer waits.
 *       - EVICT=madvise has no reserve, for it is where UFFDIO_MOVE is not.
 * THREADS reserve_restore() by any pager thread inside the gate; the rest by the work thread.
 */
#ifndef PC_FLOW_RESERVE_H
#define PC_FLOW_RESERVE_H

#include "base/types.h"
#include "kernel/uffd.h"
#include "state/staging.h"

#define RESERVE_LEAST 16u
#define RESERVE_SHARE 64u

/* Nothing is held. Before the first chunk is packed; after the userfaultfd was closed. */
void reserve_start(void);
void reserve_stop(void);

/* True if it has room for pages of a chunk. */
bool reserve_wants(void);

/* Takes what is wanting from a chunk that no page word leads to, before it is emptied. */
void reserve_fill(const struct chunk *c);

/*
 * Brings the PC_PAGE bytes at `from` to the page at `to` without asking for memory. What
 * UFFDIO_COPY would answer, and *done; UFFD_NOMEM: there is nothing left, or not for that page.
 */
enum uffd_result reserve_restore(unsigned shard, pc_addr to, const void *from, uint64_t *done);

#endif
