/*
 * repack.h - what has stayed packed for long is packed again, denser.
 *
 *   entry -> copy -> unpack -> LZ4 HC -> unpack and compare -> store -> swing the word -> free the entry
 *
 * WHY     A page that nobody wanted for eight cold ages is likely to stay. LZ4 HC takes five times as long
 *         as LZ4 to pack it, once, and leaves a tenth to a quarter less of a heap's pages; it unpacks
 *         as fast (`bench/run --only codec`). The format is the same: who restores cannot tell.
 * DESIGN  The entry is copied inside the layout gate and packed outside it. The word is swung from
 *         the old entry to the new one by compare and swap, as in compaction: a pager that has won
 *         the page meanwhile frees the old entry, and the new one goes. An entry that was freed keeps
 *         its bytes until the work thread puts another one there, so that what was copied is a whole
 *         entry or fails its check. The page itself is gone: what does not unpack to the same bytes
 *         is dropped, each time, and the old entry stays.
 *         An entry says by a flag that it is dense; it is not looked at again. A unit whose pages
 *         gain too little is left.
 * OWNS    the codec's tables, 256 KiB; they go with the last unit that was due.
 * THREADS the work thread.
 */
#ifndef PC_FLOW_REPACK_H
#define PC_FLOW_REPACK_H

#include "base/types.h"
#include "flow/pack.h"
#include "state/range.h"

#define REPACK_GROUP 32u /* pages between two looks at who waits: a millisecond */

struct repack_room; /* tables and buffers */

struct repack {
	struct repack_room *room; /* NULL: there is none */
	uint32_t next;		  /* number of the unit to look at */
	bool gained;		  /* since the last rest */
};

/* How the pages of a unit that were looked at have done. */
struct repack_gain {
	uint32_t before, after; /* bytes in the store */
};

void repack_start(struct repack *r);

/* Nothing of it came or went for long, and there may be something to gain. */
bool repack_due(const struct unit *u, pc_ns now);

/*
 * Pages [first, first + REPACK_GROUP) of the unit at `base`, if it is still there. False when there is
 * no memory for it or the store is full.
 */
bool repack_group(struct repack *r, struct packer *p, pc_addr base, unsigned first,
		  struct repack_gain *gain);

/* It is hardly worth it: the rest of the unit may stay as it is. */
bool repack_is_poor(const struct repack_gain *gain);

/* The unit has been looked at, until pages of it are packed the next time. */
void repack_done(pc_addr base);

/* Nothing is due. True if anything has been repacked: entries that shrank have left gaps in the store. */
bool repack_rest(struct repack *r);

#endif
