/* fork_touch_exit - forks children that write to memory they share with the parent, and end. */
#include "forks.h"

#include <unistd.h>

static uint64_t touch_pages = 64;

static void touch(const struct forks *f)
{
	size_t have = f->ballast_mb << 8, n = touch_pages < have ? touch_pages : have;

	for (size_t i = 0; i < n; i++) {
		size_t page = i * (have / n);

		host_page_check(f->ballast + page * HOST_PAGE, page);
		f->ballast[page * HOST_PAGE]++;
	}
}

int main(int argc, char **argv)
{
	struct forks f = {.workload = {.name = "fork_touch_exit",
				       .about = "Forks children that write to shared pages.",
				       .duration_sec = 20,
				       .workers = 4,
				       .seed = 12345},
			  .fork_rate = 20,
			  .ballast_mb = 16};
	const struct workload_flag flag = {"touch-pages", "pages of the ballast a child writes to",
					   &touch_pages, 1 << 28, NULL};

	return forks_main(&f, &flag, touch, argc, argv);
}
