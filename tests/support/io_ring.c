#include "io_ring.h"

#include "live/host.h"

#include <sys/syscall.h>
#include <sys/uio.h>

static size_t rings_bytes(const struct io_ring *r)
{
	return r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
}

bool io_ring_open(struct io_ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 1, &r->p);
	if (r->fd < 0)
		return false;
	HOST_CHECK(r->p.features & IORING_FEAT_SINGLE_MMAP);
	r->rings = mmap(NULL, rings_bytes(r), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqe =
	    mmap(NULL, sizeof(*r->sqe), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	HOST_CHECK(r->rings != MAP_FAILED && (void *)r->sqe != MAP_FAILED);
	return true;
}

int io_ring_pin(struct io_ring *r, void *at, size_t len)
{
	struct iovec pinned = {at, len};

	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &pinned, 1) ? -errno
											  : 0;
}

static void wait_for_result(struct io_ring *r, unsigned submit)
{
	long n;

	do {
		n = syscall(SYS_io_uring_enter, r->fd, submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		submit = n > 0 ? 0 : submit;
	} while (n < 0 && errno == EINTR);
	HOST_CHECK(n >= 0);
}

int io_ring_do(struct io_ring *r, struct io_uring_sqe sqe)
{
	uint32_t *tail = (uint32_t *)(void *)(r->rings + r->p.sq_off.tail);
	uint32_t *head = (uint32_t *)(void *)(r->rings + r->p.cq_off.head);
	uint32_t *cq_tail = (uint32_t *)(void *)(r->rings + r->p.cq_off.tail);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(void *)(r->rings + r->p.cq_off.cqes);
	int result;

	*r->sqe = sqe;
	((uint32_t *)(void *)(r->rings + r->p.sq_off.array))[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	wait_for_result(r, 1);
	while (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *head)
		wait_for_result(r, 0);
	result = cqes[*head % r->p.cq_entries].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

void io_ring_close(struct io_ring *r)
{
	munmap(r->rings, rings_bytes(r));
	munmap(r->sqe, sizeof(*r->sqe));
	close(r->fd);
}
