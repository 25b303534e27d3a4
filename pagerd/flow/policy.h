/*
 * policy.h - how much to do now. Pure: readings in, a plan out; no clock, no tables, no calls.
 *
 * DESIGN  Trials. A trial moves one unit out to see who comes back. A warm unit costs the program
 *           a few faults, so the rate of trials follows their result: twice as many after a round
 *           that was mostly cold, half after one that was mostly warm, at least one.
 *         Soft cap. While the process is above it the cold age is halved every second, down to
 *           1/256; below 15/16 of it the age recovers. Coldest leaves first because quarantine is a
 *           queue: what has been untouched longest is packed first.
 *         Brake. When pages come straight back (refaults above 1/8 of what leaves, and enough of
 *           them to matter), the working set is larger than the cap: the age is doubled instead,
 *           and no trial is started for a second.
 * THREADS none of its own; the work thread keeps the struct.
 */
#ifndef PC_FLOW_POLICY_H
#define PC_FLOW_POLICY_H

#include "base/types.h"

#define POLICY_TRIALS_MAX  512u
#define POLICY_SHIFT_MAX   8u
#define POLICY_QUIET_FLOOR (20 * PC_MS) /* no shorter cold age by the cap alone */

struct policy_in {
	pc_ns now;
	pc_ns cold_age;      /* the option */
	uint64_t cap;        /* bytes, 0 none */
	uint64_t resident;   /* bytes, store included */
	uint64_t trials;     /* counters, as they stand */
	uint64_t warm;
	uint64_t evicted;
	uint64_t refaults;
	bool sampled; /* DAMON chooses: quarantine is short */
};

struct policy {
	pc_ns adjusted_at;
	unsigned shift; /* cold age >> shift */
	unsigned trials;
	pc_ns brake_until;
	uint64_t last_trials, last_warm, last_evicted, last_refaults;
};

struct policy_plan {
	pc_ns cold_age; /* in force */
	pc_ns wait;     /* quarantine of units taken now */
	unsigned trials; /* units to take in this tick */
	bool sampled;    /* as told */
	bool pressed;    /* above the cap: back-off does not count */
	bool braked;     /* the brake was pulled in this tick */
	bool over;       /* above the cap with the age at its floor */
};

void policy_start(struct policy *p);
struct policy_plan policy_decide(struct policy *p, const struct policy_in *in);

#endif
