/*
 * brief FILE: lives for some milliseconds, and nothing that it touches is still mapped at its end.
 * 512 pages of each: memory in order, the file in the same place two pages at a step, and the heap
 * backwards.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  4096ul
#define PAGES 512ul
#define BYTES (2 * PAGES * PAGE)

static char *map(char *at, int fd)
{
	const int flags = MAP_PRIVATE | (at ? MAP_FIXED : 0) | (fd < 0 ? MAP_ANONYMOUS : 0);
	char *p = mmap(at, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED || madvise(p, BYTES, MADV_NOHUGEPAGE) ||
	    madvise(p, BYTES, MADV_RANDOM)) {
		perror("brief");
		_exit(1);
	}
	return p;
}

static void touch(char *p, unsigned long step)
{
	for (unsigned long i = 0; i < PAGES; i++)
		p[i * step * PAGE] = 1;
}

int main(int argc, char **argv)
{
	const int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	char *p = map(NULL, -1), *heap = sbrk((long)BYTES);

	if (fd < 0 || heap == (void *)-1)
		return 1;
	touch(p, 1);
	munmap(p, BYTES);
	touch(map(p, fd), 2);
	munmap(p, BYTES);
	for (unsigned long i = PAGES; i-- > 0;)
		heap[i * PAGE] = 1;
	if (sbrk(-(long)BYTES) == (void *)-1)
		return 1;
	_exit(0);
}
