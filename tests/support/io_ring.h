/*
 * io_ring.h - an io_uring of one entry, by hand: liburing may not be there.
 */
#ifndef PC_TEST_IO_RING_H
#define PC_TEST_IO_RING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	struct io_uring_sqe *sqe;
};

/* False where the kernel has none for us. */
bool io_ring_open(struct io_ring *r);
/* Pins [at, at + len) as registered buffer 0. 0 or -errno. */
int io_ring_pin(struct io_ring *r, void *at, size_t len);
/* Submits one request and waits for its result. */
int io_ring_do(struct io_ring *r, struct io_uring_sqe sqe);
void io_ring_close(struct io_ring *r);

#endif
