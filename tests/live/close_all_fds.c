/* Daemons close every descriptor there could be. Memory that had left must still come back. */
#include "host.h"

#include <fcntl.h>
#include <sys/resource.h>

#define LEN (8 * MIB)

static char *memory;

static void touch_all(void)
{
	HOST_CHECK(host_same(memory, LEN, 1));
	host_fill(memory, LEN, 1);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* A program that has closed everything gets the numbers from 0 on. */
static void numbers_start_at_zero(void)
{
	int fd[8];

	for (int i = 0; i < 8; i++) {
		fd[i] = open("/dev/null", O_RDWR);
		HOST_CHECK(fd[i] == i);
	}
	for (int i = 0; i < 8; i++)
		HOST_CHECK(close(fd[i]) == 0);
}

/* Nothing may be heard from here on: the exit status alone speaks. */
int main(void)
{
	struct rlimit few = {4, 4};

	memory = host_cold(LEN, 1);
	closefrom(0);
	touch_all();
	numbers_start_at_zero();
	for (int fd = 0; fd < 4096; fd++)
		close(fd);
	touch_all();
	for (int fd = 0; fd < 256; fd++)
		if (dup2(open("/dev/null", O_RDWR), fd) < 0)
			HOST_CHECK(errno == EBADF);
	touch_all();
	closefrom(0);
	HOST_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	touch_all();
	return 0;
}
