/*
 * sys.h - every system call the pager makes. Raw: no libc, no errno, no cancellation points.
 *
 * WHY   The pager runs beside code it does not know, on threads libc has not heard of, at moments
 *       when libc's own memory may be packed. So it calls the kernel itself.
 * DESIGN  One function, sys_call(), holds the only `syscall` instruction but for thread creation;
 *       the typed calls below wrap it. Tests replace it at link time (--wrap=sys_call) to fail the
 *       k-th call or to play a kernel of their own.
 * RETURNS Every call: >= 0 on success, -errno on failure.
 */
#ifndef PC_BASE_SYS_H
#define PC_BASE_SYS_H

#include <stdint.h>
#include <stddef.h>

#include "base/types.h"

#include <asm/unistd.h>

long sys_call(long nr, long a, long b, long c, long d, long e, long f);

/*
 * Starts fn(arg) on a thread of this process that libc does not know: shares memory, descriptors,
 * signal handlers and the directory; blocks no signals of its own accord (do that first: the mask
 * is inherited). `tls` becomes its thread pointer. The kernel clears *tid and wakes it when the
 * thread has gone. Returns the thread's id or -errno.
 */
long sys_thread(int (*fn)(void *), void *arg, void *stack_top, void *tls, uint32_t *tid);

_Noreturn void sys_exit_thread(int status);
_Noreturn void sys_exit_group(int status);

/* clang-format off */
#define SYS1(nr, a)                sys_call(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)             sys_call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)          sys_call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d)       sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS6(nr, a, b, c, d, e, f) sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* clang-format on */

struct timespec;
struct pollfd;

static inline long sys_mmap(void *at, size_t len, int prot, int flags, int fd, long off)
{
	return SYS6(__NR_mmap, at, len, prot, flags, fd, off);
}
static inline long sys_munmap(void *at, size_t len)
{
	return SYS2(__NR_munmap, at, len);
}
static inline long sys_mprotect(void *at, size_t len, int prot)
{
	return SYS3(__NR_mprotect, at, len, prot);
}
static inline long sys_madvise(pc_addr at, size_t len, int advice)
{
	return SYS3(__NR_madvise, at, len, advice);
}
static inline long sys_open(const char *path, int flags)
{
	return SYS4(__NR_openat, -100 /* AT_FDCWD */, path, flags, 0);
}
static inline long sys_close(int fd)
{
	return SYS1(__NR_close, fd);
}
static inline long sys_read(int fd, void *buf, size_t n)
{
	return SYS3(__NR_read, fd, buf, n);
}
static inline long sys_pread(int fd, void *buf, size_t n, uint64_t off)
{
	return SYS4(__NR_pread64, fd, buf, n, off);
}
static inline long sys_write(int fd, const void *buf, size_t n)
{
	return SYS3(__NR_write, fd, buf, n);
}
static inline long sys_ioctl(int fd, unsigned long request, void *arg)
{
	return SYS3(__NR_ioctl, fd, request, arg);
}
static inline long sys_poll(struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	return SYS6(__NR_ppoll, fds, n, timeout, 0, 0, 0);
}
static inline long sys_gettid(void)
{
	return sys_call(__NR_gettid, 0, 0, 0, 0, 0, 0);
}
static inline long sys_getpid(void)
{
	return sys_call(__NR_getpid, 0, 0, 0, 0, 0, 0);
}
static inline long sys_yield(void)
{
	return sys_call(__NR_sched_yield, 0, 0, 0, 0, 0, 0);
}

/* Sleeps while *word == value, at most `timeout` (0: for ever). Private to the process. */
long sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
/* The same on a word that other processes map too. */
long sys_futex_wait_shared(uint32_t *word, uint32_t value, pc_ns timeout);
long sys_futex_wake(uint32_t *word, int waiters);
long sys_futex_wake_shared(uint32_t *word, int waiters);
/* Nobody wakes it; a signal may end it early. */
static inline void sys_nap(pc_ns how_long)
{
	uint32_t never = 0;

	sys_futex_wait(&never, 0, how_long);
}

pc_ns sys_monotonic(void);
pc_ns sys_thread_cpu(void);    /* CPU time of the calling thread */
pc_ns sys_cpu_of(int tid);     /* of another thread of this process, 0 if it has gone */

#endif
