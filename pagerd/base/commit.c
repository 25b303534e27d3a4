#include "base/commit.h"

#include "base/check.h"

bool commit_start(struct commit *c, const void *start, size_t bytes, commit_fn *fn)
{
	*c = (struct commit){
	    .done = (pc_addr)start, .end = (pc_addr)start + page_ceil(bytes), .fn = fn};
	if (!fn)
		c->done = c->end;
	return commit_to(c, (const char *)start + 1);
}

bool commit_to(struct commit *c, const void *to)
{
	pc_addr until;

	if ((pc_addr)to <= c->done)
		return true;
	PC_ASSERT((pc_addr)to <= c->end);
	until = c->done + PC_MAX(page_ceil((pc_addr)to - c->done), COMMIT_STEP);
	until = PC_MIN(until, c->end);
	if (!c->fn((void *)c->done, until - c->done))
		return false;
	c->done = until;
	return true;
}
