/*
 * Memory that the program keeps from its children, beside memory that it does not: a child finds
 * the one missing and all of the other, however often the pages of both have left and come back.
 */
#include "host.h"

#define LEN   (2 * MIB)
#define KEPT  PAGE /* at the beginning */
#define TURNS 6

static bool is_mapped(void *page)
{
	unsigned char in;

	return mincore(page, PAGE, &in) == 0;
}

static void look_in_child(char *memory, uint64_t seed)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		HOST_CHECK(!is_mapped(memory));
		for (size_t at = KEPT; at < LEN; at += PAGE) {
			HOST_CHECK(is_mapped(memory + at));
			HOST_CHECK(host_page_begins(memory, at, seed));
		}
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
}

static pid_t all_in_child(const char *memory, uint64_t seed)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(host_same(memory, LEN, seed) ? 0 : 1);
	return pid;
}

/* A few pages beside it come home and leave again, while the rest stays away. */
static void touch_some(char *memory, uint64_t seed)
{
	for (unsigned i = 0; i < 3; i++) {
		for (size_t at = 0; at < 6 * PAGE; at += PAGE)
			HOST_CHECK(host_page_begins(memory, at, seed));
		host_wait_absent(memory, 6 * PAGE, host_number("HOST_PATIENCE_MS", 50) / 10);
	}
}

int main(void)
{
	char *memory = host_map(LEN);

	/* Written before, so that the kernel may make one mapping of the two again. */
	host_fill(memory, LEN, 1);
	HOST_CHECK(madvise(memory, KEPT, MADV_DONTFORK) == 0);
	for (uint64_t turn = 1; turn <= TURNS; turn++) {
		host_turn_cold(memory, LEN, turn);
		touch_some(memory, turn);
		host_let_leave(memory, LEN);
		look_in_child(memory, turn);
		HOST_CHECK(host_same(memory, LEN, turn));
	}
	/* Given back to the kernel and mapped anew, it is nobody's. */
	HOST_CHECK(munmap(memory, LEN) == 0);
	HOST_CHECK(mmap(memory, LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
	host_turn_cold(memory, LEN, 9);
	host_nap();
	HOST_CHECK(host_reap(all_in_child(memory, 9)) == 0);
	return 0;
}
