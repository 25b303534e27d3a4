/*
 * pack.h - staged pages become packed pages.
 *
 *   read slot -> codec -> (unpack and compare) -> store -> publish word -> give the frames back
 *
 * DESIGN  Staging is ours, so pages are read and packed without a lock. Publishing happens inside
 *         the layout gate, a group at a time: the page word must still say STAGED(slot), or the
 *         program has had its page back meanwhile and the work is dropped. Pages that do not shrink
 *         go back by move. The memory saved is real when the chunk has been given back to the
 *         kernel, not before.
 * THREADS the work thread.
 */
#ifndef PC_FLOW_PACK_H
#define PC_FLOW_PACK_H

#include "base/types.h"
#include "flow/restore.h"
#include "state/codec.h"
#include "state/staging.h"

#define PACK_GROUP 16u

struct packed_page {
	uint32_t slot;
	enum codec_kind kind;
	unsigned len;
	uint32_t word;
};

struct packer {
	struct codec_state lz4;
	struct packed_page group[PACK_GROUP];
	unsigned count;
	uint32_t tag;     /* last checksum seed given out */
	uint32_t sampled; /* pages since the last verified one */
	unsigned poor;    /* slots of this chunk that stay unpacked */
	uint32_t compact_next; /* number of the unit where compaction goes on */
	uint8_t out[PACK_GROUP][PC_PAGE];
	uint8_t check[PC_PAGE];
};

void pack_start(struct packer *p);

/* Packs what is left of the chunk. True when the chunk is free again; false: call again later. */
bool pack_chunk(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now);

/* Everything of the chunk that is still staged goes back unpacked. Same result. */
bool pack_return_chunk(struct restorer *r, struct chunk *c);

uint32_t pack_tag(struct packer *p); /* the checksum seed of the next entry */

bool pack_agrees(struct packer *p, const void *packed, unsigned len, const void *page); /* once unpacked */

/*
 * A packed page gets another entry, and the old one goes. False: somebody else has won the word, and the
 * new one goes. Inside the gate.
 */
bool pack_replace(page_word *word, page_word was, page_word now);

/*
 * Moves packed pages together when the store says it is worth it: of one unit, and for as long as go_on(arg)
 * says so of more, at most of all; call per tick. `tight`: even for little, where the store is likely
 * to stay as it is. go_on() is called outside the gate.
 */
void pack_compact(struct packer *p, bool tight, bool (*go_on)(void *), void *arg);

#endif
