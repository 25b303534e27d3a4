/*
 * Memory that has left is given to a socket of AF_XDP, whose call does not wait for a userfaultfd: it
 * succeeds, and the memory is what it was.
 */
#include "host.h"

#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LEN (4 * MIB)

static int by_libc(void)
{
	return socket(AF_XDP, SOCK_RAW, 0);
}

static int by_number(void)
{
	return (int)syscall(SYS_socket, AF_XDP, SOCK_RAW, 0);
}

static int give(int fd, void *at)
{
	const struct xdp_umem_reg umem = {(uintptr_t)at, LEN, PAGE, 0, 0};

	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem));
}

static void given(int (*open_it)(void))
{
	pid_t child = fork();

	if (!child) {
		char *at = host_cold(LEN, 1);
		int fd = open_it();

		HOST_CHECK(fd >= 0);
		HOST_CHECK(give(fd, at) == 0);
		HOST_CHECK(host_same(at, LEN, 1));
		host_nap();
		HOST_CHECK(host_same(at, LEN, 1));
		exit(0);
	}
	HOST_CHECK(host_reap(child) == 0);
}

/* In a child, for who has had such a socket is left alone. */
static bool possible(void)
{
	pid_t child = fork();

	if (!child) {
		int fd = by_libc();

		_exit(fd < 0 || give(fd, host_map(LEN)) ? 1 : 0);
	}
	return host_reap(child) == 0;
}

int main(void)
{
	char *at;

	if (!possible())
		HOST_SKIP("no memory can be given to a socket of AF_XDP");
	at = host_cold(LEN, 2);
	given(by_libc);
	given(by_number);
	HOST_CHECK(host_same(at, LEN, 2));
	return 0;
}
