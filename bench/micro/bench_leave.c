/*
 * bench_leave - two ways for cold pages to leave where UFFDIO_MOVE is missing: what EVICT=madvise does
 * (protect, copy, discard; flow/shed.h), and mremap(2) with MREMAP_DONTUNMAP, which moves them.
 *
 * An arena is registered with one userfaultfd, as the pager's ranges are. Units of 2 MiB leave, whole
 * or every second 64 KiB of them, as pages do that were touched meanwhile. Printed are the time for a
 * page, and how many mappings each way leaves behind, with those of the moved pages still there.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "timing.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define PAGE  4096ul
#define UNIT  (2ul << 20)
#define UNITS 32ul

static int uffd, mem;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static char *map(size_t len)
{
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED, "mmap");
	return at;
}

static unsigned mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned lines = 0;
	int c;

	must(f != NULL, "/proc/self/maps");
	while ((c = fgetc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

static void protect(char *at, size_t len, uint64_t mode)
{
	struct uffdio_writeprotect w = {{(uintptr_t)at, len}, mode};

	must(ioctl(uffd, UFFDIO_WRITEPROTECT, &w) == 0, "UFFDIO_WRITEPROTECT");
}

static void shed(char *at, size_t len, char *to)
{
	protect(at, len, UFFDIO_WRITEPROTECT_MODE_WP);
	must(pread(mem, to, len, (off_t)(uintptr_t)at) == (ssize_t)len, "/proc/self/mem");
	must(madvise(at, len, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	protect(at, len, 0);
}

static void move(char *at, size_t len, char *to)
{
	must(mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to,
	     "mremap");
}

struct way {
	const char *name;
	void (*leave)(char *at, size_t len, char *to);
};

static void measure(const struct way *way, const char *what, size_t run, size_t stride)
{
	const size_t arena = UNITS * UNIT, pages = arena / stride * run / PAGE;
	char *from = map(arena), *to = map(arena);
	struct uffdio_register reg = {.range = {(uintptr_t)from, arena},
				      .mode =
					  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
	unsigned had;
	uint64_t begun;

	madvise(from, arena, MADV_NOHUGEPAGE);
	madvise(to, arena, MADV_NOHUGEPAGE);
	memset(from, 1, arena);
	memset(to, 2, arena); /* a staging area's pages are there */
	must(ioctl(uffd, UFFDIO_REGISTER, &reg) == 0, "UFFDIO_REGISTER");
	had = mappings();
	begun = now();
	for (size_t at = 0; at < arena; at += stride)
		way->leave(from + at, run, to + at);
	begun = now() - begun;
	printf("%-30s%-28s%12.2f%12d\n", way->name, what,
	       (double)begun / 1000 / (double)pages,
	       (int)mappings() - (int)had);
	munmap(from, arena);
	munmap(to, arena);
}

int main(void)
{
	static const struct way ways[] = {{"protect, copy, discard", shed},
					  {"mremap(MREMAP_DONTUNMAP)", move}};
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	must(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0, "userfaultfd");
	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	must(mem >= 0, "/proc/self/mem");
	printf("%-30s%-28s%12s%12s\n", "way", "what leaves", "us a page", "mappings");
	for (size_t w = 0; w < 2; w++) {
		measure(&ways[w], "units of 2 MiB", UNIT, UNIT);
		measure(&ways[w], "every second 64 KiB", 64 << 10, 128 << 10);
		measure(&ways[w], "every second page", PAGE, 2 * PAGE);
	}
	return 0;
}
