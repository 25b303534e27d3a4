/*
 * pagemap.h - which pages are there, and whose. Asks the page tables, touches nothing.
 *
 * DESIGN  By PAGEMAP_SCAN where the kernel has it, else by the file's entries, one 64-bit word a
 *         page. Which pages are write-protected is always read from there.
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_PAGEMAP_H
#define PC_KERNEL_PAGEMAP_H

#include "base/types.h"

#define PAGEMAP_BATCH 64u

enum pagemap_way { PAGEMAP_SCANNED, PAGEMAP_READ };

struct pagemap {
	int fd; /* /proc/thread-self/pagemap */
	enum pagemap_way way;
};

int pagemap_open(struct pagemap *pm, enum pagemap_way way); /* 0 or -errno */

/*
 * Sets bit i of present[] for each page i of [start, end) that is in memory and private anonymous
 * (not swapped out, not of a file); end - start <= PC_UNIT. Returns their number or -errno.
 */
int pagemap_present(const struct pagemap *pm, pc_addr start, pc_addr end,
		    uint64_t present[PC_UNIT_PAGES / 64]);

/*
 * The same for pages that no other process maps. What was shared with a child that has gone is such
 * a page, though the kernel goes on treating it as shared until it is written to.
 */
int pagemap_unshared(const struct pagemap *pm, pc_addr start, pc_addr end,
		     uint64_t unshared[PC_UNIT_PAGES / 64]);

/*
 * 1 where the page table has something at `page`: a page in memory, swapped out, or on its way
 * elsewhere; 0 where it has nothing; -errno.
 */
int pagemap_occupied(const struct pagemap *pm, pc_addr page);

/*
 * 1 where the page's soft-dirty bit is set, which it is in all of a mapping that was made since the
 * program last cleared those bits; 0 where not, and where the kernel has none; -errno.
 */
int pagemap_dirtied(const struct pagemap *pm, pc_addr page);

/*
 * The same for pages that are in memory, private anonymous, of this process alone, and
 * write-protected through a userfaultfd: nobody has written to them since they became so.
 */
int pagemap_protected(const struct pagemap *pm, pc_addr start, pc_addr end,
		      uint64_t protected[PC_UNIT_PAGES / 64]);

/* Number of present pages in [start, end), any length, or -errno. */
int64_t pagemap_count(const struct pagemap *pm, pc_addr start, pc_addr end);

#endif
