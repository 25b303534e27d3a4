#include "flow/sample.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/stats.h"
#include "flow/world.h"
#include "kernel/caps.h"
#include "kernel/damon.h"
#include "state/range.h"

#include <errno.h>

#define READ_EVERY_MAX PC_SEC
#define RETRY_AFTER    (30 * PC_SEC)
#define SEGMENT_DAMON  1u
#define SEGMENT_PROBE  2u

static struct {
	struct damon damon;
	bool wanted;
	bool said; /* that the probe serves */
	int pid;
	pc_ns read_at; /* not before */
	pc_ns retry_at;
	uint64_t watched; /* bytes handed to DAMON last */
} sampler;

static void show_source(bool damon)
{
	stats_segment()->hotness = damon ? SEGMENT_DAMON : SEGMENT_PROBE;
}

void sample_start(int pid)
{
	memset(&sampler, 0, sizeof(sampler));
	sampler.pid = pid;
	sampler.wanted = options.hotness == HOTNESS_DAMON ||
			 (options.hotness == HOTNESS_AUTO && caps_have(PC_CAP_DAMON));
	show_source(false);
}

bool sample_by_damon(void)
{
	return sampler.damon.running;
}

static void fall_back(int err, pc_ns now)
{
	COUNT(0, damon_setup_fail);
	show_source(false);
	sampler.retry_at = now + RETRY_AFTER;
	if (!sampler.said)
		log_line(LOG_INFO, "DAMON is not to be had; age is learnt by the staging probe",
			 "errno", (uint64_t)-err, NULL, 0);
	sampler.said = true;
}

static void set_up(pc_ns now, const struct span_set *areas)
{
	int err = damon_start(&sampler.damon, DAMON_ROOT, sampler.pid, areas->span, areas->count);

	if (err) {
		fall_back(err, now);
		return;
	}
	COUNT(0, damon_setup_ok);
	show_source(true);
	sampler.watched = span_bytes(areas);
}

static bool note_region(const struct damon_region *region, void *arg)
{
	const pc_ns *now = arg;

	COUNT(0, damon_regions);
	if (!region->nr_accesses)
		return true;
	for (pc_addr at = unit_floor(region->start); at < region->end; at += PC_UNIT) {
		struct unit *u = range_find(at);

		if (u)
			heat_warm(&u->heat, *now);
	}
	return true;
}

static void read_regions(pc_ns now)
{
	int n = damon_read(&sampler.damon, note_region, &now);

	if (n >= 0) {
		COUNT(0, damon_snapshots);
		return;
	}
	COUNT(0, damon_errors);
	if (n == -ESRCH)
		fall_back(n, now);
}

void sample_tick(pc_ns now, const struct span_set *areas)
{
	if (!sampler.wanted || now < sampler.read_at || !areas->count)
		return;
	sampler.read_at = now + PC_MIN(PC_MAX(world.cold_age / 4, PC_SEC / 10), READ_EVERY_MAX);
	if (!sampler.damon.running && now >= sampler.retry_at)
		set_up(now, areas);
	if (!sampler.damon.running)
		return;
	if (span_bytes(areas) != sampler.watched) {
		damon_retarget(&sampler.damon, areas->span, areas->count);
		sampler.watched = span_bytes(areas);
	}
	read_regions(now);
}

void sample_stop(void)
{
	if (sampler.damon.running)
		damon_stop(&sampler.damon);
}
