/* fork_exec_storm - forks children that become another program. */
#include "forks.h"

#include <unistd.h>

static const char *exec_path = "/bin/true";

static void become(const struct forks *f)
{
	(void)f;
	execl(exec_path, exec_path, (char *)NULL);
	_exit(HOST_FAILED);
}

int main(int argc, char **argv)
{
	struct forks f = {.workload = {.name = "fork_exec_storm",
				       .about = "Forks children that become another program.",
				       .duration_sec = 20,
				       .workers = 4,
				       .seed = 12345},
			  .fork_rate = 10};
	const struct workload_flag flag = {"exec-path", "the program", NULL, 0, &exec_path};

	return forks_main(&f, &flag, become, argc, argv);
}
