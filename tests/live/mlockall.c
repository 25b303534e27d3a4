/*
 * A program locks all the memory that it has. Its limit sees to it that this is all: what somebody
 * else has reserved in its address space would count, and be filled.
 */
#include "host.h"
#include "support/rights.h"

#include <sys/resource.h>

#define LEN    MIB
#define ENOUGH (8 * MIB)

int main(void)
{
	struct rlimit limit;
	char *at;

	HOST_CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (limit.rlim_cur < ENOUGH)
		HOST_SKIP("this user may not lock %lu MiB", ENOUGH / MIB);
	at = host_cold(LEN, 1);
	/* Root may lock everything; the limit holds for those who lack this right. */
	rights_drop(CAP_IPC_LOCK);
	host_let_leave(at, LEN);
	HOST_CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	HOST_CHECK(host_absent(at, LEN) == 0);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0);
	HOST_CHECK(host_same(at, LEN, 1));
	HOST_CHECK(munlockall() == 0);
	return 0;
}
