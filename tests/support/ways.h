/*
 * ways.h - one system call, three ways to make it: libc's function, libc's syscall(), and the bare
 * instruction that no library can stand in front of.
 *
 * RETURNS as the kernel does: -errno on failure. Calls of WAY_LIBC that it has no function for here
 * are made by number.
 */
#ifndef PC_TEST_WAYS_H
#define PC_TEST_WAYS_H

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum way { WAY_LIBC, WAY_NUMBER, WAY_BARE, WAYS };

static inline long bare6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long by_libc(long nr, long a, long b, long c, long d, long e, long f)
{
	switch (nr) {
	case SYS_mmap:
		return (long)mmap((void *)a, (size_t)b, (int)c, (int)d, (int)e, f);
	case SYS_munmap:
		return munmap((void *)a, (size_t)b);
	case SYS_mprotect:
		return mprotect((void *)a, (size_t)b, (int)c);
	case SYS_madvise:
		return madvise((void *)a, (size_t)b, (int)c);
	case SYS_mremap:
		return (long)mremap((void *)a, (size_t)b, (size_t)c, (int)d, (void *)e);
	case SYS_mlock:
		return mlock((const void *)a, (size_t)b);
	case SYS_munlock:
		return munlock((const void *)a, (size_t)b);
	default:
		return syscall(nr, a, b, c, d, e, f);
	}
}

static inline long call6(enum way way, long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	if (way == WAY_BARE)
		return bare6(nr, a, b, c, d, e, f);
	ret = way == WAY_LIBC ? by_libc(nr, a, b, c, d, e, f) : syscall(nr, a, b, c, d, e, f);
	return ret == -1 ? -errno : ret;
}

#define CALL(way, nr, a, b, c, d, e, f)                                                            \
	call6(way, nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
