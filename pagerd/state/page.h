/*
 * page.h - one 64-bit word per page: where its bytes are. The only truth about a page.
 *
 *      take (MOVE)             pack, verify, publish
 *   RESIDENT --> LEAVING --> STAGED ------------------> PACKED or SAME
 *      |  ^         |           |                           |
 *      |  +-gave up-+           +-------> RETURNING <-------+
 *      |  +------------------------------------+
 *      v
 *   REMOVING: resident, and a discard of it (MADV_DONTNEED, FREE, REMOVE) was reported that may not
 *   have been carried out yet. The kernel reports *before* it discards and drops its guard in
 *   between, so a page that left in that gap would survive its own discard. It may not leave until
 *   it has been seen absent once.
 *
 * RULES
 *   - RESIDENT means: the program's page table has the truth; an absent page is a hole, so zeros.
 *   - LEAVING and RETURNING are locks: whoever won the CAS into one is alone with the page until it
 *     moves it on. Both live only inside one stay in the layout gate, so that whoever closes the
 *     gate sees none of them.
 *   - STAGED and PACKED words are swung by CAS; the loser changes nothing. The work thread swings PACKED
 *     to PACKED, where it has moved an entry or packed it again.
 *
 * LAYOUT  bits 0..2 state; then by state
 *   RESIDENT  bit 3: did not shrink when last tried
 *   STAGED    3..34 staging slot
 *   PACKED    3..42 store handle, 43..63 tag: seed of the entry's checksum
 *   SAME      3..34 the repeated word, 35..63 a check of it
 */
#ifndef PC_STATE_PAGE_H
#define PC_STATE_PAGE_H

#include "base/atomic.h"
#include "base/types.h"

typedef uint64_t page_word;

enum page_state {
	PAGE_RESIDENT,
	PAGE_REMOVING,
	PAGE_LEAVING,
	PAGE_STAGED,
	PAGE_PACKED,
	PAGE_SAME,
	PAGE_RETURNING,
};

#define PAGE_TAG_BITS 21u
#define PAGE_POOR     (1ull << 3)

static inline enum page_state page_state(page_word w)
{
	return (enum page_state)(w & 7);
}

static inline page_word page_make(enum page_state s, uint64_t payload)
{
	return (uint64_t)s | payload << 3;
}

static inline page_word page_make_packed(uint64_t ref, uint32_t tag)
{
	return page_make(PAGE_PACKED, ref | (uint64_t)tag << 40);
}

static inline uint64_t page_ref(page_word w)
{
	return w >> 3 & ((1ull << 40) - 1);
}

static inline uint32_t page_tag(page_word w)
{
	return (uint32_t)(w >> 43);
}

static inline uint32_t page_slot(page_word w)
{
	return (uint32_t)(w >> 3);
}

static inline uint32_t page_same(page_word w)
{
	return (uint32_t)(w >> 3);
}

/* The repeated word has nothing but this word of ours to live in, so it is checked as the store is. */
static inline page_word page_make_same(uint32_t repeated)
{
	uint64_t check = (repeated + 1) * 0x9e3779b97f4a7c15ull >> 35;

	return page_make(PAGE_SAME, repeated | check << 32);
}

static inline bool page_same_valid(page_word w)
{
	return w == page_make_same(page_same(w));
}

/* Its bytes are with the pager. */
static inline bool page_away(page_word w)
{
	enum page_state s = page_state(w);

	return s == PAGE_STAGED || s == PAGE_PACKED || s == PAGE_SAME;
}

/* True if the word was `from` and now is `to`. */
static inline bool page_swing(page_word *w, page_word from, page_word to)
{
	return cas_acq_rel(w, &from, to); /* pairs with itself and with page_load */
}

static inline page_word page_load(const page_word *w)
{
	return load_acquire(w); /* pairs with page_swing and page_store */
}

static inline void page_store(page_word *w, page_word v)
{
	store_release(w, v); /* pairs with page_load */
}

#endif
