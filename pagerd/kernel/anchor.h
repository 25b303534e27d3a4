/*
 * anchor.h - keeps the userfaultfd alive until the last thread of the program has left its memory.
 *
 * WHY   When a process dies, the kernel may release the pager's descriptor table while another
 *       thread is still inside write(2) with an evicted buffer; the closed userfaultfd then turns
 *       absent pages into zeros, and zeros go out into the world: measured in 36 % of exits and
 *       2 % of kills (hazard finding 2).
 * DESIGN  A mapping is released only with the address space, after the last thread has left it. So
 *       the file is registered with an io_uring whose ring is mapped, and the ring's descriptor is
 *       closed: mapping -> ring -> registered file. The mapping is MADV_DONTFORK: a child has
 *       pages of its own.
 *
 *       The kernel alone says where a ring is mapped, so it may lie where the program has made a
 *       hole, and maps something of its own later: that is not ours to unmap. The ring is known
 *       by its inode, and what is no longer mapped no longer holds anything.
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_ANCHOR_H
#define PC_KERNEL_ANCHOR_H

#include "base/types.h"

struct anchor {
	void *ring; /* NULL when nothing is anchored */
	size_t bytes;
	uint64_t inode;
};

/* `maps` is an open /proc/.../maps of this process. */
int anchor_hold(struct anchor *a, int fd, int maps); /* 0, or -errno: nothing is held then */
void anchor_drop(struct anchor *a, int maps);	     /* only once nothing is packed or staged */
int anchor_probe(void);			   /* 0 if anchor_hold can work here, else -errno */

#endif
