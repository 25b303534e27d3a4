/*
 * Locked memory is in memory, all of it, from the call on and for as long as it is locked. What a program
 * unmaps without unlocking it first is forgotten, however often: all else still leaves.
 */
#include "host.h"

#define LEN   (4 * MIB)
#define TIMES 6000ul

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

/* A page each, with one between them that is never mapped. */
static void lock_and_unmap(void)
{
	char *hole = mmap(NULL, 2 * TIMES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(hole != MAP_FAILED && munmap(hole, 2 * TIMES * PAGE) == 0);
	for (size_t i = 0; i < TIMES; i++) {
		char *at = mmap(hole + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		/* Somebody else lies there by now. */
		if (at == MAP_FAILED)
			continue;
		HOST_CHECK(mlock(at, PAGE) == 0);
		HOST_CHECK(munmap(at, PAGE) == 0);
	}
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
	lock_and_unmap();
	other = host_cold(LEN, 3);
	HOST_CHECK(host_same(other, LEN, 3));
	return 0;
}
