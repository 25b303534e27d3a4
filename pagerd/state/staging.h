/*
 * staging.h - where pages wait between leaving and being packed.
 *
 * DESIGN  Staging is one reserve of address space cut into chunks, one for each unit that is out.
 *         Page k of a unit goes to slot k of its chunk. The reserve starts one page past a 2 MiB
 *         boundary, so that a page and its slot never agree mod 2 MiB (hazard N4).
 *
 *           reserve   [ chunk 0: slot 0..511 ][ chunk 1 ] ...
 *           owner     [ page number or 0 ... ]              whose page is in the slot
 *
 *         A chunk is only registered with userfaultfd while pages move into it; afterwards it is
 *         plain private memory that the packer may read and that can be dropped without an event,
 *         and that nobody may write to (flow/seal.h).
 *
 *           FREE -> OPEN (pages moving in) -> WAITING (quarantine) -> PACKING -> FREE
 *
 *         Behind the chunks lie STAGING_RESERVE slots that belong to no unit: flow/reserve.h.
 *
 *         owner[] follows its page when the program remaps it. `live` counts slots whose page word
 *         says STAGED(slot): a chunk is only emptied at live == 0.
 * THREADS chunk states: the work thread. owner[] and live: whoever swings the page word, inside the
 *         gate; owner[] may be read without, as a hint.
 */
#ifndef PC_STATE_STAGING_H
#define PC_STATE_STAGING_H

#include "base/commit.h"
#include "base/types.h"

#define STAGING_RESERVE 256u

enum chunk_state { CHUNK_FREE, CHUNK_OPEN, CHUNK_WAITING, CHUNK_PACKING };

struct chunk {
	uint32_t state; /* enum chunk_state */
	uint32_t live;  /* atomic */
	uint32_t sealed, opened; /* atomic; flow/seal.h */
	pc_ns since;    /* when its pages left */
	pc_ns wait;     /* how long they must stay untouched */
	pc_addr unit;   /* base of the unit that filled it */
};

size_t staging_space_bytes(uint32_t chunks); /* address space of the reserve */
size_t staging_table_bytes(uint32_t chunks);
/*
 * `space`: staging_space_bytes(); `table`: staging_table_bytes(); both demand-zero once `commit` has made
 * them memory. False: it could not.
 */
bool staging_start(void *space, void *table, uint32_t chunks, commit_fn *commit);

struct chunk *staging_open(void);   /* a FREE chunk, now OPEN; NULL if none is left, or no memory */
void staging_free(struct chunk *c); /* its memory has been given back; it may still be sealed */

uint32_t staging_limit(void); /* chunks ever used: 0 .. limit-1 */
struct chunk *staging_at(uint32_t number);
uint32_t staging_number(const struct chunk *c);

pc_addr staging_chunk_addr(const struct chunk *c);
uint32_t staging_slot(const struct chunk *c, unsigned page); /* slot number, over all chunks */
pc_addr staging_slot_addr(uint32_t slot);
struct chunk *staging_chunk_of(uint32_t slot);
struct chunk *staging_chunk_at(pc_addr at); /* of what staging_contains() */
pc_addr staging_reserve_addr(unsigned slot);
bool staging_contains(pc_addr at); /* a chunk's memory; not the reserve */
pc_addr staging_owner(uint32_t slot); /* address of the page in it, 0 if none, nor such a slot */

/* A page word came to say STAGED(slot), or no longer does. */
void staging_hold(uint32_t slot, pc_addr owner);
void staging_release(uint32_t slot);
/* The page moved in the address space. */
void staging_rename(uint32_t slot, pc_addr owner);

#endif
