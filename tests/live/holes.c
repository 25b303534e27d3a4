/*
 * A program of one thread makes a hole in its memory and maps it again later, at the same address: it can
 * tell that nothing has come to lie there. Meanwhile, as its heap grows, the library begins to manage it.
 */
#include "host.h"

#define HOLE (512 * MIB)
#define HEAP (64 * MIB)

int main(void)
{
	char *hole =
	    mmap(NULL, HOLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *heap, *again;

	HOST_CHECK(hole != MAP_FAILED);
	HOST_CHECK(munmap(hole, HOLE) == 0);
	heap = sbrk(HEAP + PAGE);
	HOST_CHECK(heap != (void *)-1);
	heap += -(uintptr_t)heap % PAGE;
	host_turn_cold(heap, HEAP, 1);
	again = mmap(hole, HOLE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	HOST_CHECK(again == hole);
	HOST_CHECK(host_same(heap, HEAP, 1));
	return 0;
}
