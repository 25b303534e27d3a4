/*
 * What a program maps first comes to lie beside its thread-local storage, in one mapping for the
 * kernel. It leaves; the storage, which the library's own hooks use too, stays.
 */
#include "host.h"

#define LOCAL (MIB / 4)
#define COLD  MIB /* more would be aligned as a huge page is */

static __thread char local[LOCAL];

static bool one_mapping(const void *a, const void *b)
{
	const unsigned long x = (unsigned long)a, y = (unsigned long)b;
	unsigned long start, end;
	char line[512];
	bool one = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	HOST_CHECK(maps);
	while (!one && fgets(line, sizeof(line), maps))
		one = sscanf(line, "%lx-%lx", &start, &end) == 2 && x >= start && x < end &&
		      y >= start && y < end;
	fclose(maps);
	return one;
}

int main(void)
{
	char *cold = host_map(COLD), *inside = local + -(uintptr_t)local % PAGE;
	const size_t len = LOCAL - PAGE;

	if (!one_mapping(cold, inside))
		HOST_SKIP("this kernel maps memory elsewhere");
	host_fill(local, LOCAL, 2);
	host_turn_cold(cold, COLD, 1);
	host_let_leave(inside, len);
	HOST_CHECK(host_absent(inside, len) == 0);
	HOST_CHECK(host_same(cold, COLD, 1));
	HOST_CHECK(host_same(local, LOCAL, 2));
	return 0;
}
