/*
 * dlopened LIBRARY: a program that loads the library by itself, as a script may. Then it has memory that
 * is cold for a while: all of it stays, and there is no thread that the program did not make.
 */
#include "host.h"

#include <dlfcn.h>

#define LEN (32 * MIB)

int main(int argc, char **argv)
{
	char *at = host_map(LEN);

	HOST_CHECK(argc == 2);
	HOST_CHECK(dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL));
	host_fill(at, LEN, 1);
	host_sleep_ms(1500);
	HOST_CHECK(host_entries("/proc/self/task") == 3); /* one thread, "." and ".." */
	HOST_CHECK(!host_absent(at, LEN));
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
