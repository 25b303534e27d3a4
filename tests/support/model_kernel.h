/*
 * model_kernel.h - a kernel for one address space: mappings, pages, userfaultfd, and their order.
 *
 * WHY   What the pager must never do shows only when the kernel does what it may do: refuse while
 *       an event is pending, deliver a fault before the event that explains it, discard long after
 *       the discard was reported, stop half way. A real kernel does so rarely and never twice.
 * DESIGN  The program's address space is MODEL_UNITS units at MODEL_BASE, which is no memory of
 *       this process: the pager never looks there but through ioctls. Each page has attributes; a
 *       mapping is a run of pages with equal ones, so what splits and merges mappings in a kernel
 *       does so here. Staging is real memory, of which the model notes what is present.
 *
 *       sys_call() and the few calls of sys.c that bypass it are replaced at link time. The
 *       program's actors call model_*(), which block where the kernel's calls do:
 *
 *         munmap, mmap over, mremap   the change, then an event each; the call waits for its read
 *         discard                     an event, then (later!) the discard
 *         touch                       a fault, if the page is absent and registered
 *
 *       From the start of a change until its caller has run on after the read, `changing` makes
 *       COPY, ZEROPAGE, MOVE and WRITEPROTECT fail with EAGAIN. A change waits for ioctls that are
 *       under way.
 *
 *       A userfaultfd that was opened to protect reports no discard. A write to a protected page is
 *       a fault; the pager reads pages through /proc/PID/mem and discards them itself. Frames have
 *       numbers, so that what a device or a debugger writes to one that is no page any more is
 *       lost, as it would be.
 *
 *       A famine begins once as many pages as it will take have been laid by, moved from staging to
 *       staging. From then on COPY has no memory, where a move would do, until they have come in.
 * FROM  fs/userfaultfd.c, mm/userfaultfd.c, mm/mremap.c, mm/madvise.c of Linux 6.12 to 6.18.
 */
#ifndef PC_TEST_MODEL_KERNEL_H
#define PC_TEST_MODEL_KERNEL_H

#include "base/types.h"

#define MODEL_BASE  0x100000000000ull
#define MODEL_UNITS 4u
#define MODEL_PAGES (MODEL_UNITS * PC_UNIT_PAGES)
#define MODEL_UFFD  40
#define MODEL_MAPS  41
#define MODEL_SMAPS 42
#define MODEL_MAP   43 /* pagemap */
#define MODEL_MEM   44 /* mem */
#define MODEL_NUDGE 45 /* and up: eventfds */

/* Laws that a model kernel may be told to break, to prove that the simulator notices. */
enum model_law {
	LAW_NONE,
	LAW_REFUSE_WHILE_CHANGING, /* COPY, ZEROPAGE, MOVE are EAGAIN while an event is pending */
	LAW_REPORT_UNMAP,
	LAW_REPORT_REMAP,
	LAW_REPORT_REMOVE,
	LAW_KEEP_PRESENT, /* COPY and MOVE onto a present page are EEXIST */
	LAW_MOVE_ALL,	  /* MOVE reports no more than it moved */
	LAW_WAKE,	  /* COPY, MOVE and the end of a protection wake who waits for the page */
	LAW_PROTECT,	  /* a write to a protected page waits */
	LAW_COUNT
};

struct model_odds { /* one in so many; 0 never */
	unsigned nomem, partial, busy, interrupt;
	unsigned linger; /* a pager that has read a fault loses its CPU before it looks further */
	unsigned famine; /* pages that must come in without memory before there is any again */
	unsigned gap;	 /* switches between the report of a discard and the discard, at most */
	unsigned forgets; /* from one page on MOVE goes on, but answers EEXIST: Linux 6.18 */
};

/* What the program's side wants to know, told at the moment in which it becomes true. */
struct model_watch {
	/* Is it the caller's to change? Else the call comes back with -EPERM, and nothing was done.
	 */
	bool (*allowed)(unsigned first, unsigned end);
	void (*mapped)(unsigned first, unsigned end);
	void (*unmapped)(unsigned first, unsigned end);
	void (*moved)(unsigned from, unsigned to, unsigned pages);
	void (*discarded)(unsigned page);
};

void model_begin(void *staging, size_t staging_bytes, const struct model_watch *watch,
		 const struct model_odds *odds, enum model_law broken);
/* The userfaultfd is one of uffd_open_protecting(): it protects, and discards are not reported. */
void model_open_protecting(void);
/* The userfaultfd's last reference goes: nothing is registered any more, everybody runs on. */
void model_close(void);

static inline pc_addr model_addr(unsigned page)
{
	return MODEL_BASE + (pc_addr)page * PC_PAGE;
}

/*
 * The races that the kernel's interface leaves open. UNREGISTER is not refused while an event is
 * pending: two calls of the program between the pager's question and its UNREGISTER can bring
 * memory with packed pages to those addresses. Touched before the pager has registered it again, a
 * page is zeros; so is it to a child, for MADV_DOFORK came before. Nor is MADV_DONTNEED refused: what
 * the program maps, behind the hooks, between the pager's question and its discard is destroyed. True
 * if one of them has happened in this run: what is read then means nothing.
 */
bool model_spoilt(void);

/* ---- the program's calls; pages are numbered from MODEL_BASE on. 0 or -errno ---- */

enum model_prot { MODEL_NONE = 0, MODEL_READ = 1, MODEL_WRITE = 2, MODEL_RW = 3 };

int model_mmap(unsigned first, unsigned end, unsigned kind); /* over whatever is there */
int model_munmap(unsigned first, unsigned end);
/* [first, end) goes to `to`, whatever is there, and has `pages` there. */
int model_mremap(unsigned first, unsigned end, unsigned to, unsigned pages, bool keep_old);
int model_grow(unsigned end, unsigned pages); /* the mapping that ends there, in place */
/* `*done`: pages before it have been discarded; follows the call. */
int model_discard(unsigned first, unsigned end, unsigned *done);
int model_mprotect(unsigned first, unsigned end, enum model_prot prot);
/* MADV_DONTFORK, or MADV_DOFORK, of the program's. */
int model_keep(unsigned first, unsigned end, bool on);
/* The bytes of the page, until the next switch; NULL where a program would get a signal. */
uint8_t *model_touch(unsigned page, bool write);
void model_pin(unsigned page, pc_ns how_long);
void model_unpin(unsigned page);
/* The memory that a present page is in, which a device writes to wherever the page has gone; 0
 * none. */
uint64_t model_frame(unsigned page);
/* A write to /proc/PID/mem: from begin, unless that is 0, to end no mapping changes. */
uint64_t model_mem_begin(unsigned page);
void model_mem_end(void);

bool model_mapped(unsigned page);
/* A child of a fork now has the page: as it is here if it is present, else zeros. */
bool model_child_has(unsigned page);
bool model_present(unsigned page);
/* One mapping as the program made it, of which a part is registered and a part is not. */
bool model_is_cut(unsigned first, unsigned end);
/* The mapping that the page lies in. */
void model_mapping(unsigned page, unsigned *first, unsigned *end);
/* Bytes of a present page, NULL for an absent one; no fault, no switch. */
const uint8_t *model_peek(unsigned page);
/* The same to write to, for who has found the page's memory before. */
uint8_t *model_poke(unsigned page);

#endif
