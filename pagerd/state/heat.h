/*
 * heat.h - what is known of a unit's age. Pure arithmetic; time comes in as an argument, from two
 *          clocks (base/clock.h): what is ahead of `now` counts as now.
 *
 * DESIGN  Two sources feed it. DAMON says "accessed": heat_warm(). The staging probe has only
 *         faults to go by: a unit is moved out and whoever comes back shows. heat_fault() judges
 *         one such fault: a burst (HEAT_BURST faults within HEAT_BURST_NS of each other) or a
 *         crowd (HEAT_CROWD faults in one quarantine) means the unit is in use: it goes back whole,
 *         and its next trial waits half a cold age, then twice as long each time, up to 16.
 * THREADS fields are words written by whoever holds the evidence; a lost update costs a trial.
 */
#ifndef PC_STATE_HEAT_H
#define PC_STATE_HEAT_H

#include "base/types.h"

#define HEAT_BURST       4u
#define HEAT_BURST_NS    (10 * PC_MS)
#define HEAT_CROWD       32u
#define HEAT_MAX_BACKOFF 6u /* doublings */
#define HEAT_DENSE       5u
#define HEAT_DENSE_NS    (500 * PC_MS)
#define HEAT_EMPTY_BACKOFF 4u
#define HEAT_EMPTY_MIN   PC_SEC

struct heat {
	pc_ns warm_at;   /* last evidence of use */
	pc_ns next_try;  /* no trial before */
	pc_ns packed_at; /* last time pages of it were packed */
	pc_ns burst_at;  /* first fault of the burst under watch */
	pc_ns poor_until; /* pages that did not shrink are not tried before */
	uint16_t burst;  /* faults of it */
	uint16_t crowd;  /* faults in this quarantine */
	pc_ns back_at;   /* first fault in it since it was packed */
	pc_ns dense_at;  /* when its faults were last found dense */
	uint16_t back;   /* faults in it since it was packed */
	uint8_t fails;   /* trials in a row that found it warm */
	uint8_t quick;   /* times in a row that it came back soon after it was packed */
	uint8_t poor_tries;
	bool denser; /* its pages have been packed again: flow/repack.h */
};

/* A trial starts. */
static inline void heat_begin(struct heat *h)
{
	h->burst = 0;
	h->crowd = 0;
}

static inline void heat_warm(struct heat *h, pc_ns now)
{
	h->warm_at = now;
}

/* The trial found it in use. */
static inline void heat_fail(struct heat *h, pc_ns now, pc_ns cold_age)
{
	h->warm_at = now;
	if (h->fails < HEAT_MAX_BACKOFF)
		h->fails++;
	h->next_try = now + (cold_age << h->fails) / 4;
	heat_begin(h);
}

/* A staged page was touched: true if the unit should go back whole. */
static inline bool heat_fault(struct heat *h, pc_ns now)
{
	h->warm_at = now;
	if (time_since(h->burst_at, now) > HEAT_BURST_NS) {
		h->burst_at = now;
		h->burst = 0;
	}
	h->burst++;
	h->crowd++;
	return h->burst >= HEAT_BURST || h->crowd >= HEAT_CROWD;
}

/* Pages of it were packed: it is cold, next look after one more cold age. */
static inline void heat_packed(struct heat *h, pc_ns now, pc_ns cold_age)
{
	h->packed_at = now;
	h->denser = false;
	h->fails = 0;
	h->back = 0;
	h->next_try = now + cold_age;
}

/* There was nothing in it to take. */
static inline void heat_empty(struct heat *h, pc_ns now, pc_ns cold_age)
{
	if (h->fails < HEAT_EMPTY_BACKOFF)
		h->fails++;
	h->next_try = now + (PC_MAX(cold_age, HEAT_EMPTY_MIN) << h->fails);
}

/*
 * A packed page of it was touched. A unit that comes back within two cold ages of leaving, time
 * after time, has a period longer than the cold age: it stays longer each time.
 */
static inline void heat_returned(struct heat *h, pc_ns now, pc_ns cold_age)
{
	bool first = h->back == 0;

	h->warm_at = now;
	h->back++;
	if (!first)
		return;
	h->back_at = now;
	if (time_since(h->packed_at, now) >= 2 * cold_age)
		h->quick = 0;
	else if (h->quick < HEAT_MAX_BACKOFF)
		h->quick++;
	h->fails = 0;
	h->next_try = now + (cold_age << h->quick);
}

/* It has just come back whole. */
static inline bool heat_was_dense(const struct heat *h, pc_ns now)
{
	return h->dense_at && time_since(h->dense_at, now) < HEAT_DENSE_NS;
}

/*
 * Enough faults in a short time: the program is going through all of it, and so it should come back
 * whole. Where it comes from a unit that has just come back whole, `streaming`, one fault is enough.
 */
static inline bool heat_dense(struct heat *h, bool streaming, pc_ns now)
{
	if (!streaming && !(h->back >= HEAT_DENSE && time_since(h->back_at, now) < HEAT_DENSE_NS))
		return false;
	h->dense_at = now;
	return true;
}

/* Where use is sampled, it must have been untouched for a cold age; else the quarantine tells. */
static inline bool heat_may_try(const struct heat *h, pc_ns now, pc_ns cold_age, bool sampled)
{
	return now >= h->next_try && (!sampled || time_since(h->warm_at, now) >= cold_age);
}

#endif
