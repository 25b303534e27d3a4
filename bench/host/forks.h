/*
 * forks.h - the loop of the workloads that fork: at a rate, at most so many children at a time,
 * each of which must end with status 0. The memory made before is shared with every child.
 */
#ifndef BENCH_FORKS_H
#define BENCH_FORKS_H

#include "workload.h"

struct forks {
	struct workload workload;
	uint64_t fork_rate, ballast_mb;
	unsigned char *ballast;
};

/* What a child does before it ends with status 0; NULL for nothing. */
typedef void child_fn(const struct forks *f);

/* The flags --fork-rate and --ballast-mb and `extra`, if not NULL; then forks and prints. */
int forks_main(struct forks *f, const struct workload_flag *extra, child_fn *child, int argc,
	       char **argv);

#endif
