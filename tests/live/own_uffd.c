/*
 * A program that uses userfaultfd itself, on memory that was packed a moment ago: the kernel lets
 * nobody register what another one has, so all of it must be the program's own again by then.
 */
#include "host.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define LEN  (4 * MIB)
#define SEED 2 /* of what the program puts where nothing is */

static char *memory, *source;
static int uffd;

/* Fills what is touched from `source`. Ends with the last page. */
static void *serve(void *arg)
{
	for (size_t done = 0; done < LEN; done += PAGE) {
		struct uffdio_copy copy = {.len = PAGE};
		struct uffd_msg message;
		uintptr_t at;

		HOST_CHECK(read(uffd, &message, sizeof(message)) == sizeof(message));
		HOST_CHECK(message.event == UFFD_EVENT_PAGEFAULT);
		at = (uintptr_t)message.arg.pagefault.address & ~(uintptr_t)(PAGE - 1);
		copy.dst = at;
		copy.src = (uintptr_t)source + (at - (uintptr_t)memory);
		HOST_CHECK(ioctl(uffd, UFFDIO_COPY, &copy) == 0);
	}
	return arg;
}

static void open_uffd(unsigned long request)
{
	struct uffdio_api api = {.api = UFFD_API};

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	HOST_CHECK(uffd >= 0);
	HOST_CHECK(ioctl(uffd, request, &api) == 0);
}

static void use(unsigned long request)
{
	char *beside = host_cold(LEN, 3);
	pthread_t server;
	struct uffdio_register r;

	memory = host_cold(LEN, 1);
	source = host_map(LEN);
	host_fill(source, LEN, SEED);
	open_uffd(request);
	r = (struct uffdio_register){.range = {.start = (uintptr_t)memory, .len = LEN},
				     .mode = UFFDIO_REGISTER_MODE_MISSING};
	HOST_CHECK(ioctl(uffd, UFFDIO_REGISTER, &r) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	HOST_CHECK(madvise(memory, LEN, MADV_DONTNEED) == 0);
	HOST_CHECK(pthread_create(&server, NULL, serve, NULL) == 0);
	HOST_CHECK(host_same(memory, LEN, SEED));
	HOST_CHECK(pthread_join(server, NULL) == 0);
	HOST_CHECK(ioctl(uffd, UFFDIO_UNREGISTER, &r.range) == 0);
	HOST_CHECK(close(uffd) == 0);
	host_nap();
	HOST_CHECK(host_same(memory, LEN, SEED));
	HOST_CHECK(host_same(beside, LEN, 3));
}

int main(void)
{
	const int as_int = (int)UFFDIO_API;
	pid_t child = fork();

	if (!child) {
		use((unsigned long)as_int);
		exit(0);
	}
	HOST_CHECK(host_reap(child) == 0);
	use(UFFDIO_API);
	return 0;
}
