#include "kernel/anchor.h"

#include "base/mem.h"
#include "base/sys.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

static long ring_register(int ring, int fd)
{
	int32_t files[1] = {fd};

	return SYS4(__NR_io_uring_register, ring, IORING_REGISTER_FILES, files, 1);
}

/* Maps the ring, for this process alone. */
static long ring_map(int ring, const struct io_uring_params *params, struct anchor *a)
{
	const size_t bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	struct stat st;
	long at, err;

	err = SYS2(__NR_fstat, ring, &st);
	if (err)
		return err;
	at = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		      IORING_OFF_SQ_RING);
	if (at < 0)
		return at;
	err = sys_madvise((pc_addr)at, bytes, MADV_DONTFORK);
	if (err) {
		sys_munmap((void *)at, bytes);
		return err;
	}
	a->ring = (void *)at;
	a->bytes = bytes;
	a->inode = st.st_ino;
	return 0;
}

int anchor_hold(struct anchor *a, int fd)
{
	struct io_uring_params params;
	long ring, err;

	*a = (struct anchor){0};
	memset(&params, 0, sizeof(params));
	ring = SYS2(__NR_io_uring_setup, 1, &params);
	if (ring < 0)
		return (int)ring;
	err = ring_register((int)ring, fd);
	if (!err)
		err = ring_map((int)ring, &params, a);
	/* The mapping keeps the ring; without one, this ends it. */
	sys_close((int)ring);
	return (int)err;
}

void anchor_drop(struct anchor *a)
{
	if (a->ring)
		sys_munmap(a->ring, a->bytes);
	*a = (struct anchor){0};
}

bool anchor_holds(const struct anchor *a, vma_lookup *lookup, int maps_fd)
{
	struct vma v;

	return !lookup(maps_fd, (pc_addr)a->ring, &v) && v.start == (pc_addr)a->ring &&
	       v.end == v.start + page_ceil(a->bytes) && v.shared && v.inode == a->inode;
}

int anchor_probe(void)
{
	long fd = SYS2(__NR_eventfd2, 0, EFD_CLOEXEC);
	struct anchor a;
	int err;

	if (fd < 0)
		return (int)fd;
	err = anchor_hold(&a, (int)fd);
	if (!err)
		anchor_drop(&a);
	sys_close((int)fd);
	return err;
}
