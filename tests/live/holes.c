/*
 * A program of one thread makes a hole in its memory and maps it again later, at the same address: it can
 * tell that nothing has come to lie there. Meanwhile, as its heap grows, the library begins to manage it.
 * The small hole above it, which the kernel fills first, is for the library's ring: see kernel/anchor.h.
 */
#include "host.h"

#define SMALL (16 * PAGE)
#define HOLE  (512 * MIB)
#define HEAP  (64 * MIB)

static char *reserve(char *at, size_t len, int how)
{
	return mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0);
}

int main(void)
{
	char *small = reserve(NULL, SMALL, 0), *hole = reserve(NULL, HOLE, 0), *heap;

	HOST_CHECK(small != MAP_FAILED && hole != MAP_FAILED);
	HOST_CHECK(munmap(small, SMALL) == 0);
	HOST_CHECK(munmap(hole, HOLE) == 0);
	heap = sbrk(HEAP + PAGE);
	HOST_CHECK(heap != (void *)-1);
	heap += -(uintptr_t)heap % PAGE;
	host_turn_cold(heap, HEAP, 1);
	HOST_CHECK(reserve(hole, HOLE, MAP_FIXED_NOREPLACE) == hole);
	HOST_CHECK(host_same(heap, HEAP, 1));
	return 0;
}
