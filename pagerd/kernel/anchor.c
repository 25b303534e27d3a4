#include "kernel/anchor.h"

#include "base/mem.h"
#include "base/sys.h"
#include "kernel/vma.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

static long ring_register(int ring, int fd)
{
	int32_t files[1] = {fd};

	return SYS4(__NR_io_uring_register, ring, IORING_REGISTER_FILES, files, 1);
}

/* The inode of what is mapped there now and shared; 0: nothing is. */
static long shared_inode(int maps, const void *at, uint64_t *inode)
{
	struct vma v;
	long err = vma_query(maps, (pc_addr)at, &v);

	if (err)
		err = vma_search(maps, (pc_addr)at, &v);
	*inode = !err && v.shared ? v.inode : 0;
	return err;
}

/* Maps the ring, for this process alone. */
static long ring_map(int ring, const struct io_uring_params *params, int maps, struct anchor *a)
{
	const size_t bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	long at, err;

	at = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		      IORING_OFF_SQ_RING);
	if (at < 0)
		return at;
	err = sys_madvise((pc_addr)at, bytes, MADV_DONTFORK);
	if (!err)
		err = shared_inode(maps, (void *)at, &a->inode);
	if (err) {
		sys_munmap((void *)at, bytes);
		return err;
	}
	a->ring = (void *)at;
	a->bytes = bytes;
	return 0;
}

int anchor_hold(struct anchor *a, int fd, int maps)
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
		err = ring_map((int)ring, &params, maps, a);
	/* The mapping keeps the ring; without one, this ends it. */
	sys_close((int)ring);
	return (int)err;
}

void anchor_drop(struct anchor *a, int maps)
{
	uint64_t inode;

	if (a->ring && !shared_inode(maps, a->ring, &inode) && inode == a->inode)
		sys_munmap(a->ring, a->bytes);
	*a = (struct anchor){0};
}

static int try_anchor(int fd, int maps)
{
	struct anchor a;
	int err = anchor_hold(&a, fd, maps);

	if (!err)
		anchor_drop(&a, maps);
	return err;
}

int anchor_probe(void)
{
	long fd = SYS2(__NR_eventfd2, 0, EFD_CLOEXEC), maps, err;

	if (fd < 0)
		return (int)fd;
	maps = sys_open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	err = maps < 0 ? maps : try_anchor((int)fd, (int)maps);
	sys_close((int)maps);
	sys_close((int)fd);
	return (int)err;
}
