/*
 * Memory that was kept from children is unmapped, and other memory comes to lie in its place, which
 * is not kept from them. A child of a fork that no hook sees dies on a page of it that is away, or
 * finds the bytes; it never finds others. A child of fork() finds them.
 */
#include "host.h"
#include "support/ways.h"

#define LEN   (2 * MIB)
#define TURNS 6

/* In the place of memory that was marked. */
static char *map_again(void)
{
	char *marked = host_map(LEN), *again;

	HOST_CHECK(madvise(marked, LEN, MADV_DONTFORK) == 0);
	HOST_CHECK(munmap(marked, LEN) == 0);
	again = mmap(marked, LEN, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	HOST_CHECK(again == marked);
	return again;
}

static void look_and_end(const char *memory, uint64_t seed)
{
	for (size_t at = 0; at < LEN; at += PAGE)
		if (!host_page_begins(memory, at, seed))
			_exit(1);
	_exit(0);
}

int main(void)
{
	for (uint64_t turn = 1; turn <= TURNS; turn++) {
		char *memory = map_again();
		int status;
		pid_t pid;

		host_turn_cold(memory, LEN, turn);
		pid = (pid_t)bare6(SYS_fork, 0, 0, 0, 0, 0, 0);
		if (pid == 0)
			look_and_end(memory, turn);
		status = host_reap(pid);
		if (status && status != 128 + SIGSEGV)
			HOST_FAIL("turn %d: a child found other bytes", (int)turn);
		pid = fork();
		if (pid == 0)
			look_and_end(memory, turn);
		HOST_CHECK(host_reap(pid) == 0);
		HOST_CHECK(host_same(memory, LEN, turn));
		HOST_CHECK(munmap(memory, LEN) == 0);
	}
	return 0;
}
