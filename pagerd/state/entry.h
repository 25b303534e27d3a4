/*
 * entry.h - a packed page as it lies in the store, and the check that it must pass.
 *
 * WHY     Two read it: the store (state/store.h) in the living process, and `predicomp core fix` in
 *         the dump of a dead one. They must agree, and neither may believe what it reads.
 * DESIGN  [ crc32c 4 | length 2 | dense 2 ][ packed bytes ... ]
 *         A handle is the entry's offset in the store / ENTRY_GRAIN + 1. The checksum covers length,
 *         dense and packed bytes and is continued from the seed in the page word, so neither a wild
 *         write nor a mixed-up handle can pass.
 * THREADS pure; whoever calls owns the entry or has a copy of it.
 */
#ifndef PC_STATE_ENTRY_H
#define PC_STATE_ENTRY_H

#include "base/atomic.h"
#include "base/types.h"
#include "state/codec.h"

#define ENTRY_GRAIN 16u

struct entry {
	uint32_t crc;
	uint16_t len;
	uint16_t dense; /* 1: flow/repack.h has packed it */
	unsigned char bytes[];
};

static inline uint64_t entry_offset(uint64_t ref)
{
	return (ref - 1) * ENTRY_GRAIN;
}

/* `len` is e->len, read once: a wild write may change it between a check and its use. */
static inline uint32_t entry_crc(const struct entry *e, unsigned len, uint32_t seed)
{
	size_t unchecked = offsetof(struct entry, len);

	return codec_sum(seed, &e->len, sizeof(*e) - unchecked + len);
}

/* An entry of that many packed bytes, in `room` bytes. */
static inline bool entry_fits(unsigned len, unsigned room)
{
	return len >= 1 && len <= PC_PAGE && sizeof(struct entry) + len <= room;
}

/* The length of the packed bytes at `e`, where `room` bytes may be read; 0 when it is none. */
static inline unsigned entry_check(const struct entry *e, unsigned room, uint32_t seed)
{
	unsigned len = load_relaxed(&e->len);

	if (!entry_fits(len, room))
		return 0;
	return entry_crc(e, len, seed) == e->crc ? len : 0;
}

#endif
