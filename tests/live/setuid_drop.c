/* A program that gives up being root has no thread left that is root, and keeps its memory. */
#include "host.h"
#include "support/tasks.h"

#include <grp.h>
#include <sched.h>

#define LEN    (8 * MIB)
#define NOBODY 65534

/* All four user (or group) ids of a thread. */
static void check_thread(const char *task, const char *field)
{
	char line[256];
	unsigned id[4];
	bool found = false;
	FILE *f = task_status(task);

	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, strlen(field)))
			continue;
		found = true;
		HOST_CHECK(sscanf(line + strlen(field), "%u %u %u %u", &id[0], &id[1], &id[2],
				  &id[3]) == 4);
		for (unsigned i = 0; i < 4; i++)
			HOST_CHECK(id[i] == NOBODY);
	}
	HOST_CHECK(found);
	fclose(f);
}

static void check_all_threads(void)
{
	DIR *d = tasks_open();
	const char *task;

	while ((task = tasks_next(d))) {
		check_thread(task, "Uid:");
		check_thread(task, "Gid:");
	}
	closedir(d);
}

/* Wants to find the process with one thread. */
static void own_namespace(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		host_nap();
		_exit(unshare(CLONE_NEWUSER) == 0 || errno == ENOSPC || errno == EPERM ? 0 : 1);
	}
	HOST_CHECK(host_reap(pid) == 0);
}

int main(void)
{
	char *memory;

	if (getuid() != 0)
		HOST_SKIP("only root can give it up");
	memory = host_cold(LEN, 1);
	own_namespace();
	HOST_CHECK(setgroups(0, NULL) == 0);
	HOST_CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	HOST_CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	check_all_threads();
	HOST_CHECK(host_same(memory, LEN, 1));
	host_nap();
	check_all_threads();
	HOST_CHECK(setuid(0) == -1 && errno == EPERM);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
