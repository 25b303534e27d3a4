/* Ways to start another program; all of them find their arguments in memory that had left. */
#include "host.h"

#include <spawn.h>

#define LEN (8 * MIB)

extern char **environ;

static char *memory;

/* "exit 7" and its kin in packed memory: the kernel copies them from there. */
static char *packed_text(const char *text)
{
	char *at = memory + LEN / 2;

	host_fill(memory, LEN, 1);
	strcpy(at, text);
	host_let_leave(memory, LEN);
	return at;
}

static void by_spawn(void)
{
	char *argv[] = {"sh", "-c", packed_text("exit 7"), NULL};
	pid_t pid;

	HOST_CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
	HOST_CHECK(host_reap(pid) == 7);
}

static void by_vfork(void)
{
	char *command = packed_text("exit 8");
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	HOST_CHECK(host_reap(pid) == 8);
}

static void by_fork(void)
{
	char *command = packed_text("exit 9");
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	HOST_CHECK(host_reap(pid) == 9);
}

static void by_system(void)
{
	int status = system(packed_text("exit 10"));

	HOST_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 10);
}

static void by_popen(void)
{
	FILE *f = popen(packed_text("echo twelve; exit 11"), "r");
	char line[32] = "";

	HOST_CHECK(f);
	HOST_CHECK(fgets(line, sizeof(line), f));
	HOST_CHECK(!strcmp(line, "twelve\n"));
	HOST_CHECK(WEXITSTATUS(pclose(f)) == 11);
}

static void failing(void)
{
	char *argv[] = {packed_text("/nowhere/to/be/found"), NULL};
	pid_t pid;

	HOST_CHECK(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == ENOENT);
}

static void (*const ways[])(void) = {
    by_spawn, by_vfork, by_fork, by_system, by_popen, failing,
};

int main(void)
{
	memory = host_cold(LEN, 1);
	for (unsigned i = 0; i < 3 * sizeof(ways) / sizeof(ways[0]); i++)
		ways[i % (sizeof(ways) / sizeof(ways[0]))]();
	return 0;
}
