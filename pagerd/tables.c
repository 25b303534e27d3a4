#include "tables.h"

#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"

#include <errno.h>
#include <sys/mman.h>

#define MEMORY_MIN  (1ull << 30)
#define SPARE_UNITS 4096u /* for memory spread thinly over the address space */

struct region {
	void *at;
	size_t bytes;
};

static struct {
	struct region units, chunks, slots, slabs, store;
	uint32_t max_units, max_chunks;
	uint64_t store_max;
} tables;

static bool reserve(struct region *r, size_t bytes, const char *use)
{
	r->bytes = bytes;
	r->at = pool_reserve(bytes, use);
	return r->at != NULL;
}

static int reserve_all(uint64_t memory)
{
	memory = PC_MAX(memory, MEMORY_MIN) & ~(PC_UNIT - 1);
	tables.max_chunks = (uint32_t)(memory / PC_UNIT);
	tables.max_units = 2 * tables.max_chunks + SPARE_UNITS;
	tables.store_max = memory;
	if (!reserve(&tables.units, range_table_bytes(tables.max_units), "units") ||
	    !reserve(&tables.chunks, staging_table_bytes(tables.max_chunks), "chunks") ||
	    !reserve(&tables.slots, staging_space_bytes(tables.max_chunks), "staging") ||
	    !reserve(&tables.slabs, store_table_bytes(memory), "slabs") ||
	    !reserve(&tables.store, memory, "store"))
		return -ENOMEM;
	/* A huge page in staging would be one the pages that come next must be split from. */
	sys_madvise((pc_addr)tables.slots.at, tables.slots.bytes, MADV_NOHUGEPAGE);
	/* The store counts what it has touched page by page. */
	sys_madvise((pc_addr)tables.store.at, tables.store.bytes, MADV_NOHUGEPAGE);
	return 0;
}

/* Demand-zero again. Never registered, so this raises no event. */
static int empty(const struct region *r)
{
	return pool_empty(r->at, r->bytes);
}

static void give_back(void *start, size_t bytes)
{
	pool_empty(start, bytes);
}

/* ---- starting and stopping -------------------------------------------------------------------- */

static int empty_all(void)
{
	int err = empty(&tables.units);

	if (!err)
		err = empty(&tables.chunks);
	if (!err)
		err = empty(&tables.slabs);
	if (!err)
		err = empty(&tables.store);
	return err;
}

/* What they had committed before they commit again, which costs a call or two for each step. */
static bool start_all(void)
{
	return range_start(tables.units.at, tables.max_units, pool_commit) &&
	       staging_start(tables.slots.at, tables.chunks.at, tables.max_chunks, pool_commit) &&
	       store_start(tables.store.at, tables.store_max, tables.slabs.at, give_back,
			   pool_commit);
}

int tables_start(uint64_t memory)
{
	int err = tables.store.at ? 0 : reserve_all(memory);

	if (!err)
		err = empty_all();
	if (err)
		return err;
	return start_all() ? 0 : -ENOMEM;
}

static void unmap(struct region *r)
{
	if (r->at)
		pool_unmap(r->at);
	r->at = NULL;
}

/* Read-only memory that was never written to is not filled when it is locked either. */
static void empty_for_good(const struct region *r)
{
	if (!r->at)
		return;
	empty(r);
	sys_mprotect(r->at, r->bytes, PROT_READ);
}

void tables_stop(bool unlooked)
{
	if (unlooked)
		unmap(&tables.units);
	else
		empty_for_good(&tables.units);
	unmap(&tables.chunks);
	unmap(&tables.slots);
	unmap(&tables.slabs);
	unmap(&tables.store);
}

struct pc_tables tables_where(void)
{
	if (!tables.store.at)
		return (struct pc_tables){0};
	return (struct pc_tables){
	    .self = (uint64_t)stats_segment(),
	    .units = (uint64_t)range_units(),
	    .staging = staging_slot_addr(0),
	    .store = (uint64_t)tables.store.at,
	    .staging_bytes = (uint64_t)tables.max_chunks * PC_UNIT,
	    .store_bytes = tables.store_max,
	    .unit_bytes = sizeof(struct unit),
	    .unit_max = tables.max_units,
	};
}
