/* fork_exit_storm - forks children that end at once. */
#include "forks.h"

int main(int argc, char **argv)
{
	struct forks f = {.workload = {.name = "fork_exit_storm",
				       .about = "Forks children that end at once.",
				       .duration_sec = 20,
				       .workers = 4,
				       .seed = 12345},
			  .fork_rate = 40};

	return forks_main(&f, NULL, NULL, argc, argv);
}
