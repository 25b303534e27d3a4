/*
 * range.h - which addresses are managed: units of 2 MiB, their page words, what is registered.
 *
 * DESIGN  A unit is an aligned 2 MiB slice of the address space, whatever mappings lie in it. A
 *         hash table leads from an address to its unit: some heaps (V8's) scatter pieces of 256 KiB
 *         all over the address space, where a tree would spend a page per level on each.
 *
 *           address >> 21  -> slot (open addressing) -> unit -> words[8] -> word[64]
 *
 *         Table, units and words come from demand-zero memory, so what is never used costs nothing.
 *         A unit costs 368 bytes, and 512 bytes of words for each 256 KiB of it that was ever
 *         registered: 0.2 % of a whole unit, 0.34 % of a lone piece of V8's.
 *         registered[] says which pages the kernel reports to us, as far as we know. The kernel may
 *         know more (a mapping that grew in place): a fault there adopts the page.
 *         Which pages are away is noted twice, in the words and in elsewhere[], far from each other:
 *         a wild write of the program to one of them must not make zeros of a page.
 * OWNS    units and words. Knows nothing of what a word means beyond "not zero".
 * THREADS range_find() by any thread inside the layout gate, and by the one that frees. Outside it a
 *         unit may be missed, for units that are freed move others about: range_find_outside() says
 *         so. range_ensure() and the setting of bits by the work thread inside the gate, or by
 *         anybody who has closed it. range_free() only with the gate closed.
 */
#ifndef PC_STATE_RANGE_H
#define PC_STATE_RANGE_H

#include "base/commit.h"
#include "base/types.h"
#include "base/units.h"
#include "state/heat.h"
#include "state/page.h"

#define UNIT_MAP_WORDS (PC_UNIT_PAGES / 64)
#define UNIT_GROUP     64u /* page words that exist together */

struct unit {
	pc_addr base;
	page_word *words[UNIT_MAP_WORDS]; /* groups of UNIT_GROUP pages; NULL: all RESIDENT */
	uint64_t registered[UNIT_MAP_WORDS];
	uint64_t elsewhere[UNIT_MAP_WORDS]; /* pages that are away, once more; atomic; unit_away() */
	uint64_t dontfork[UNIT_MAP_WORDS]; /* of those, where MADV_DONTFORK may be set and is the pager's */
	uint32_t away;    /* pages whose bytes are with the pager; atomic */
	uint32_t staged;  /* of those, pages in staging; atomic */
	uint32_t seen;    /* discovery walk that last found memory here */
	uint32_t remapped; /* number of the last remap that brought words here; flow/forget.c */
	uint32_t unguarded; /* a layout event was pending: what is in dontfork may lack the flag
				     (flow/take.h, guard_unit()), what is registered may be newer */
	bool live;         /* in the table */
	uint32_t row;      /* of the segment's unit table; 0 none of its own */
	struct heat heat;
};

/* Memory the table needs for `max_units`; `memory` is demand-zero once `commit` has made it memory. */
size_t range_table_bytes(uint32_t max_units);
bool range_start(void *memory, uint32_t max_units, commit_fn *commit); /* false: it could not */
size_t range_resident_bytes(void);
const struct unit *range_units(void); /* all max_units, used or not: for readers of a core dump */

struct unit *range_find(pc_addr addr);   /* NULL if there is none */
/* The same by any thread, which does not wait; *unsure: there may be one though NULL is returned. */
struct unit *range_find_outside(pc_addr addr, bool *unsure);
struct unit *
range_ensure(pc_addr addr); /* NULL: the table is full, or there is no memory, or addr too high */
void range_free(struct unit *u);         /* nothing of it may be away or registered */

/* Units by number: 0 .. range_limit()-1, NULL where there is none. */
uint32_t range_limit(void);
struct unit *range_at(uint32_t number);

static inline bool unit_registered(const struct unit *u, unsigned page)
{
	return u->registered[page / 64] >> (page % 64) & 1;
}

static inline bool unit_dontfork(const struct unit *u, unsigned page)
{
	return u->dontfork[page / 64] >> (page % 64) & 1;
}

/* Gives the unit a row of the segment's unit table before its first page leaves. Like range_ensure. */
void unit_list(struct unit *u);

/* Counts in that row, by any thread: UNIT_COUNT(u, taken). */
#define UNIT_ADD(u, name, n) units_add((u)->row, PC_U_##name, (n))
#define UNIT_COUNT(u, name)  UNIT_ADD(u, name, 1)

/* The word of the page went from `was` to `is`, by who owns it: counts and elsewhere[] follow. */
void unit_count(struct unit *u, unsigned page, page_word was, page_word is);

/* What elsewhere[] says, to who owns the word. */
static inline bool unit_away(const struct unit *u, unsigned page)
{
	return load_relaxed(&u->elsewhere[page / 64]) >> (page % 64) & 1;
}

/* Off: nor is MADV_DONTFORK there the pager's any more. */
void unit_set_registered(struct unit *u, unsigned first, unsigned end, bool on);
void unit_set_dontfork(struct unit *u, unsigned first, unsigned end);
/*
 * The word of a page: unit_peek() of any page, unit_word() where the words exist. They exist for
 * every page that is registered or was once, and after unit_words(), which makes those of
 * [first, end): by the work thread inside the gate, or by anybody who has closed it.
 */
void unit_words(struct unit *u, unsigned first, unsigned end);

static inline page_word *unit_word(const struct unit *u, unsigned page)
{
	/* Pairs with unit_words. */
	return load_acquire(&u->words[page / UNIT_GROUP]) + page % UNIT_GROUP;
}

static inline page_word unit_peek(const struct unit *u, unsigned page)
{
	/* Pairs with unit_words. */
	const page_word *group = load_acquire(&u->words[page / UNIT_GROUP]);

	return group ? page_load(&group[page % UNIT_GROUP]) : page_make(PAGE_RESIDENT, 0);
}

bool unit_any_registered(const struct unit *u);
unsigned unit_runs(const struct unit *u); /* of registered pages */

/* Next run [*first, *end) of set bits at or after *first; false if none. `map` of PC_UNIT_PAGES. */
bool map_next_run(const uint64_t *map, unsigned *first, unsigned *end);

/* Sets the bits of [first, end), which may be empty. */
void map_set_run(uint64_t *map, unsigned first, unsigned end);

bool range_valid(void); /* every away count is right, no transient word: gate closed */

#endif
