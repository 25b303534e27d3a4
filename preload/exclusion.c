#include "exclusion.h"

#include "base/atomic.h"
#include "pager.h"

static bool for_good; /* an exclusion exists that VmFlags does not show */

void exclude_bytes(const void *at, size_t len)
{
	struct pc_span s = pages_of(at, len);

	if (len && s.start < s.end)
		pager_exclude(s.start, s.end);
}

struct pager_held hold_bytes(const void *at, size_t len)
{
	const struct pc_span s = pages_of(at, len);
	const struct pager_held nothing = {0};

	return len && s.start < s.end ? pager_hold(s.start, s.end) : nothing;
}

void exclude_for_good(const void *at, size_t len)
{
	/* Pairs with the loads of include_bytes(): one of the two sees the other. */
	store_seq(&for_good, true);
	exclude_bytes(at, len);
}

void include_bytes(const void *at, size_t len)
{
	struct pc_span s = pages_of(at, len);

	if (!len || s.start >= s.end || load_seq(&for_good))
		return;
	pager_include(s.start, s.end);
	/* What was excluded for good meanwhile may lie in here. */
	if (load_seq(&for_good))
		pager_exclude(s.start, s.end);
}
