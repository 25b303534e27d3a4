/* A program that becomes itself again and again, each time with arguments that had left memory. */
#include "host.h"

#define LEN   (4 * MIB)
#define LINKS 6

int main(int argc, char **argv)
{
	char *memory = host_cold(LEN, 1), *count = memory + LEN / 2;
	int link = argc > 1 ? atoi(argv[1]) : 0;

	host_nap();
	HOST_CHECK(host_same(memory, LEN, 1));
	if (link == LINKS)
		return 0;
	snprintf(count, 16, "%d", link + 1);
	host_let_leave(memory, LEN);
	execl("/proc/self/exe", argv[0], count, (char *)NULL);
	HOST_FAIL("exec: %s", strerror(errno));
}
