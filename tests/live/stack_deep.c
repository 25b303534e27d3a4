/* Deep stacks grow, turn cold and are walked back, in the first thread and in another. */
#include "host.h"

#include <pthread.h>

#define DEPTH 250

static __attribute__((noinline)) uint64_t descend(unsigned depth)
{
	volatile uint64_t frame[2 * PAGE / 8];
	uint64_t below = 0;

	for (size_t i = 0; i < sizeof(frame) / 8; i++)
		frame[i] = host_word(depth, i);
	if (depth)
		below = descend(depth - 1);
	else
		host_nap();
	for (size_t i = 0; i < sizeof(frame) / 8; i++)
		HOST_CHECK(frame[i] == host_word(depth, i));
	return below + 1;
}

static void *in_thread(void *arg)
{
	HOST_CHECK(descend(DEPTH) == DEPTH + 1);
	return arg;
}

int main(void)
{
	char *memory = host_cold(4 * MIB, 1);
	pthread_t t;

	for (unsigned i = 0; i < 3; i++) {
		HOST_CHECK(descend(DEPTH) == DEPTH + 1);
		HOST_CHECK(pthread_create(&t, NULL, in_thread, NULL) == 0);
		HOST_CHECK(pthread_join(t, NULL) == 0);
	}
	HOST_CHECK(host_same(memory, 4 * MIB, 1));
	return 0;
}
