/* The program break goes up and down; what comes back from below it is zero. */
#include "host.h"

#define STEP (4 * MIB)

static char *page_aligned_break(void)
{
	char *at = sbrk(0);

	HOST_CHECK(sbrk((intptr_t)(-(uintptr_t)at % PAGE)) == at);
	return sbrk(0);
}

int main(void)
{
	char *base = page_aligned_break();

	for (uint64_t round = 0; round < 6; round++) {
		HOST_CHECK(sbrk(STEP) == base);
		HOST_CHECK(host_zero(base, STEP));
		host_fill(base, STEP, round);
		if (round == 0)
			host_let_leave(base, STEP);
		else
			host_nap();
		HOST_CHECK(sbrk(-(intptr_t)STEP / 2) == base + STEP);
		HOST_CHECK(host_same(base, STEP / 2, round));
		host_nap();
		HOST_CHECK(sbrk(STEP / 2) == base + STEP / 2);
		HOST_CHECK(host_zero(base + STEP / 2, STEP / 2));
		HOST_CHECK(host_same(base, STEP / 2, round));
		HOST_CHECK(sbrk(-(intptr_t)STEP) == base + STEP);
	}
	return 0;
}
