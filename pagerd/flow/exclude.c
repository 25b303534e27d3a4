#include "flow/exclude.h"

#include "base/lock.h"
#include "state/span.h"

#define EXCLUDE_MAX 4096u

static struct pc_span spans[EXCLUDE_MAX];
static struct span_set set = {.span = spans, .max = EXCLUDE_MAX};
static struct lock lock;

void exclude_reset(void)
{
	lock_reset(&lock);
}

bool exclude_add(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = span_add(&set, page_floor(start), page_ceil(end));
	lock_release(&lock);
	return ok;
}

bool exclude_remove(pc_addr start, pc_addr end)
{
	bool ok;

	lock_take(&lock);
	ok = span_remove(&set, page_floor(start), page_ceil(end));
	lock_release(&lock);
	return ok;
}

bool exclude_hits(pc_addr start, pc_addr end)
{
	bool hits;

	lock_take(&lock);
	hits = span_hits(&set, start, end);
	lock_release(&lock);
	return hits;
}
