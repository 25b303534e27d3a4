/* Large, sparsely used memory: what was never written is zero, whatever happened around it. */
#include "host.h"

#define LEN    (256 * MIB)
#define STRIDE (13 * PAGE)

/* Written, left to go, and read together with its untouched neighbours. */
static void sparse(char *at, size_t first)
{
	for (size_t i = first; i < LEN - STRIDE; i += STRIDE)
		host_fill(at + i, PAGE, i);
	host_nap();
	for (size_t i = first; i < LEN - STRIDE; i += STRIDE) {
		HOST_CHECK(host_same(at + i, PAGE, i));
		HOST_CHECK(host_zero(at + i + PAGE, PAGE));
	}
}

/* Reading maps the zero page; writing replaces it. */
static void read_then_write(char *at)
{
	HOST_CHECK(host_zero(at, 8 * MIB));
	host_let_leave(at, 8 * MIB);
	HOST_CHECK(host_zero(at, 4 * MIB));
	host_fill(at, 8 * MIB, 9);
	host_let_leave(at, 8 * MIB);
	HOST_CHECK(host_same(at, 8 * MIB, 9));
}

int main(void)
{
	char *at = calloc(LEN + PAGE, 1);

	HOST_CHECK(at);
	at += -(uintptr_t)at % PAGE;
	for (size_t i = 0; i < 3; i++)
		sparse(at, i * 3 * PAGE);
	read_then_write(host_map(8 * MIB));
	return 0;
}
