#include "kernel/pagemap.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/sys.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <fcntl.h>

/* Bits of an entry: Documentation/admin-guide/mm/pagemap.rst. */
#define ENTRY_DIRTIED	(1ull << 55)
#define ENTRY_EXCLUSIVE (1ull << 56)
#define ENTRY_PROTECTED (1ull << 57)
#define ENTRY_FILE	(1ull << 61)
#define ENTRY_SWAPPED	(1ull << 62)
#define ENTRY_PRESENT	(1ull << 63)
#define ENTRIES		256u /* read at a time */

int pagemap_open(struct pagemap *pm, enum pagemap_way way)
{
	/* The thread's own: the leader's is empty once main() has left by pthread_exit(). */
	long fd = sys_open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);

	pm->fd = fd < 0 ? -1 : (int)fd;
	pm->way = way;
	return fd < 0 ? (int)fd : 0;
}

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

/* Pages whose entries have, of the bits in `mask`, exactly those in `want`. */
static int read_entries(const struct pagemap *pm, pc_addr start, pc_addr end, uint64_t mask,
			uint64_t want, region_fn *fn, void *arg)
{
	uint64_t entry[ENTRIES];

	while (start < end) {
		size_t bytes = PC_MIN((end - start) / PC_PAGE, ENTRIES) * sizeof(*entry);
		long n = sys_pread(pm->fd, entry, bytes, start / PC_PAGE * sizeof(*entry));

		if (n < 0)
			return (int)n;
		if (n != (long)bytes)
			return -EIO;
		for (size_t i = 0; i < bytes / sizeof(*entry); i++, start += PC_PAGE)
			if ((entry[i] & mask) == want)
				fn(start, start + PC_PAGE, arg);
	}
	return 0;
}

static int each_present(const struct pagemap *pm, pc_addr start, pc_addr end, region_fn *fn,
			void *arg)
{
	if (pm->way == PAGEMAP_SCANNED)
		return scan(pm, start, end, fn, arg);
	return read_entries(pm, start, end, ENTRY_PRESENT | ENTRY_FILE | ENTRY_SWAPPED,
			    ENTRY_PRESENT, fn, arg);
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
	err = each_present(pm, start, end, mark, &p);
	return err ? err : p.count;
}

static int mark_entries(const struct pagemap *pm, pc_addr start, pc_addr end, uint64_t mask,
			uint64_t want, uint64_t bits[PC_UNIT_PAGES / 64])
{
	struct presence p = {.start = start, .bits = bits};
	int err;

	PC_ASSERT(start <= end && end - start <= PC_UNIT);
	memset(bits, 0, PC_UNIT_PAGES / 8);
	err = read_entries(pm, start, end, mask, want, mark, &p);
	return err ? err : p.count;
}

static int scan_occupied(const struct pagemap *pm, pc_addr page)
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

	return (int)sys_ioctl(pm->fd, PAGEMAP_SCAN, &a);
}

/* 1 where the entry has one of these bits, 0, -errno. */
static int entry_has(const struct pagemap *pm, pc_addr page, uint64_t bits)
{
	uint64_t entry;
	long n = sys_pread(pm->fd, &entry, sizeof(entry), page / PC_PAGE * sizeof(entry));

	if (n != sizeof(entry))
		return n < 0 ? (int)n : -EIO;
	return (entry & bits) != 0;
}

int pagemap_occupied(const struct pagemap *pm, pc_addr page)
{
	if (pm->way == PAGEMAP_SCANNED)
		return scan_occupied(pm, page);
	return entry_has(pm, page, ENTRY_PRESENT | ENTRY_SWAPPED);
}

int pagemap_dirtied(const struct pagemap *pm, pc_addr page)
{
	return entry_has(pm, page, ENTRY_DIRTIED);
}

static void count(pc_addr start, pc_addr end, void *arg)
{
	int64_t *pages = arg;

	*pages += (int64_t)((end - start) >> PC_PAGE_SHIFT);
}

int64_t pagemap_count(const struct pagemap *pm, pc_addr start, pc_addr end)
{
	int64_t pages = 0;
	int err = each_present(pm, start, end, count, &pages);

	return err ? err : pages;
}

int pagemap_unshared(const struct pagemap *pm, pc_addr start, pc_addr end,
		     uint64_t unshared[PC_UNIT_PAGES / 64])
{
	const uint64_t want = ENTRY_PRESENT | ENTRY_EXCLUSIVE;

	return mark_entries(pm, start, end, want | ENTRY_FILE, want, unshared);
}

int pagemap_protected(const struct pagemap *pm, pc_addr start, pc_addr end,
		      uint64_t protected[PC_UNIT_PAGES / 64])
{
	const uint64_t want = ENTRY_PRESENT | ENTRY_EXCLUSIVE | ENTRY_PROTECTED;

	return mark_entries(pm, start, end, want | ENTRY_FILE | ENTRY_SWAPPED, want, protected);
}
