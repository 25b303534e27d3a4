/*
 * uffd.h - owns the userfaultfd: the way in which bytes enter and leave the program's memory. For
 * EVICT=madvise they leave by peek.h.
 *
 * RETURNS What the caller must branch on is an enum uffd_result; `done` counts bytes.
 * LAWS
 *   - move and copy are refused by the kernel (UFFD_AGAIN) while a layout event is pending, that is
 *     from the start of the program's call until its thread has run on after our read of the event.
 *   - reading an event is its acknowledgement: the program may run on before read returns. So events
 *     are read only inside the closed layout gate (flow/fault.c).
 *   - MOVE does not check that the *source* is registered: the caller's table must be right.
 *   - register and unregister are never refused: they act on whatever lies there by now.
 *   - a hole in the source is an error (UFFD_GONE), never silently moved as a hole: a page that
 *     vanished from staging must not come back as zeros.
 *   - never more than UFFD_MOVE_MAX in a call, source and destination mis-aligned to each other
 *     mod 2 MiB, so that the kernel's huge-page path is never taken (hazard N4).
 * THREADS any pager thread; each call is one ioctl or read.
 */
#ifndef PC_KERNEL_UFFD_H
#define PC_KERNEL_UFFD_H

#include "base/types.h"

#define UFFD_MOVE_MAX (1ull << 20)

enum uffd_result {
	UFFD_DONE,
	UFFD_AGAIN,   /* a layout event is pending: read events, look everything up again */
	UFFD_EXISTS,  /* the page is there already */
	UFFD_GONE,    /* no registered mapping there (ENOENT), or the process is dying (ESRCH) */
	UFFD_BUSY,    /* pinned, shared with a child or by KSM */
	UFFD_INVALID, /* protection, locking or kind differs */
	UFFD_NOMEM,
	UFFD_FAILED,  /* anything else; *error has it */
};

enum uffd_event_kind { UFFD_FAULT, UFFD_UNMAP, UFFD_REMAP, UFFD_REMOVE, UFFD_UNKNOWN };

struct uffd_event {
	enum uffd_event_kind kind;
	pc_addr start, end; /* FAULT: the page; UNMAP, REMOVE: the range; REMAP: the old range */
	pc_addr to;         /* REMAP: where it went */
	bool write, wp, minor;
	uint32_t thread; /* FAULT: who waits, 0 if unknown */
};

struct uffd {
	int fd; /* -1 when closed */
	bool thread_id;
	bool protects; /* what it registers can be write-protected */
	bool silent;   /* of what it registers nobody is told anything */
};

/* 0 or -errno; features: the three layout events, THREAD_ID where there */
int uffd_open(struct uffd *u);
/*
 * The same for protecting instead of moving: without reports of discards, for the pager discards
 * the program's pages itself, and would have to read its own report.
 */
int uffd_open_protecting(struct uffd *u);
/*
 * The same for memory of the pager that pages are moved into, and that is used, emptied and filled
 * meanwhile as if it were not registered. Where write protection is unknown it is refused.
 */
int uffd_open_silent(struct uffd *u);
void uffd_close(struct uffd *u); /* only once nothing is packed or staged (hazard D3) */

int uffd_register(const struct uffd *u, pc_addr start, pc_addr end);
int uffd_unregister(const struct uffd *u, pc_addr start, pc_addr end);
void uffd_wake(const struct uffd *u, pc_addr start, pc_addr end);

/*
 * *done: bytes moved or copied from the start, honoured whatever the result. A move that was refused
 * may have done more than it says (flow/move.h).
 */
enum uffd_result uffd_move(const struct uffd *u, pc_addr to, pc_addr from, uint64_t len,
			   uint64_t *done, int *error);
enum uffd_result uffd_copy(const struct uffd *u, pc_addr to, const void *from, uint64_t len,
			   bool wake, uint64_t *done, int *error);
enum uffd_result uffd_zero(const struct uffd *u, pc_addr to, uint64_t len);

/*
 * Present pages of [start, end), which lie in registered memory: from now on a write waits and is
 * reported (wp); or no longer, and who waits is woken.
 */
enum uffd_result uffd_protect(const struct uffd *u, pc_addr start, pc_addr end);
enum uffd_result uffd_unprotect(const struct uffd *u, pc_addr start, pc_addr end);

/*
 * A layout event is pending: the layout may not be what the table says. Inside the layout gate
 * "no" holds for all that was done before the question.
 */
bool uffd_pending(const struct uffd *u);

/* Reads one message without waiting: 1 if there was one, 0 if not, -errno. */
int uffd_read(const struct uffd *u, struct uffd_event *out);

#endif
