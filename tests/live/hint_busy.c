/*
 * What a hook needs done is done though the pager is busy with a hint: discarded by guard pages, of
 * which no event tells, memory is empty when they go, however long a hint before that takes.
 */
#include "host.h"

#include "predicomp/predicomp.h"

#define LEN    (2 * MIB)
#define BIG    (32 * MIB)
#define ROUNDS 3

int main(void)
{
	char *big = host_map(BIG);

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		char *at = host_cold(LEN, i);

		host_fill(big, BIG, i);
		if (predicomp_loaded())
			HOST_CHECK(predicomp_cold(big, BIG) == 0);
		if (madvise(at, LEN, MADV_GUARD_INSTALL) && errno == EINVAL)
			HOST_SKIP("this kernel has no guard pages (Linux 6.13)");
		HOST_CHECK(madvise(at, LEN, MADV_GUARD_REMOVE) == 0);
		HOST_CHECK(host_zero(at, LEN));
		HOST_CHECK(munmap(at, LEN) == 0);
		HOST_CHECK(host_same(big, BIG, i));
	}
	return 0;
}
