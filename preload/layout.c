#include "layout.h"

#include "exclusion.h"
#include "real.h"
#include "pager.h"

#include <sys/mman.h>

#define NOT_OURS (MAP_GROWSDOWN | MAP_HUGETLB | MAP_LOCKED | MAP_STACK)

void layout_strike(const void *at, size_t len)
{
	struct pc_span s = pages_of(at, len);

	if (pager_follows() && s.start < s.end)
		pager_unmapping(s.start, s.end);
}

bool layout_knows(const void *at, size_t len)
{
	struct pc_span s = pages_of(at, len);

	return pager_follows() && s.start < s.end && pager_is_mapped(s.start, s.end);
}

void layout_note(const void *at, size_t len)
{
	struct pc_span s = pages_of(at, len);

	if (pager_follows() && s.start < s.end)
		pager_mapped(s.start, s.end);
}

/*
 * What was mapped there has gone, and whatever else comes to lie there is not kept from children, unless
 * it is there already, and noted.
 */
static void gone(const void *at, size_t len, uint32_t notes)
{
	struct pc_span s = pages_of(at, len);

	pager_forkless_gone(s.start, s.end, notes);
}

bool layout_is_discard(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_DONTNEED_LOCKED;
}

/* The call succeeds on all of it: memory that is known is never locked or sealed. */
static bool discard_is_certain(const void *at, size_t len, int advice)
{
	return advice != MADV_DONTNEED_LOCKED && page_floor((pc_addr)at) == (pc_addr)at &&
	       layout_knows(at, len);
}

/*
 * Where it is certain, what is away may be forgotten before the call; else that comes home first.
 * In both cases nothing may leave meanwhile: of a range that is known in part, that part could.
 */
int layout_discard(void *at, size_t len, int advice)
{
	struct pc_span s = pages_of(at, len);
	const struct pager_held held = pager_discard_begin(s.start, s.end);
	bool certain = discard_is_certain(at, len, advice);
	struct pager_held home = {0};
	int ret;

	if (certain)
		pager_forget(s.start, s.end);
	else if (pager_holds(s.start, s.end))
		home = hold_bytes(at, len);
	ret = real.madvise(at, len, advice);
	pager_release(home);
	pager_discard_end(held);
	return ret;
}

static bool is_own_memory(int flags)
{
	return (flags & MAP_TYPE) == MAP_PRIVATE && flags & MAP_ANONYMOUS && !(flags & NOT_OURS);
}

void *layout_map(void *at, size_t len, int prot, int flags, int fd, long off)
{
	const uint32_t notes = pager_forkless_notes();
	void *ret;

	if (flags & MAP_FIXED)
		layout_strike(at, len);
	ret = real.mmap(at, len, prot, flags, fd, off);
	if (ret != MAP_FAILED && flags & MAP_FIXED)
		gone(at, len, notes);
	if (ret != MAP_FAILED && is_own_memory(flags))
		layout_note(ret, len);
	return ret;
}

int layout_unmap(void *at, size_t len)
{
	const uint32_t notes = pager_forkless_notes();
	int ret;

	layout_strike(at, len);
	ret = real.munmap(at, len);
	if (!ret)
		gone(at, len, notes);
	return ret;
}

/* Discards are refused where sealed memory can only be read. Not every libc has the function. */
int layout_seal(void *at, size_t len, unsigned long flags)
{
	layout_strike(at, len);
	return (int)real.syscall(__NR_mseal, (long)at, (long)len, (long)flags, 0, 0, 0);
}

HOOK(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, long off))
{
	return layout_map(at, len, prot, flags, fd, off);
}

HOOK(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, long off))
{
	return layout_map(at, len, prot, flags, fd, off);
}

HOOK(int, munmap, (void *at, size_t len))
{
	return layout_unmap(at, len);
}

HOOK(int, mseal, (void *at, size_t len, unsigned long flags))
{
	return layout_seal(at, len, flags);
}
