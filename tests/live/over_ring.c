/*
 * A program of one thread maps memory over what lies in the place that it took for its own hole: the
 * library's ring. That memory is the program's from then on, through forks, and in whatever way the
 * library comes to an end.
 */
#include "host.h"

#define COLD (4 * MIB)
#define RING "io_uring" /* in /proc/PID/maps */

static void wait_for_ring(char *gone)
{
	uint64_t until = host_now_ms() + 10000;
	size_t len;
	char *ring;

	while ((!(ring = host_mapping(RING, &len)) || ring == gone) && host_now_ms() < until)
		host_sleep_ms(20);
	HOST_CHECK(ring && ring != gone);
}

static void check(const char *at, size_t len, const char *cold)
{
	HOST_CHECK(host_same(at, len, 2));
	HOST_CHECK(host_same(cold, COLD, 1));
}

/* Forks make the library give all memory back and begin anew. */
static void fork_once(const char *at, size_t len, const char *cold)
{
	pid_t pid = fork();

	if (pid == 0) {
		check(at, len, cold);
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
	check(at, len, cold);
}

static void map_over(bool wait)
{
	char *cold = host_cold(COLD, 1), *ring;
	size_t len;

	ring = host_mapping(RING, &len);
	if (!ring)
		return;
	HOST_CHECK(mmap(ring, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			-1, 0) == ring);
	host_fill(ring, len, 2);
	if (wait)
		wait_for_ring(ring);
	fork_once(ring, len, cold);
	fork_once(ring, len, cold);
	HOST_CHECK(munmap(cold, COLD) == 0);
}

int main(void)
{
	map_over(false);
	map_over(true);
	return 0;
}
