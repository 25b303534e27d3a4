#include "flow/policy.h"

#include "base/mem.h"

#define TRIALS_FIRST   8u
#define ADJUST_EVERY   PC_SEC
#define BRAKE_FOR      PC_SEC
#define REFAULTS_FEW   64u /* a second: below that nothing is thrashing */
#define REFAULT_SHARE  8u
#define DAMON_WAIT_DIV 8u
#define DAMON_WAIT_MAX (500 * PC_MS)

void policy_start(struct policy *p)
{
	memset(p, 0, sizeof(*p));
	p->trials = TRIALS_FIRST;
}

/* More trials while they find cold memory, fewer while they find warm. */
static void adjust_trials(struct policy *p, const struct policy_in *in)
{
	uint64_t trials = in->trials - p->last_trials, warm = in->warm - p->last_warm;

	p->last_trials = in->trials;
	p->last_warm = in->warm;
	if (!trials && !warm)
		return;
	if (warm * 2 > trials)
		p->trials = PC_MAX(p->trials / 2, 1u);
	else if (warm * 4 <= trials)
		p->trials = PC_MIN(p->trials * 2, POLICY_TRIALS_MAX);
}

static bool thrashing(struct policy *p, const struct policy_in *in)
{
	uint64_t refaults = in->refaults - p->last_refaults;
	uint64_t evicted = in->evicted - p->last_evicted;

	p->last_refaults = in->refaults;
	p->last_evicted = in->evicted;
	return refaults > REFAULTS_FEW && refaults * REFAULT_SHARE > evicted;
}

/* Once a second: the cold age follows the cap, unless what leaves comes straight back. */
static bool adjust_age(struct policy *p, const struct policy_in *in)
{
	bool thrash;

	if (in->now - p->adjusted_at < ADJUST_EVERY)
		return false;
	p->adjusted_at = in->now;
	thrash = thrashing(p, in);
	if (thrash && p->shift) {
		p->shift--;
		p->brake_until = in->now + BRAKE_FOR;
		return true;
	}
	if (in->cap && in->resident > in->cap && !thrash)
		p->shift = PC_MIN(p->shift + 1, POLICY_SHIFT_MAX);
	else if (p->shift && (!in->cap || in->resident < in->cap / 16 * 15))
		p->shift--;
	return false;
}

static pc_ns age_in_force(const struct policy *p, const struct policy_in *in)
{
	pc_ns floor = PC_MIN(in->cold_age, POLICY_QUIET_FLOOR);

	return PC_MAX(in->cold_age >> p->shift, floor);
}

struct policy_plan policy_decide(struct policy *p, const struct policy_in *in)
{
	struct policy_plan plan = {0};

	plan.braked = adjust_age(p, in);
	adjust_trials(p, in);
	plan.cold_age = age_in_force(p, in);
	plan.wait = in->sampled ? PC_MIN(plan.cold_age / DAMON_WAIT_DIV, DAMON_WAIT_MAX)
				: plan.cold_age;
	plan.sampled = in->sampled;
	plan.pressed = in->cap && in->resident > in->cap;
	plan.over = plan.pressed && p->shift == POLICY_SHIFT_MAX;
	plan.trials = in->now < p->brake_until ? 0 : p->trials;
	return plan;
}
