#include "kernel/pagemap.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/sys.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <fcntl.h>

int pagemap_open(struct pagemap *pm)
{
	/* The thread's own: the leader's is empty once main() has left by pthread_exit(). */
	long fd = sys_open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);

	pm->fd = fd < 0 ? -1 : (int)fd;
	return fd < 0 ? (int)fd : 0;
}

#define ENTRY_PRESENT  (1ull << 63)
#define ENTRY_FILE     (1ull << 61)
#define ENTRY_UNSHARED (1ull << 56)
#define ENTRIES_BATCH  128u

typedef void region_fn(pc_addr start, pc_addr end, void *arg);

/*
 * The kernel flips the categories of category_inverted, then asks for all of category_mask: present
 * and not of a file and not swapped. A zero page is present and of no file, so it counts.
 */
static int scan(const struct pagemap *pm, pc_addr start, pc_addr end, region_fn *fn, void *arg)
{
	struct page_region regions[PAGEMAP_BATCH];
	struct pm_scan_arg a = {
	    .size = sizeof(a),
	    .start = start,
	    .end = end,
	    .vec = (uint64_t)regions,
	    .vec_len = PAGEMAP_BATCH,
	    .category_mask = PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_SWAPPED,
	    .category_inverted = PAGE_IS_FILE | PAGE_IS_SWAPPED,
	    .return_mask = PAGE_IS_PRESENT,
	};

	while (a.start < end) {
		long n = sys_ioctl(pm->fd, PAGEMAP_SCAN, &a);

		if (n < 0)
			return (int)n;
		if (a.walk_end <= a.start)
			return -EIO; /* a walk that does not advance would never end */
		for (long i = 0; i < n; i++)
			fn(regions[i].start, regions[i].end, arg);
		a.start = a.walk_end;
	}
	return 0;
}

struct presence {
	pc_addr start;
	uint64_t *bits;
	int count;
};

static void mark(pc_addr start, pc_addr end, void *arg)
{
	struct presence *p = arg;

	for (pc_addr at = start; at < end; at += PC_PAGE) {
		const uint64_t page = (at - p->start) >> PC_PAGE_SHIFT;

		p->bits[page / 64] |= 1ull << (page % 64);
		p->count++;
	}
}

int pagemap_present(const struct pagemap *pm, pc_addr start, pc_addr end,
		    uint64_t present[PC_UNIT_PAGES / 64])
{
	struct presence p = {.start = start, .bits = present};
	int err;

	PC_ASSERT(start <= end && end - start <= PC_UNIT);
	memset(present, 0, PC_UNIT_PAGES / 8);
	err = scan(pm, start, end, mark, &p);
	return err ? err : p.count;
}

bool pagemap_occupied(const struct pagemap *pm, pc_addr page)
{
	struct page_region region;
	struct pm_scan_arg a = {
		.size = sizeof(a),
		.start = page,
		.end = page + PC_PAGE,
		.vec = (uint64_t)&region,
		.vec_len = 1,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
	};

	return sys_ioctl(pm->fd, PAGEMAP_SCAN, &a) == 1;
}

static void count(pc_addr start, pc_addr end, void *arg)
{
	int64_t *pages = arg;

	*pages += (int64_t)((end - start) >> PC_PAGE_SHIFT);
}

int64_t pagemap_count(const struct pagemap *pm, pc_addr start, pc_addr end)
{
	int64_t pages = 0;
	int err = scan(pm, start, end, count, &pages);

	return err ? err : pages;
}

static bool is_unshared(uint64_t entry)
{
	return entry & ENTRY_PRESENT && entry & ENTRY_UNSHARED && !(entry & ENTRY_FILE);
}

int pagemap_unshared(const struct pagemap *pm, pc_addr start, pc_addr end,
		     uint64_t unshared[PC_UNIT_PAGES / 64])
{
	struct presence p = {.start = start, .bits = unshared};
	uint64_t entry[ENTRIES_BATCH];

	PC_ASSERT(start <= end && end - start <= PC_UNIT);
	memset(unshared, 0, PC_UNIT_PAGES / 8);
	for (pc_addr at = start; at < end; at += ENTRIES_BATCH * PC_PAGE) {
		size_t n = PC_MIN((end - at) >> PC_PAGE_SHIFT, ENTRIES_BATCH);
		long got = sys_pread(pm->fd, entry, n * sizeof(*entry),
				     (at >> PC_PAGE_SHIFT) * sizeof(*entry));

		if (got < 0)
			return (int)got;
		for (size_t i = 0; i < (size_t)got / sizeof(*entry); i++)
			if (is_unshared(entry[i]))
				mark(at + i * PC_PAGE, at + (i + 1) * PC_PAGE, &p);
	}
	return p.count;
}
