#include "flow/reserve.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/move.h"
#include "flow/seal.h"
#include "flow/world.h"

#include <sys/mman.h>

#define SHARD	0u
#define RESERVE ((uint64_t)STAGING_RESERVE * PC_PAGE)

enum { SLOT_EMPTY, SLOT_FULL, SLOT_TAKEN };

static struct {
	uint32_t slot[STAGING_RESERVE];
	uint32_t full; /* slots that are FULL or TAKEN */
} reserve;

static void forget_slots(void)
{
	ADD(SHARD, pages_reserve, -(int64_t)reserve.full);
	memset(&reserve, 0, sizeof(reserve));
}

/* Where the kernel does not know the advice, a child of an unseen fork may share pages: a loss. */
void reserve_start(void)
{
	forget_slots();
	sys_madvise(staging_reserve_addr(0), RESERVE, MADV_WIPEONFORK);
}

/* What the kernel will not take back now is found there by the next fill. */
void reserve_stop(void)
{
	if (load_relaxed(&reserve.full))
		pool_empty((void *)staging_reserve_addr(0), RESERVE);
	forget_slots();
}

/* ---- filling ------------------------------------------------------------------------------- */

static unsigned wanted(void)
{
	uint64_t share = RESERVE_LEAST + stats_get(PC_V_pages_stored) / RESERVE_SHARE;

	return (unsigned)PC_MIN(share, STAGING_RESERVE);
}

static void note_full(unsigned k, unsigned pages)
{
	for (unsigned i = k; i < k + pages; i++)
		store_release(&reserve.slot[i], SLOT_FULL); /* pairs with take_slot */
	add_acq_rel(&reserve.full, pages);
	ADD(SHARD, pages_reserve, pages);
}

static bool is_empty(unsigned k)
{
	return k < STAGING_RESERVE && load_acquire(&reserve.slot[k]) == SLOT_EMPTY;
}

static unsigned empty_run(unsigned k, unsigned most)
{
	unsigned n = 0;

	while (n < most && is_empty(k + n))
		n++;
	return n;
}

/* Slot k from pages of the chunk beyond the k-th: so the two never agree mod 2 MiB (hazard N4). */
static void fill_from(pc_addr chunk, unsigned want)
{
	unsigned k = 0, page = 1;

	while (k < STAGING_RESERVE && page < PC_UNIT_PAGES && load_relaxed(&reserve.full) < want) {
		unsigned most = PC_MIN(want - load_relaxed(&reserve.full), PC_UNIT_PAGES - page);
		unsigned n = empty_run(k, most);
		enum uffd_result res = UFFD_EXISTS;
		uint64_t done = 0;
		int error;

		if (n)
			res = move_pages(SHARD, MOVE_WITHIN, staging_reserve_addr(k),
					 chunk + page * PC_PAGE, n * PC_PAGE, &done, &error);
		if (n && res == UFFD_EXISTS && !done)
			done = PC_PAGE;
		note_full(k, (unsigned)(done / PC_PAGE));
		if (!done && res != UFFD_GONE && res != UFFD_EXISTS)
			return;
		k += (unsigned)(done / PC_PAGE) + !n;
		page = PC_MAX(page + (unsigned)(done / PC_PAGE) + (res == UFFD_GONE), k + 1);
	}
}

bool reserve_wants(void)
{
	return world.way == WAY_MOVE && load_relaxed(&reserve.full) < wanted();
}

void reserve_fill(const struct chunk *c)
{
	pc_addr at = staging_reserve_addr(0);

	if (uffd_register(&world.uffd, at, at + RESERVE))
		return;
	fill_from(staging_chunk_addr(c), wanted());
	if (uffd_unregister(&world.uffd, at, at + RESERVE))
		pc_fatal("the reserve cannot be unregistered", at, 0);
}

/* ---- using --------------------------------------------------------------------------------- */

/* Only what a copy may answer too: a refusal of the move says nothing about the page. */
static enum uffd_result move_one(unsigned shard, pc_addr to, pc_addr from, uint64_t *done)
{
	enum uffd_result res;
	int error;

	res = move_pages(shard, MOVE_HOME, to, from, PC_PAGE, done, &error);
	if (res == UFFD_BUSY || res == UFFD_INVALID || res == UFFD_FAILED)
		return UFFD_NOMEM;
	return res;
}

static bool agree(pc_addr to, pc_addr from)
{
	return (to - from) % PC_UNIT == 0;
}

/* A FULL slot that can be moved to `to`, now TAKEN; STAGING_RESERVE if there is none. */
static unsigned take_slot(pc_addr to)
{
	unsigned k = load_relaxed(&reserve.full) ? 0 : STAGING_RESERVE;

	for (; k < STAGING_RESERVE; k++) {
		uint32_t full = SLOT_FULL;

		if (!agree(to, staging_reserve_addr(k)) &&
		    cas_acq_rel(&reserve.slot[k], &full, SLOT_TAKEN)) /* pairs with note_full */
			break;
	}
	return k;
}

static void spend(unsigned shard, unsigned k)
{
	store_release(&reserve.slot[k], SLOT_EMPTY); /* pairs with is_empty */
	sub_acq_rel(&reserve.full, 1);
	ADD(shard, pages_reserve, -1);
	COUNT(shard, restore_reserve);
}

enum uffd_result reserve_restore(unsigned shard, pc_addr to, const void *from, uint64_t *done)
{
	enum uffd_result res = UFFD_NOMEM;
	unsigned k;

	if (world.way != WAY_MOVE)
		return UFFD_NOMEM;
	/* What mremap took where it agrees with its own staged page goes by a slot that does not. */
	if (staging_contains((pc_addr)from) && !agree(to, (pc_addr)from) &&
	    seal_reopen(staging_chunk_at((pc_addr)from)))
		return move_one(shard, to, (pc_addr)from, done);
	k = take_slot(to);
	if (k == STAGING_RESERVE)
		return UFFD_NOMEM;
	memcpy((void *)staging_reserve_addr(k), from, PC_PAGE);
	res = move_one(shard, to, staging_reserve_addr(k), done);
	if (res == UFFD_DONE)
		spend(shard, k);
	else
		store_release(&reserve.slot[k], SLOT_FULL); /* pairs with take_slot */
	return res;
}
