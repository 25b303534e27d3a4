/*
 * workload.h - what the paced workloads share: their flags, workers, pace and results.
 *
 * Every workload takes --duration-sec, --workers, --seed, --json, --unsafe-allow-long, and --wait
 * besides its own flags, and prints its figures as lines of name=value, or as one JSON object.
 * A rate or an idle time of 0 means: as fast as it goes. With --wait it says "ready" once its
 * memory is made and begins when a line comes in.
 *
 * Those that loop on workload_turn() take --turns too: after "ready" they work for as many ms as
 * each line says, print the figures of that turn on one line, and end with their input. So programs
 * can be compared that take turns of a fraction of a second, on a machine whose speed changes.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "host.h"
#include "touches.h"

#define WORKLOAD_WORKERS 512u

struct workload {
	const char *name, *about;
	uint64_t duration_sec, workers, seed;
	int json, allow_long, wait, turns;
	uint64_t length; /* ns of this turn */
	int taken;	 /* there has been a turn */
};

/* A flag of one workload: a number of at most `most`, or a text. */
struct workload_flag {
	const char *name, *help;
	uint64_t *number, most;
	const char **text;
};

struct workload_figure {
	const char *name;
	double value;
};

/* One thread's part. It works until the clock says `deadline`, and leaves what it did. */
struct worker {
	const struct workload *workload;
	unsigned index;
	uint64_t seed, start, deadline; /* ns of host_now() */
	uint64_t done, busy;		/* operations, and ns spent on them */
};

typedef void worker_fn(struct worker *w);

/* Reads the flags into *w and *flags[i]; ends the program after --help or on wrong usage. */
void workload_parse(struct workload *w, const struct workload_flag *flags, size_t count, int argc,
		    char **argv);

/* Waits for the next turn where it must. 0: there are no more; without --turns there is one. */
int workload_turn(struct workload *w);

/* The same for a workload that takes no turns. */
void workload_ready(struct workload *w);

/* Runs `work` in w->workers threads for this turn; the sums of what they did. */
struct worker workload_run(const struct workload *w, worker_fn *work);

/* Sleeps until operation number `done` is due at `rate` a second since `start`; 0 never sleeps. */
void workload_pace(uint64_t start, uint64_t done, uint64_t rate);

void workload_sleep_until(uint64_t when); /* ns of host_now() */

void workload_print(const struct workload *w, const struct workload_figure *figures, size_t count);

/* Operations a second, and the times noted by each worker in took[index]; their memory goes. */
void workload_print_touches(const struct workload *w, uint64_t done, double seconds,
			    struct touches *took);

/* Operations a second. */
static inline double workload_rate(const struct worker *did)
{
	return host_per_second(did->done, did->deadline - did->start);
}

/* Start and length of the part of `pages` that is worker `index`'s of `workers`. */
static inline void workload_part(const struct worker *w, size_t pages, size_t *first, size_t *count)
{
	*count = pages / w->workload->workers;
	*first = w->index * *count;
}

#endif
