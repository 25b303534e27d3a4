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
 *       The kernel takes no advice where the mapping is to lie. So it may lie in a hole that a
 *       program of one thread makes and maps again later, over it: who drops it asks first whether
 *       it is still there, and who keeps it looks now and then.
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_ANCHOR_H
#define PC_KERNEL_ANCHOR_H

#include "base/types.h"
#include "kernel/vma.h"

struct anchor {
	void *ring; /* NULL when nothing is anchored */
	size_t bytes;
	uint64_t inode; /* of the ring, as /proc/PID/maps shows it */
};

int anchor_hold(struct anchor *a, int fd); /* 0, or -errno: nothing is held then */
void anchor_drop(struct anchor *a);	   /* only once nothing is packed or staged */
/* False once something else lies there, or nothing: forget it then, and drop nothing. */
bool anchor_holds(const struct anchor *a, vma_lookup *lookup, int maps_fd);
int anchor_probe(void);			   /* 0 if anchor_hold can work here, else -errno */

#endif
