#include "flow/shed.h"

#include "base/atomic.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/discover.h"
#include "flow/world.h"
#include "kernel/peek.h"
#include "kernel/pins.h"

#include <errno.h>
#include <sys/mman.h>

#define SHARD 0u

static pc_addr addr_of(const struct unit *u, unsigned page)
{
	return u->base + (pc_addr)page * PC_PAGE;
}

bool shed_protect(const struct unit *u, unsigned first, unsigned end)
{
	switch (uffd_protect(&world.uffd, addr_of(u, first), addr_of(u, end))) {
	case UFFD_DONE:
		return true;
	case UFFD_AGAIN:
		COUNT(SHARD, take_again);
		return false;
	default:
		COUNT(SHARD, take_invalid);
		return false;
	}
}

/* Where it is refused, a write that meets the protection has it lifted. */
void shed_unprotect(const struct unit *u, unsigned first, unsigned end)
{
	uffd_unprotect(&world.uffd, addr_of(u, first), addr_of(u, end));
}

/* Nothing ever was kept from children there: what counts is the lock that the call takes. */
void shed_see_writers_off(const struct chunk *c)
{
	sys_madvise(staging_chunk_addr(c), PC_PAGE, MADV_DOFORK);
}

bool shed_no_pins(void)
{
	int tid = discover_living();
	int held = tid ? pins_held(tid) : -ESRCH;

	if (held == 1)
		store_relaxed(&world.pinned, true);
	return held == 0;
}

/* Copies what can be copied of pages [first, end): returns the first that could not. */
static unsigned copy_run(const struct unit *u, const struct chunk *c, unsigned first, unsigned end)
{
	void *to = (void *)staging_slot_addr(staging_slot(c, first));
	long n = peek_read(world.mem, to, addr_of(u, first), (end - first) * PC_PAGE);

	return first + (n > 0 ? (unsigned)((uint64_t)n / PC_PAGE) : 0);
}

/*
 * False: it ended within the run, or before it. -ENOMEM: part of it is mapped no more, and the rest has
 * been discarded; a report of that is on its way.
 */
static bool discard_run(const struct unit *u, unsigned first, unsigned end)
{
	long err = sys_madvise(addr_of(u, first), (end - first) * PC_PAGE, MADV_DONTNEED);

	if (err && err != -ENOMEM)
		COUNT(SHARD, take_invalid);
	return !err || err == -ENOMEM;
}

static bool collect_run(const struct unit *u, const struct chunk *c, unsigned first, unsigned end,
			uint64_t gone[UNIT_MAP_WORDS])
{
	unsigned copied = copy_run(u, c, first, end);
	bool whole;

	if (copied == first)
		return true;
	if (uffd_pending(&world.uffd)) {
		COUNT(SHARD, take_again);
		return false;
	}
	whole = discard_run(u, first, copied);
	for (unsigned i = first; i < copied; i++)
		if (whole || pagemap_occupied(&world.pagemap, addr_of(u, i)) == 0)
			gone[i / 64] |= 1ull << (i % 64);
	return true;
}

bool shed_collect(const struct unit *u, const struct chunk *c, unsigned first, unsigned end,
		  uint64_t gone[UNIT_MAP_WORDS])
{
	uint64_t protected[UNIT_MAP_WORDS];
	unsigned at = 0, stop;
	bool quiet = true;

	if (pagemap_protected(&world.pagemap, addr_of(u, first), addr_of(u, end), protected) < 0)
		return true;
	for (; quiet && map_next_run(protected, &at, &stop); at = stop)
		quiet = collect_run(u, c, first + at, first + stop, gone);
	return quiet;
}
