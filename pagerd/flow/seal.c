#include "flow/seal.h"

#include "base/atomic.h"
#include "base/stats.h"
#include "base/sys.h"

#include <sys/mman.h>

#define SHARD 0u

static bool protect_from(const struct chunk *c, unsigned first, int prot)
{
	return !sys_mprotect((void *)(staging_chunk_addr(c) + first * PC_PAGE),
			     (PC_UNIT_PAGES - first) * PC_PAGE, prot);
}

static bool protect(const struct chunk *c, int prot)
{
	return protect_from(c, 0, prot);
}

static bool is_sealed(const struct chunk *c)
{
	return load_relaxed(&c->sealed) && !load_relaxed(&c->opened);
}

void seal_chunk(struct chunk *c)
{
	if (is_sealed(c))
		return;
	store_relaxed(&c->opened, 0);
	store_relaxed(&c->sealed, 1);
	if (protect(c, PROT_READ))
		return;
	COUNT(SHARD, seal_failed);
	store_relaxed(&c->opened, 1);
}

bool seal_reopen(struct chunk *c)
{
	if (!load_relaxed(&c->sealed))
		return true;
	if (!protect(c, PROT_READ | PROT_WRITE))
		return false;
	store_relaxed(&c->opened, 1);
	return true;
}

bool seal_open(struct chunk *c)
{
	return load_relaxed(&c->opened) || seal_reopen(c);
}

bool seal_break(struct chunk *c)
{
	if (!seal_reopen(c))
		return false;
	store_relaxed(&c->sealed, 0);
	store_relaxed(&c->opened, 0);
	return true;
}

bool seal_lift(struct chunk *c, unsigned first)
{
	return !is_sealed(c) || protect_from(c, first, PROT_READ | PROT_WRITE);
}

void seal_lower(struct chunk *c, unsigned first)
{
	if (!is_sealed(c) || protect_from(c, first, PROT_READ))
		return;
	COUNT(SHARD, seal_failed);
	store_relaxed(&c->opened, 1);
}
