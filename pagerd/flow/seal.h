/*
 * seal.h - what waits in staging cannot be written to.
 *
 * WHY    Between leaving and being packed a page has no checksum: a wild write of the program there
 *        would come back as bytes that the program never wrote. A page in the store is checked; one in
 *        staging is read-only instead, and the write dies of SIGSEGV where it is made, as it would at
 *        an address where nothing is mapped (hazards X2, X6). That costs two calls a unit; a checksum
 *        would read every page once more.
 * DESIGN The kernel moves pages between writable mappings alone:
 *
 *          OPEN: pages move in --seal_chunk--> WAITING: read, packed, copied --seal_break--> FREE
 *                                                 |  ^
 *                       pages are moved home:  seal_open, and sealed again at the next tick
 *
 *        Nothing is locked. Where a chunk is sealed while a pager moves pages home, the kernel refuses
 *        the move, and they are copied, for which reading is enough. Where it cannot be sealed, its
 *        pages wait unprotected, as before, and `seal_failed` counts it.
 *        Between a pager's call and its note of it the work thread may have sealed again: `opened` then
 *        says what is not so until the next tick.
 * LAWS   - nothing is written to a sealed chunk, and no correctness rests on one being open.
 *        - seal_chunk, seal_break: the work thread. seal_break: of a chunk without live pages.
 *        - `opened` is set after the memory was made writable: what is missed by that is sealed at
 *          the tick after.
 * FROM   mm/userfaultfd.c, validate_move_areas(): both sides VM_WRITE, and alike.
 */
#ifndef PC_FLOW_SEAL_H
#define PC_FLOW_SEAL_H

#include "state/staging.h"

/* Read-only from now on, if it is not already. Work thread. */
void seal_chunk(struct chunk *c);
/* Writable, so that pages can be moved home from it; false if the kernel refuses. Any pager thread. */
bool seal_open(struct chunk *c);
/* The same, asked of the kernel whatever `opened` says: for who cannot do without. Any pager thread. */
bool seal_reopen(struct chunk *c);
/*
 * Of a chunk without live pages, from page `first` on: writable, so that its frames can be given away,
 * and read-only again. False if the kernel refuses. Work thread.
 */
bool seal_lift(struct chunk *c, unsigned first);
void seal_lower(struct chunk *c, unsigned first);
/* Writable for good, to be filled; false if the kernel refuses: then it stays sealed. Work thread. */
bool seal_break(struct chunk *c);

#endif
