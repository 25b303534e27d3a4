/*
 * Cold memory grows where it lies, by a call that no hook sees, and what is beyond is never
 * touched. Then the part in front of that is unmapped or protected, or the part beyond is moved away.
 * A child of fork() has what is left, or what was moved.
 */
#include "host.h"
#include "support/ways.h"

#define LEN   (128 * PAGE)
#define TURNS 9

static bool is_mapped(void *page)
{
	unsigned char in;

	return mincore(page, PAGE, &in) == 0;
}

/* Cold memory of LEN, grown to twice of that; NULL if it is no longer one mapping. */
static char *grown(uint64_t seed)
{
	char *at = host_map(2 * LEN);
	long to;

	HOST_CHECK(munmap(at + LEN, LEN) == 0);
	host_turn_cold(at, LEN, seed);
	to = bare6(SYS_mremap, (long)at, LEN, 2 * LEN, 0, 0, 0);
	HOST_CHECK(to == (long)at || to == -EFAULT || to == -ENOMEM);
	return to == (long)at ? at : NULL;
}

static void cut_off(char *at)
{
	HOST_CHECK(munmap(at + LEN - PAGE, 2 * PAGE) == 0);
}

/* The tail is a mapping of its own from here on, and nothing is unmapped. */
static void protect_end(char *at)
{
	HOST_CHECK(mprotect(at + LEN - PAGE, PAGE, PROT_READ) == 0);
}

static char *move_tail(char *at)
{
	char *room = host_map(LEN);
	long to = bare6(SYS_mremap, (long)(at + LEN), LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			(long)room, 0);

	HOST_CHECK(to == (long)room);
	return room;
}

static void child_has(char *tail)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0)
		_exit(is_mapped(tail) ? 0 : 1);
	if (host_reap(pid))
		HOST_FAIL("a child misses memory that had grown");
}

int main(void)
{
	unsigned done = 0;

	for (uint64_t turn = 1; turn <= TURNS; turn++) {
		char *at = grown(turn);

		if (!at)
			continue;
		done++;
		switch (turn % 3) {
		case 0:
			cut_off(at);
			child_has(at + LEN + PAGE);
			break;
		case 1:
			protect_end(at);
			child_has(at + LEN + PAGE);
			break;
		default:
			child_has(move_tail(at));
		}
		HOST_CHECK(host_same(at, LEN - PAGE, turn));
	}
	HOST_CHECK(done);
	return 0;
}
