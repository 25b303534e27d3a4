#include "state/staging.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"

#define RESERVE ((size_t)STAGING_RESERVE * PC_PAGE)

static struct {
	pc_addr space;
	struct chunk *chunk;
	uint64_t *owner; /* page numbers, PC_UNIT_PAGES a chunk */
	uint32_t chunks;
	uint32_t limit;
	uint32_t lowest_free; /* no FREE chunk below */
	struct commit slots, heads, owners, reserve;
} staging;

static size_t owners_bytes(uint32_t chunks)
{
	return (size_t)chunks * PC_UNIT_PAGES * sizeof(uint64_t);
}

size_t staging_space_bytes(uint32_t chunks)
{
	return (size_t)chunks * PC_UNIT + RESERVE + PC_UNIT + PC_PAGE;
}

size_t staging_table_bytes(uint32_t chunks)
{
	return page_ceil(chunks * sizeof(struct chunk)) + owners_bytes(chunks);
}

bool staging_start(void *space, void *table, uint32_t chunks, commit_fn *commit)
{
	const size_t heads = page_ceil(chunks * sizeof(struct chunk));
	char *m = table;

	memset(&staging, 0, sizeof(staging));
	staging.space = unit_floor((pc_addr)space + PC_UNIT - 1) + PC_PAGE;
	staging.chunk = (void *)m;
	staging.owner = (void *)(m + heads);
	staging.chunks = chunks;
	return commit_start(&staging.slots, (void *)staging.space, (size_t)chunks * PC_UNIT,
			    commit) &&
	       commit_start(&staging.heads, staging.chunk, heads, commit) &&
	       commit_start(&staging.owners, staging.owner, owners_bytes(chunks), commit) &&
	       commit_start(&staging.reserve, (void *)staging_reserve_addr(0), RESERVE, commit);
}

static bool memory_for(uint32_t chunks)
{
	return commit_to(&staging.heads, &staging.chunk[chunks]) &&
	       commit_to(&staging.owners, &staging.owner[(size_t)chunks * PC_UNIT_PAGES]) &&
	       commit_to(&staging.slots, (void *)(staging.space + (pc_addr)chunks * PC_UNIT));
}

struct chunk *staging_open(void)
{
	for (uint32_t i = staging.lowest_free; i < staging.chunks; i++) {
		struct chunk *c = &staging.chunk[i];

		if (i >= staging.limit && !memory_for(i + 1))
			return NULL;
		if (c->state != CHUNK_FREE)
			continue;
		staging.lowest_free = i + 1;
		store_relaxed(&staging.limit, PC_MAX(staging.limit, i + 1));
		c->state = CHUNK_OPEN;
		return c;
	}
	staging.lowest_free = staging.chunks;
	return NULL;
}

void staging_free(struct chunk *c)
{
	uint32_t i = staging_number(c);

	PC_ASSERT(!load_relaxed(&c->live));
	memset(&staging.owner[(size_t)i * PC_UNIT_PAGES], 0, PC_UNIT_PAGES * sizeof(uint64_t));
	*c = (struct chunk){.sealed = c->sealed, .opened = c->opened};
	staging.lowest_free = PC_MIN(staging.lowest_free, i);
}

uint32_t staging_limit(void)
{
	return staging.limit;
}

struct chunk *staging_at(uint32_t number)
{
	return &staging.chunk[number];
}

uint32_t staging_number(const struct chunk *c)
{
	return (uint32_t)(c - staging.chunk);
}

pc_addr staging_chunk_addr(const struct chunk *c)
{
	return staging.space + staging_number(c) * PC_UNIT;
}

uint32_t staging_slot(const struct chunk *c, unsigned page)
{
	return staging_number(c) * PC_UNIT_PAGES + page;
}

pc_addr staging_slot_addr(uint32_t slot)
{
	return staging.space + (pc_addr)slot * PC_PAGE;
}

pc_addr staging_reserve_addr(unsigned slot)
{
	return staging.space + (pc_addr)staging.chunks * PC_UNIT + slot * PC_PAGE;
}

bool staging_contains(pc_addr at)
{
	return at >= staging.space && at < staging_reserve_addr(0);
}

struct chunk *staging_chunk_of(uint32_t slot)
{
	return &staging.chunk[slot / PC_UNIT_PAGES];
}

struct chunk *staging_chunk_at(pc_addr at)
{
	return &staging.chunk[(at - staging.space) / PC_UNIT];
}

pc_addr staging_owner(uint32_t slot)
{
	/* A slot that there never was is a note that was overwritten. */
	if (slot / PC_UNIT_PAGES >= load_relaxed(&staging.limit))
		return 0;
	return load_acquire(&staging.owner[slot]) << PC_PAGE_SHIFT; /* pairs with staging_hold */
}

void staging_hold(uint32_t slot, pc_addr owner)
{
	PC_ASSERT(!staging_owner(slot));
	staging_rename(slot, owner);
	add_acq_rel(&staging_chunk_of(slot)->live, 1);
}

void staging_release(uint32_t slot)
{
	PC_ASSERT(staging_owner(slot));
	staging_rename(slot, 0);
	sub_acq_rel(&staging_chunk_of(slot)->live, 1);
}

void staging_rename(uint32_t slot, pc_addr owner)
{
	store_release(&staging.owner[slot], owner >> PC_PAGE_SHIFT); /* pairs with staging_owner */
}
