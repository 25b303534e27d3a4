#include "flow/move.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/world.h"

/* The question takes a little memory, of which there may be none for a while. */
#define TRIES 2000u
#define WAIT  (5 * PC_MS)

static bool occupied(pc_addr page)
{
	int there = pagemap_occupied(&world.pagemap, page);

	for (unsigned tries = 0; there < 0; tries++) {
		if (tries == TRIES)
			pc_fatal("where a page is cannot be learnt", page, (uint64_t)-there);
		sys_nap(WAIT);
		there = pagemap_occupied(&world.pagemap, page);
	}
	return there;
}

/* Most refusals are true, and then the first question is the last. */
static bool has_moved(enum move_way way, pc_addr to, pc_addr from)
{
	switch (way) {
	case MOVE_OUT:
		return occupied(to);
	case MOVE_HOME:
		return !occupied(from);
	case MOVE_WITHIN:
		return occupied(to) && !occupied(from);
	}
	return false;
}

enum uffd_result move_pages(unsigned shard, enum move_way way, pc_addr to, pc_addr from, uint64_t len,
			    uint64_t *done, int *error)
{
	enum uffd_result res = uffd_move(&world.uffd, to, from, len, done, error);
	const uint64_t reported = *done;

	if (res == UFFD_DONE)
		return UFFD_DONE;
	while (*done < len && has_moved(way, to + *done, from + *done))
		*done += PC_PAGE;
	if (*done == reported)
		return res;
	uffd_wake(&world.uffd, to + reported, to + *done);
	ADD(shard, moves_recounted, (*done - reported) / PC_PAGE);
	return *done == len ? UFFD_DONE : UFFD_AGAIN;
}
