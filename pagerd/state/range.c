#include "state/range.h"

#include "base/check.h"
#include "base/mem.h"

static struct {
	uint32_t *slot; /* unit number + 1, 0 none: open addressing, linear */
	struct unit *unit;
	page_word (*group)[UNIT_GROUP];
	uint32_t groups;     /* that were ever in use */
	uint32_t free_group; /* number + 1 of the first freed group; linked through its first word */
	uint32_t slots; /* a power of two, at least twice max_units */
	uint32_t limit; /* numbers handed out so far */
	uint32_t max_units;
	uint32_t free;  /* number + 1 of the first freed unit; linked through `seen` */
	uint32_t in_use;
	uint32_t moves; /* of entries in slot[], begun and ended: odd during one */
	struct commit slot_memory, unit_memory, group_memory;
} table;

static size_t part(size_t *offset, size_t bytes)
{
	size_t at = *offset;

	*offset += page_ceil(bytes);
	return at;
}

static uint32_t slots_for(uint32_t max_units)
{
	uint32_t n = 64;

	while (n < 2 * max_units)
		n *= 2;
	return n;
}

size_t range_table_bytes(uint32_t max_units)
{
	size_t n = 0;

	part(&n, slots_for(max_units) * sizeof(uint32_t));
	part(&n, (size_t)max_units * sizeof(struct unit));
	part(&n, (size_t)max_units * PC_UNIT_PAGES * sizeof(page_word));
	return n;
}

bool range_start(void *memory, uint32_t max_units, commit_fn *commit)
{
	const size_t units = (size_t)max_units * sizeof(struct unit);
	const size_t words = (size_t)max_units * PC_UNIT_PAGES * sizeof(page_word);
	char *m = memory;
	size_t n = 0;

	memset(&table, 0, sizeof(table));
	table.slots = slots_for(max_units);
	table.slot = (void *)(m + part(&n, table.slots * sizeof(uint32_t)));
	table.unit = (void *)(m + part(&n, units));
	table.group = (void *)(m + part(&n, words));
	table.max_units = max_units;
	/* Any slot may be the next; units and groups are used from the first on. */
	return commit_start(&table.slot_memory, table.slot, table.slots * sizeof(uint32_t),
			    commit) &&
	       commit_to(&table.slot_memory, table.slot + table.slots) &&
	       commit_start(&table.unit_memory, table.unit, units, commit) &&
	       commit_start(&table.group_memory, table.group, words, commit);
}

size_t range_resident_bytes(void)
{
	return page_ceil(table.limit * sizeof(struct unit)) +
	       page_ceil((size_t)table.groups * sizeof(*table.group)) +
	       PC_MIN(table.slots * sizeof(uint32_t), table.in_use * PC_PAGE);
}

const struct unit *range_units(void)
{
	return table.unit;
}

/* Fibonacci hashing: neighbours spread, and the best bits are the high ones. */
static uint32_t home_of(pc_addr addr)
{
	uint64_t h = (addr >> PC_UNIT_SHIFT) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32) & (table.slots - 1);
}

static uint32_t next_slot(uint32_t i)
{
	return (i + 1) & (table.slots - 1);
}

static struct unit *unit_in(uint32_t i)
{
	uint32_t number = load_acquire(&table.slot[i]); /* pairs with range_ensure */

	return number ? &table.unit[number - 1] : NULL;
}

struct unit *range_find(pc_addr addr)
{
	struct unit *u;

	if (addr >= PC_ADDR_MAX || !table.slots)
		return NULL;
	for (uint32_t i = home_of(addr); (u = unit_in(i)); i = next_slot(i))
		if (u->base == unit_floor(addr))
			return u;
	return NULL;
}

struct unit *range_find_outside(pc_addr addr, bool *unsure)
{
	uint32_t before = load_acquire(&table.moves); /* pairs with vacate */
	struct unit *u = range_find(addr);

	*unsure = before % 2 || load_acquire(&table.moves) != before;
	return u;
}

/* For all the words that so many units can have. */
static bool memory_for(uint32_t units)
{
	return commit_to(&table.unit_memory, table.unit + units) &&
	       commit_to(&table.group_memory, table.group + (size_t)units * UNIT_MAP_WORDS);
}

static uint32_t new_number(void)
{
	uint32_t number = table.free;

	if (number) {
		table.free = table.unit[number - 1].seen;
		return number;
	}
	if (table.limit == table.max_units || !memory_for(table.limit + 1))
		return 0;
	store_release(&table.limit, table.limit + 1); /* pairs with range_limit */
	return table.limit;
}

struct unit *range_ensure(pc_addr addr)
{
	struct unit *u = range_find(addr);
	uint32_t number, i;

	if (u || addr >= PC_ADDR_MAX)
		return u;
	number = new_number();
	if (!number)
		return NULL;
	u = &table.unit[number - 1];
	memset(u, 0, sizeof(*u));
	u->base = unit_floor(addr);
	u->live = true;
	table.in_use++;
	for (i = home_of(addr); table.slot[i]; i = next_slot(i))
		;
	store_release(&table.slot[i], number); /* pairs with unit_in */
	return u;
}

/* True if slot `i` lies cyclically in (hole, end]. */
static bool between(uint32_t hole, uint32_t i, uint32_t end)
{
	return hole <= end ? hole < i && i <= end : hole < i || i <= end;
}

/* Empties a slot and moves what probed past it back, so that no search ends too early. */
static void vacate(uint32_t hole)
{
	struct unit *u;

	add_acq_rel(&table.moves, 1); /* pairs with range_find_outside */
	store_release(&table.slot[hole], 0);
	for (uint32_t i = next_slot(hole); (u = unit_in(i)); i = next_slot(i)) {
		if (between(hole, home_of(u->base), i))
			continue;
		store_release(&table.slot[hole], table.slot[i]);
		store_release(&table.slot[i], 0);
		hole = i;
	}
	add_acq_rel(&table.moves, 1); /* pairs with range_find_outside */
}

/* There are as many groups, in memory, as the units so far can have: this cannot fail. */
static page_word *new_group(void)
{
	uint32_t number = table.free_group;
	page_word *group;

	if (!number)
		return table.group[table.groups++];
	group = table.group[number - 1];
	table.free_group = (uint32_t)group[0];
	group[0] = page_make(PAGE_RESIDENT, 0);
	return group;
}

static void free_group(page_word *group)
{
	if (!group)
		return;
	memset(group, 0, sizeof(*table.group));
	group[0] = table.free_group;
	table.free_group = (uint32_t)((group - table.group[0]) / UNIT_GROUP) + 1;
}

void unit_words(struct unit *u, unsigned first, unsigned end)
{
	for (unsigned i = first / UNIT_GROUP; i * UNIT_GROUP < end; i++)
		if (!u->words[i])
			store_release(&u->words[i], new_group()); /* pairs with unit_peek */
}

void range_free(struct unit *u)
{
	uint32_t number = (uint32_t)(u - table.unit) + 1;
	uint32_t i = home_of(u->base);

	PC_ASSERT(!u->away);
	PC_ASSERT(!unit_any_registered(u));
	while (table.slot[i] != number)
		i = next_slot(i);
	vacate(i);
	for (i = 0; i < UNIT_MAP_WORDS; i++)
		free_group(u->words[i]);
	units_close(u->row);
	memset(u, 0, sizeof(*u));
	u->seen = table.free;
	table.free = number;
	table.in_use--;
}

uint32_t range_limit(void)
{
	return load_acquire(&table.limit); /* pairs with new_number */
}

struct unit *range_at(uint32_t number)
{
	struct unit *u = &table.unit[number];

	PC_ASSERT(number < table.limit);
	return u->live ? u : NULL;
}

void unit_list(struct unit *u)
{
	/* What left while it had no row is in row 0 and must be seen to come back there. */
	if (!u->row && !load_relaxed(&u->away))
		u->row = units_open(u->base);
}

static void note_away(struct unit *u, unsigned page, bool away)
{
	uint64_t *map = &u->elsewhere[page / 64], bit = 1ull << (page % 64);

	if (away)
		or_relaxed(map, bit);
	else
		and_acq_rel(map, ~bit);
}

void unit_count(struct unit *u, unsigned page, page_word was, page_word is)
{
	int away = page_away(is) - page_away(was);
	int staged = (page_state(is) == PAGE_STAGED) - (page_state(was) == PAGE_STAGED);

	if (away) {
		note_away(u, page, away > 0);
		add_acq_rel(&u->away, (uint32_t)away);
		UNIT_ADD(u, away, away);
	}
	if (staged) {
		add_acq_rel(&u->staged, (uint32_t)staged);
		UNIT_ADD(u, staged, staged);
	}
}

void unit_set_registered(struct unit *u, unsigned first, unsigned end, bool on)
{
	PC_ASSERT(end <= PC_UNIT_PAGES);
	if (on)
		unit_words(u, first, end);
	for (unsigned i = first; i < end; i++) {
		uint64_t bit = 1ull << (i % 64);
		uint64_t *map = &u->registered[i / 64];

		store_relaxed(map, on ? *map | bit : *map & ~bit);
		if (!on)
			u->dontfork[i / 64] &= ~bit;
	}
}

void unit_set_dontfork(struct unit *u, unsigned first, unsigned end)
{
	PC_ASSERT(end <= PC_UNIT_PAGES);
	map_set_run(u->dontfork, first, end);
}

bool unit_any_registered(const struct unit *u)
{
	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
		if (u->registered[i])
			return true;
	return false;
}

static bool map_bit(const uint64_t *map, unsigned i)
{
	return map[i / 64] >> (i % 64) & 1;
}

bool map_next_run(const uint64_t *map, unsigned *first, unsigned *end)
{
	unsigned i = *first;

	while (i < PC_UNIT_PAGES && !map_bit(map, i))
		i = map[i / 64] >> (i % 64) ? i + 1 : (i / 64 + 1) * 64;
	if (i >= PC_UNIT_PAGES)
		return false;
	*first = i;
	while (i < PC_UNIT_PAGES && map_bit(map, i))
		i++;
	*end = i;
	return true;
}

void map_set_run(uint64_t *map, unsigned first, unsigned end)
{
	for (unsigned w = first / 64; w * 64 < end; w++) {
		const unsigned from = w == first / 64 ? first % 64 : 0;
		const unsigned to = PC_MIN(end - w * 64, 64);

		map[w] |= ~0ull << from & ~0ull >> (64 - to);
	}
}

/* The compiler's own asks libgcc where the processor may be an old one. */
static unsigned count_bits(uint64_t map)
{
	unsigned bits = 0;

	for (; map; map &= map - 1)
		bits++;
	return bits;
}

unsigned unit_runs(const struct unit *u)
{
	uint64_t before = 0; /* the last page of the word before */
	unsigned runs = 0;

	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++) {
		uint64_t map = u->registered[i];

		runs += count_bits(map & ~(map << 1 | before));
		before = map >> 63;
	}
	return runs;
}

static bool unit_valid(const struct unit *u)
{
	unsigned away = 0, staged = 0;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		enum page_state s = page_state(unit_peek(u, i));

		if (s == PAGE_LEAVING || s == PAGE_RETURNING)
			return false;
		away += page_away(unit_peek(u, i));
		staged += s == PAGE_STAGED;
		if (page_away(unit_peek(u, i)) != unit_away(u, i))
			return false;
	}
	return away == u->away && staged == u->staged;
}

bool range_valid(void)
{
	for (uint32_t i = 0; i < table.limit; i++) {
		const struct unit *u = range_at(i);

		if (u && !unit_valid(u))
			return false;
	}
	return true;
}
