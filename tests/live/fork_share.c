/*
 * Memory that was shared with a child can leave again once the child has gone, without anybody
 * having written to it; while the child lives, the two go on sharing it.
 */
#include "host.h"

#define LEN (32 * MIB)

static char *memory;

/* Lives until it is told; then its memory is what it was, whatever the parent has done. */
static void child(int in)
{
	char c;

	if (read(in, &c, 1) != 1)
		_exit(1); /* the parent has gone */
	HOST_CHECK(host_same(memory, LEN, 1));
	_exit(0);
}

static pid_t begin_child(int *out)
{
	int end[2];
	pid_t pid;

	HOST_CHECK(pipe(end) == 0);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		close(end[1]);
		child(end[0]);
	}
	close(end[0]);
	*out = end[1];
	return pid;
}

static void one_more(int i)
{
	int out;
	pid_t pid;
	size_t before;

	HOST_CHECK(host_same(memory, LEN, 1)); /* all of it is resident, and will be shared */
	pid = begin_child(&out);
	before = host_absent(memory, LEN);
	host_sleep_ms(700);
	/* A page that both map can only leave the parent as a copy. */
	if (host_absent(memory, LEN) > before + LEN / PAGE / 4)
		HOST_FAIL("round %d: the pager copied memory that a child shares", i);
	HOST_CHECK(write(out, "x", 1) == 1);
	HOST_CHECK(host_reap(pid) == 0);
	close(out);
	if (!host_wait_absent(memory, LEN, host_number("HOST_PATIENCE_MS", 50)) &&
	    host_number("HOST_MUST_LEAVE", 0))
		HOST_FAIL("round %d: nothing left after the child had gone", i);
}

int main(void)
{
	memory = host_cold(LEN, 1);
	for (int i = 0; i < 3; i++)
		one_more(i);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
