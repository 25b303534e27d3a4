/*
 * store.h - packed pages, by handle.
 *
 * WHY   Packed pages are 30 to 3 900 bytes. A mapping or a malloc block for each would spend what
 *       packing saves.
 * DESIGN  The store reserves address space once and commits it slab by slab. A slab is 64 KiB,
 *       belongs to one size class, and has its bookkeeping out of band:
 *
 *         slabs   [ 64 KiB, class 7 ][ 64 KiB, class 0 ][ free ][ 64 KiB, class 31 ] ...
 *         table   [ class, used, bitmap ][ ... ]                       struct slab, pool memory
 *
 *         slot    [ crc32c 4 | length 2 | dense 2 ][ packed bytes ... ]  state/entry.h
 *
 *       A handle is (offset of the slot in the store) / 16 + 1; 0 is no handle. Slots are 48 bytes
 *       or more (LZ4 needs 26 for a page) and rise in steps of 16 bytes to 1 KiB, 32 to 2 KiB, 64
 *       to 4 KiB + header. A new slab is touched slot by slot, the lowest free slot first, so an
 *       unused tail costs nothing.
 *       The checksum covers length, density and packed bytes and is continued from a seed that the caller
 *       derives from what the entry belongs to, so that neither a wild write nor a mixed-up handle
 *       can pass.
 *
 *       Each slab is in one state, kept by the work thread, and on the list of that state:
 *
 *         FRESH     never used; no list
 *         PARTIAL   has entries and room; a list for each class, put fills the first on it
 *         FULL      no list
 *         MARKED    being emptied by compaction: has room, but not for puts
 *         EMPTY     has no entry, but memory; the next store_trim() makes it
 *         RETURNED  as good as FRESH
 *
 *       A class that has no PARTIAL slab opens a RETURNED or a FRESH one, for of an EMPTY one it might
 *       touch little; where it has so many slabs that the whole of one more is little, and where there is no
 *       other, an EMPTY one. Of these some can be stocked ahead, from frames that somebody has to spare.
 *       Who frees the first slot of a FULL slab, or the last one of any, pushes the slab on a
 *       lock-free list, which the work thread takes as a whole when a class runs out of room or
 *       when it trims. So neither put nor free ever searches; only compaction walks slabs.
 * OWNS  the bytes. Knows nothing of addresses, page words or LZ4. No system calls but through the
 *       functions that the owner supplies: `give_back` (MADV_DONTNEED in the pager, a fake in tests) and
 *       `commit` (base/commit.h).
 * THREADS  put, compaction, trim and valid by one thread (the work thread). peek and free by any,
 *       without a lock: freeing clears an atomic bit. Whoever peeks owns the entry through its page
 *       word and frees it later. A handle that is none yields NULL from peek and ends the process
 *       in free.
 * INVARIANT  sum over slabs of used slots == entries put and not freed (store_valid).
 */
#ifndef PC_STATE_STORE_H
#define PC_STATE_STORE_H

#include "base/commit.h"
#include "base/types.h"

typedef uint64_t store_ref; /* 0: none; fits 40 bits */

#define STORE_SLAB   65536u
#define STORE_HEADER 8u

struct store_bytes {
	const void *bytes; /* NULL when the entry fails its check */
	unsigned len;
	bool dense;
};

struct store_totals {
	uint64_t live;	 /* packed bytes, headers left out */
	uint64_t used;	 /* slots in use, at their class size */
	uint64_t mapped; /* slab bytes touched and not given back (page granular) */
	uint64_t entries;
};

typedef void store_give_back_fn(void *start, size_t bytes);

/* Makes [to, to + bytes) memory, with any bytes in it; false: not all of it. */
typedef bool store_fill_fn(void *to, size_t bytes, void *arg);

/* Bytes of tables for a store of `max_bytes`: a third of a percent of it. */
size_t store_table_bytes(uint64_t max_bytes);

/*
 * `space`: max_bytes (a multiple of STORE_SLAB, at most 1 TiB) of memory that costs nothing until
 * it is touched, without huge pages; `table`: store_table_bytes(max_bytes), zeroed; both once `commit` has
 * made them memory. False: it could not.
 */
bool store_start(void *space, uint64_t max_bytes, void *table, store_give_back_fn *give_back,
		 commit_fn *commit);

/* Copies the bytes in. 0 when full, or where there is no memory. len in 1..PC_PAGE. */
store_ref store_put(const void *bytes, unsigned len, uint32_t seed);
store_ref store_put_dense(const void *bytes, unsigned len, uint32_t seed); /* and notes that they are */

/* What an entry of `len` packed bytes takes, header and rounding with it. */
unsigned store_room(unsigned len);

/* A hint that store_peek(ref) comes soon. */
void store_prefetch(store_ref ref);

/* The entry's bytes, checked against `seed`; valid until freed. */
struct store_bytes store_peek(store_ref ref, uint32_t seed);

void store_free(store_ref ref);

/* Gives back the memory of empty slabs; returns bytes given back. */
uint64_t store_trim(void);

/*
 * How many slabs to stock, now that a part of a pass has been packed: what the least of its last two parts
 * opened whole, and is not there. A pass ends with store_trim(). store_stock() has that many filled, as
 * long as fill() can; it gives back a slab that was filled in part.
 */
uint32_t store_wants_stock(void);
void store_stock(uint32_t slabs, store_fill_fn *fill, void *arg);

struct store_totals store_totals(void);

/*
 * Compaction. store_wants_compaction(): one part in `part` of the touched memory, EMPTY slabs left out,
 * is free, and packing it tighter would empty slabs of at least 1 MiB. store_compact_begin() picks the
 * sparsest slabs of each class whose entries fit elsewhere and marks them: puts avoid them.
 * store_compact_move() copies a marked entry to another slab and returns its new handle, or 0 if
 * `ref` is not marked (or no other slab has room: it opens none). The caller swings its page word
 * by CAS and then frees the old handle (or the new one if it lost). An entry may be freed by
 * another thread at any time during that. After store_compact_end(), store_trim() has the gain.
 */
bool store_wants_compaction(unsigned part);
void store_compact_begin(void);
store_ref store_compact_move(store_ref ref);
void store_compact_end(void);

bool store_valid(void); /* walks everything, while nobody frees; for tests */

#endif
