#include "forks.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(void)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid < 0 && errno == EINTR);
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		host_die(HOST_FAILED, "a child ended with wait status %#x", (unsigned)status);
}

static void make_child(const struct forks *f, child_fn *child)
{
	pid_t pid = fork();

	if (pid < 0)
		host_die(HOST_FAILED, "fork: %s", strerror(errno));
	if (pid == 0) {
		if (child)
			child(f);
		_exit(HOST_OK);
	}
}

static struct worker storm(const struct forks *f, child_fn *child)
{
	struct worker w = {.start = host_now()};
	uint64_t children = 0, now = w.start;

	for (w.deadline = now + f->workload.length; now < w.deadline; now = host_now()) {
		if (children == f->workload.workers) {
			reap();
			children--;
		}
		now = host_now();
		make_child(f, child);
		w.busy += host_now() - now;
		w.done++;
		children++;
		workload_pace(w.start, w.done, f->fork_rate);
	}
	for (; children; children--)
		reap();
	w.deadline = host_now();
	return w;
}

int forks_main(struct forks *f, const struct workload_flag *extra, child_fn *child, int argc,
	       char **argv)
{
	struct workload_flag flags[] = {
	    {"fork-rate", "forks a second", &f->fork_rate, 1000000, NULL},
	    {"ballast-mb", "MiB that are made and left alone", &f->ballast_mb, 1 << 20, NULL},
	    {0},
	};

	if (extra)
		flags[2] = *extra;
	workload_parse(&f->workload, flags, extra ? 3 : 2, argc, argv);
	f->ballast = host_ballast(f->ballast_mb << 8);
	while (workload_turn(&f->workload)) {
		struct worker did = storm(f, child);

		workload_print(&f->workload,
			       (struct workload_figure[]){
				   {"forks_per_s", workload_rate(&did)},
				   {"us_per_fork", (double)did.busy / (double)did.done / 1e3},
				   {"forks", (double)did.done}},
			       3);
	}
	host_ballast_check(f->ballast, f->ballast_mb << 8);
	return HOST_OK;
}
