/*
 * While one thread tries to become a program that is none, the kernel refuses the process new threads
 * with EAGAIN, the pager's too: memory leaves all the same, then and after forks.
 */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define LEN	(2 * MIB)
#define FORKS	60
#define BETWEEN 300 /* us; the kernel refuses threads of the program just so */

static char no_program[] = "/tmp/exec_fails.XXXXXX";
static atomic_bool enough;

static void *try_to_exec(void *unused)
{
	char *const argv[] = {no_program, NULL}, *const envp[] = {NULL};

	while (!enough) {
		execve(no_program, argv, envp);
		HOST_CHECK(errno == ENOEXEC);
		usleep(BETWEEN);
	}
	return unused;
}

static void make_no_program(void)
{
	int fd = mkstemp(no_program);

	HOST_CHECK(fd >= 0 && write(fd, "no program\n", 11) == 11);
	HOST_CHECK(fchmod(fd, 0755) == 0 && close(fd) == 0);
}

static void fork_once(const char *at)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0)
		_exit(host_same(at, LEN, 1) ? 0 : 1);
	HOST_CHECK(host_reap(pid) == 0);
}

int main(void)
{
	pthread_t t;
	char *at;

	make_no_program();
	HOST_CHECK(pthread_create(&t, NULL, try_to_exec, NULL) == 0);
	at = host_cold(LEN, 1);
	for (unsigned i = 0; i < FORKS; i++)
		fork_once(at);
	HOST_CHECK(host_same(at, LEN, 1));
	enough = true;
	HOST_CHECK(pthread_join(t, NULL) == 0);
	HOST_CHECK(unlink(no_program) == 0);
	host_turn_cold(at, LEN, 2);
	HOST_CHECK(host_same(at, LEN, 2));
	return 0;
}
