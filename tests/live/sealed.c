/*
 * Memory that has left is sealed where it can only be read (mseal): its discard is refused, and it stays
 * what it was. By number, and by libc's function where there is one.
 */
#include "host.h"

#include <sys/syscall.h>

#ifndef SYS_mseal /* since Linux 6.10 */
#define SYS_mseal 462
#endif

#define LEN (4 * MIB)

extern int mseal(void *at, size_t len, unsigned long flags) __attribute__((weak));

static int by_number(void *at, size_t len, unsigned long flags)
{
	return (int)syscall(SYS_mseal, at, len, flags);
}

static void sealed(int (*seal)(void *, size_t, unsigned long))
{
	char *at = host_cold(LEN, 1);

	HOST_CHECK(mprotect(at, LEN, PROT_READ) == 0);
	HOST_CHECK(seal(at, LEN, 0) == 0);
	HOST_CHECK(madvise(at, LEN, MADV_DONTNEED) == -1 && errno == EPERM);
	HOST_CHECK(host_same(at, LEN, 1));
	HOST_CHECK(munmap(at, LEN) == -1 && errno == EPERM);
	host_nap();
	HOST_CHECK(madvise(at, LEN, MADV_FREE) == -1 && errno == EPERM);
	HOST_CHECK(host_same(at, LEN, 1));
}

int main(void)
{
	if (by_number(NULL, 0, 0) && errno == ENOSYS)
		HOST_SKIP("the kernel has no mseal");
	sealed(by_number);
	if (mseal)
		sealed(mseal);
	return 0;
}
