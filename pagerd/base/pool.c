#include "base/pool.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <linux/prctl.h>
#include <sys/mman.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* Between executables with their heap, from 85 TiB on, and what mmap() places, from 127 TiB down. */
#define PLACES	    (104ull << 40)
#define PLACES_END  (112ull << 40)
#define PLACES_MASK ((4ull << 40) - 1)

static struct {
	uint32_t count;
	struct pc_span region[POOL_REGIONS];
	pc_addr next; /* place */
} pool;

static void name_region(void *at, size_t bytes, const char *use)
{
	char name[64];
	struct text t = text_begin(name, sizeof(name));

	text_str(&t, "predicomp:");
	text_str(&t, use);
	/* Kernels without CONFIG_ANON_VMA_NAME refuse; nothing depends on it. */
	SYS6(__NR_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, bytes, name, 0);
}

/* Where the library lies was drawn by the kernel: a wild pointer finds us here as hard as there. */
static pc_addr first_place(void)
{
	return PLACES +
	       (((pc_addr)&pool << (PC_UNIT_SHIFT - PC_PAGE_SHIFT)) & PLACES_MASK & ~(PC_UNIT - 1));
}

/* Past what lies there, in steps that double, for it may be of any size. */
static long take_from(pc_addr at, size_t bytes, int prot, int flags, int fd)
{
	pc_addr step = page_ceil(bytes);
	long got = -EEXIST;

	for (; got == -EEXIST && at + bytes <= PLACES_END; at += step, step *= 2) {
		got = sys_mmap((void *)at, bytes, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
		if (got >= 0)
			pool.next = at + page_ceil(bytes);
	}
	return got;
}

long pool_take(size_t bytes, int prot, int flags, int fd)
{
	long got = -EEXIST;

	if (pool.next)
		got = take_from(pool.next, bytes, prot, flags, fd);
	return got == -EEXIST ? take_from(first_place(), bytes, prot, flags, fd) : got;
}

void pool_give(void *at, size_t bytes)
{
	sys_munmap(at, bytes);
	if ((pc_addr)at + page_ceil(bytes) == pool.next)
		pool.next = (pc_addr)at;
}

static uint32_t free_entry(void)
{
	uint32_t i = 0;

	while (i < pool.count && pool.region[i].end)
		i++;
	return i;
}

/* Recorded and named, and nothing of it can be touched. */
static void *reserve(size_t bytes, const char *use)
{
	const size_t whole = page_ceil(bytes) + 2 * PC_PAGE;
	uint32_t n = free_entry();
	long at;

	if (n == POOL_REGIONS)
		return NULL;
	at = pool_take(whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (at < 0)
		return NULL;
	name_region((void *)at, whole, use);
	pool.region[n] = (struct pc_span){(pc_addr)at, (pc_addr)at + whole};
	store_release(&pool.count, PC_MAX(n + 1, pool.count)); /* pairs with pool_owns */
	return (void *)(at + (long)PC_PAGE);
}

void *pool_reserve(size_t bytes, const char *use)
{
	void *at = reserve(bytes, use);

	/* Where that is refused a core dump may be larger. */
	if (at)
		sys_madvise((pc_addr)at, page_ceil(bytes), MADV_DONTDUMP);
	return at;
}

bool pool_commit(void *start, size_t bytes)
{
	return !sys_madvise((pc_addr)start, bytes, MADV_DODUMP) &&
	       !sys_mprotect(start, bytes, PROT_READ | PROT_WRITE);
}

void *pool_map(size_t bytes, const char *use)
{
	void *at = reserve(bytes, use);

	if (at && sys_mprotect(at, page_ceil(bytes), PROT_READ | PROT_WRITE)) {
		pool_unmap(at);
		return NULL;
	}
	return at;
}

int pool_empty(void *start, size_t bytes)
{
	int err = (int)sys_madvise((pc_addr)start, bytes, MADV_DONTNEED);

	/* What is locked is kept by the kernel. */
	if (err == -EINVAL && !SYS2(__NR_munlock, start, bytes))
		err = (int)sys_madvise((pc_addr)start, bytes, MADV_DONTNEED);
	return err;
}

void pool_unmap(void *at)
{
	for (uint32_t i = 0; i < pool.count; i++) {
		struct pc_span *r = &pool.region[i];

		if (r->start + PC_PAGE != (pc_addr)at)
			continue;
		pool_give((void *)r->start, r->end - r->start);
		*r = (struct pc_span){0, 0};
		return;
	}
	pc_fatal("memory that is not the pool's was to be unmapped", (uint64_t)at, 0);
}

bool pool_owns(pc_addr start, pc_addr end)
{
	uint32_t n = load_acquire(&pool.count); /* pairs with pool_map */

	for (uint32_t i = 0; i < n; i++)
		if (span_overlaps(start, end, pool.region[i].start, pool.region[i].end))
			return true;
	return false;
}

size_t pool_reserved(void)
{
	uint32_t n = load_acquire(&pool.count); /* pairs with pool_map */
	size_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += pool.region[i].end - pool.region[i].start;
	return sum;
}

uint32_t pool_spans(struct pc_span *out, uint32_t room)
{
	uint32_t n = load_acquire(&pool.count), written = 0; /* pairs with pool_map */

	for (uint32_t i = 0; i < n && written < room; i++)
		if (pool.region[i].end)
			out[written++] = pool.region[i];
	return written;
}
