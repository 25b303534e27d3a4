/*
 * A program locks all the memory that it has. Its limit sees to it that this is all: what somebody
 * else has reserved in its address space would count, and be filled.
 */
#include "host.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LEN    MIB
#define ENOUGH (8 * MIB)

int capset(cap_user_header_t header, const cap_user_data_t data);

/* Root may lock everything; the limit holds for those who lack this right. */
static void obey_the_limit(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	HOST_CHECK(syscall(SYS_capget, &header, data) == 0);
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	HOST_CHECK(capset(&header, data) == 0);
}

int main(void)
{
	struct rlimit limit;
	char *at;

	HOST_CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (limit.rlim_cur < ENOUGH)
		HOST_SKIP("this user may not lock %lu MiB", ENOUGH / MIB);
	at = host_cold(LEN, 1);
	obey_the_limit();
	host_let_leave(at, LEN);
	HOST_CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	HOST_CHECK(host_absent(at, LEN) == 0);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0);
	HOST_CHECK(host_same(at, LEN, 1));
	HOST_CHECK(munlockall() == 0);
	return 0;
}
