/*
 * codec.h - one page to packed bytes and back. Pure: no system calls, no allocation, no tables.
 *
 * DESIGN  A page is either SAME (one 32-bit word repeated: costs nothing in the store), PACKED
 *       (LZ4 block, at most PC_PAGE * (100 - min_savings) / 100 bytes) or POOR.
 *       LZ4's 16 KiB hash table is the caller's (struct codec_state), one per packing thread,
 *       initialised once. (LZ4 clears it for every input of 4 KiB or more, by the fast-reset entry
 *       point too. Packing 4095 bytes instead, the last one beside them, avoids that: measured
 *       0.2 us less for a nearly empty page, nothing for heaps. Not worth a format of our own.)
 * THREADS one codec_state, or codec_dense_state, a thread; codec_unpack() needs none.
 */
#ifndef PC_STATE_CODEC_H
#define PC_STATE_CODEC_H

#include "base/types.h"

#define CODEC_STATE_BYTES 16416u
#define CODEC_DENSE_BYTES 262200u

struct codec_state {
	uint64_t lz4[CODEC_STATE_BYTES / 8];
};

struct codec_dense_state {
	uint64_t lz4[CODEC_DENSE_BYTES / 8];
};

enum codec_kind { CODEC_SAME, CODEC_PACKED, CODEC_POOR };

void codec_start(struct codec_state *s);

/*
 * Packs the page at `page` (PC_PAGE bytes, readable) into `out` (PC_PAGE bytes). SAME: *word is the
 * repeated word. PACKED: *len bytes of `out`. `keep_below`: largest length worth keeping; LZ4 may
 * give up some bytes before it.
 */
enum codec_kind codec_pack(struct codec_state *s, const void *page, void *out, unsigned keep_below,
			   unsigned *len, uint32_t *word);

/*
 * LZ4 HC: the same format in fewer bytes, in five times the time. Returns how many of `out` (PC_PAGE
 * bytes), or 0 where it takes more than `room`, PC_PAGE at most.
 */
void codec_start_dense(struct codec_dense_state *s);
unsigned codec_pack_dense(struct codec_dense_state *s, const void *page, void *out, unsigned room);

/* Fills `page` (PC_PAGE bytes). 0, or -EIO if the bytes are no packed page. Never reads or writes
 * outside in[0..len) and page[0..PC_PAGE), whatever the bytes. */
int codec_unpack(const void *in, unsigned len, void *page);

void codec_fill(void *page, uint32_t word); /* the page of a SAME word */

/* CRC32C of the bytes, continued from `seed`; SSE4.2 where the CPU has it. */
uint32_t codec_crc(uint32_t seed, const void *bytes, size_t n);
uint32_t codec_crc_portable(uint32_t seed, const void *bytes, size_t n); /* on any CPU, slower */

/*
 * The checksum of packed bytes, continued from `seed`: CRC32C of three strands and what is left over,
 * and of the sums of two of them. A CPU works on three at once in the time of one.
 */
uint32_t codec_sum(uint32_t seed, const void *bytes, size_t n);

unsigned codec_keep_below(unsigned min_savings_percent);

#endif
