/* Locked memory is in memory, all of it, from the call on and for as long as it is locked. */
#include "host.h"

#define LEN (4 * MIB)

static int lock(void *at, size_t len)
{
	return mlock(at, len);
}

static int lock_on_fault(void *at, size_t len)
{
	return mlock2(at, len, MLOCK_ONFAULT);
}

static void locked(int (*how)(void *, size_t), char *at, uint64_t seed)
{
	HOST_CHECK(how(at, LEN) == 0);
	HOST_CHECK(host_absent(at, LEN) == 0);
	host_nap();
	HOST_CHECK(host_absent(at, LEN) == 0);
	HOST_CHECK(host_same(at, LEN, seed));
	HOST_CHECK(munlock(at, LEN) == 0);
}

int main(void)
{
	char *at = host_cold(LEN, 1), *other = host_cold(LEN, 2);

	if (mlock(other, LEN) && (errno == ENOMEM || errno == EPERM))
		HOST_SKIP("this user may not lock %lu MiB", LEN / MIB);
	HOST_CHECK(munlock(other, LEN) == 0);
	locked(lock, at, 1);
	host_let_leave(at, LEN); /* ordinary memory again */
	locked(lock_on_fault, at, 1);
	host_let_leave(at, LEN);
	HOST_CHECK(host_same(at, LEN, 1));
	HOST_CHECK(host_same(other, LEN, 2));
	return 0;
}
