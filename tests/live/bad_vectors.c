/*
 * Calls with pointers that lead nowhere, through hooks that look at what they point to: the kernel's
 * answer, and no crash of ours.
 */
#include "host.h"

#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define LEN (4 * MIB)

static void say(const char *what, ssize_t result)
{
	printf("%s: %zd, %s\n", what, result, result < 0 ? strerror(errno) : "done");
}

int main(void)
{
	char *memory = host_cold(LEN, 1);
	struct iovec *vector = host_map(2 * PAGE);
	const void *nowhere = (void *)8;
	int self = pidfd_open(getpid(), 0);

	HOST_CHECK(self >= 0);
	say("a vector at no address", process_madvise(self, nowhere, 1, MADV_GUARD_INSTALL, 0));
	say("a vector of too many",
	    process_madvise(self, nowhere, SIZE_MAX, MADV_GUARD_INSTALL, 0));
	/* The second of two lies on a page that is not there. */
	HOST_CHECK(munmap((char *)vector + PAGE, PAGE) == 0);
	vector = (void *)((char *)vector + PAGE - sizeof(*vector));
	*vector = (struct iovec){memory, 0};
	say("half a vector", process_madvise(self, vector, 2, MADV_GUARD_INSTALL, 0));
	say("limits at no address", setrlimit(RLIMIT_AS, nowhere));
	say("a clone told at no address", syscall(SYS_clone3, nowhere, 64ul));
	HOST_CHECK(host_same(memory, LEN, 1));
	fflush(stdout);
	return 0;
}
