/*
 * The first thread leaves, the others go on over packed memory; the process ends when the last of
 * the program's own threads has.
 */
#include "host.h"

#include <pthread.h>

#define LEN (8 * MIB)

static char *memory;

static void *outlive(void *arg)
{
	for (unsigned i = 0; i < 4; i++) {
		host_nap();
		HOST_CHECK(host_same(memory, LEN, 1));
	}
	return arg;
}

int main(void)
{
	pthread_t t;

	memory = host_cold(LEN, 1);
	for (unsigned i = 0; i < 3; i++) {
		HOST_CHECK(pthread_create(&t, NULL, outlive, NULL) == 0);
		HOST_CHECK(pthread_detach(t) == 0);
	}
	pthread_exit(NULL);
}
