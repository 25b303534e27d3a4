#include "flow/seal.h"

#include "base/atomic.h"
#include "base/stats.h"
#include "base/sys.h"

#include <sys/mman.h>

#define SHARD 0u

static bool protect(const struct chunk *c, int prot)
{
	return !sys_mprotect((void *)staging_chunk_addr(c), PC_UNIT, prot);
}

void seal_chunk(struct chunk *c)
{
	if (load_relaxed(&c->sealed) && !load_relaxed(&c->opened))
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
