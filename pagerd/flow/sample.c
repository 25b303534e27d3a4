#include "flow/sample.h"

#include "base/atomic.h"
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
#define REARM_AFTER    (5 * PC_SEC)
#define WATCH_MAX      256u
#define SAMPLES_AN_AGE 100u
#define SAMPLE_MIN     (5 * PC_MS)
#define SAMPLE_MAX     (100 * PC_MS)
#define SEGMENT_DAMON  1u
#define SEGMENT_PROBE  2u

static struct {
	struct damon damon;
	bool wanted;
	bool said; /* that the probe serves */
	int pid;
	pc_ns read_at; /* not before */
	pc_ns retry_at;
	uint32_t count;			   /* of watched */
	struct pc_span watched[WATCH_MAX]; /* handed to DAMON last */
	struct pc_span wanted_areas[WATCH_MAX];
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
	return load_relaxed(&sampler.damon.running);
}

static const char *why_not(int err)
{
	switch (err) {
	case -EBUSY:
		return "DAMON is in use by somebody else; age is learnt by the staging probe";
	case -ENOENT:
		return "there is no DAMON here; age is learnt by the staging probe";
	case -EACCES:
		return "DAMON is not permitted; age is learnt by the staging probe";
	case -ESRCH:
		return "DAMON was stopped; age is learnt by the staging probe until it is back";
	}
	return "DAMON is not to be had; age is learnt by the staging probe";
}

/* Who asked for DAMON by name is told at any level. */
static void say_once(int err)
{
	if (!sampler.said)
		log_line(options.hotness == HOTNESS_DAMON ? LOG_ERROR : LOG_INFO, why_not(err),
			 "errno", (uint64_t)-err, NULL, 0);
	sampler.said = true;
}

static void fall_back(int err, pc_ns now, pc_ns retry_after)
{
	show_source(false);
	sampler.retry_at = now + retry_after;
	say_once(err);
}

/* How many stretches `areas` are when gaps up to `gap` count as part of them; *out has room. */
static uint32_t join(const struct span_set *areas, uint64_t gap, struct pc_span *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < areas->count; i++) {
		const struct pc_span *s = &areas->span[i];

		if (n && s->start - out[n - 1].end <= gap)
			out[n - 1].end = s->end;
		else if (n == WATCH_MAX)
			return WATCH_MAX + 1;
		else
			out[n++] = *s;
	}
	return n;
}

static uint32_t choose(const struct span_set *areas, struct pc_span *out)
{
	uint64_t gap = 0;
	uint32_t n;

	while ((n = join(areas, gap, out)) > WATCH_MAX)
		gap = gap ? gap * 2 : PC_PAGE;
	return n;
}

static bool watches(const struct pc_span *wanted, uint32_t count)
{
	return count == sampler.count &&
	       memcmp(wanted, sampler.watched, count * sizeof(*wanted)) == 0;
}

static void note_watched(uint32_t count)
{
	memcpy(sampler.watched, sampler.wanted_areas, count * sizeof(sampler.watched[0]));
	sampler.count = count;
}

/* What DAMON has not watched yet must not look old. */
static void all_warm(pc_ns now)
{
	for (uint32_t i = 0; i < range_limit(); i++)
		if (range_at(i))
			heat_warm(&range_at(i)->heat, now);
}

/* A region a unit, as far as that goes, for whole units leave. */
static struct damon_detail detail_for(const struct pc_span *s, uint32_t count)
{
	const pc_ns sample = PC_MAX(options.cold_age / SAMPLES_AN_AGE, SAMPLE_MIN);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += s[i].end - s[i].start;
	return (struct damon_detail){
	    .sample_ms = (uint32_t)(PC_MIN(sample, SAMPLE_MAX) / PC_MS),
	    .regions =
		(uint32_t)PC_MIN(PC_MAX(bytes / PC_UNIT, DAMON_REGIONS_MIN), DAMON_REGIONS_MAX / 2),
	};
}

static void set_up(pc_ns now, uint32_t count)
{
	const struct damon_detail detail = detail_for(sampler.wanted_areas, count);
	int err = damon_start(&sampler.damon, DAMON_ROOT, sampler.pid, &detail,
			      sampler.wanted_areas, count);

	if (err) {
		COUNT(0, damon_setup_fail);
		fall_back(err, now, RETRY_AFTER);
		return;
	}
	COUNT(0, damon_setup_ok);
	show_source(true);
	all_warm(now);
	note_watched(count);
}

static void retarget(uint32_t count)
{
	const struct damon_detail detail = detail_for(sampler.wanted_areas, count);

	if (watches(sampler.wanted_areas, count))
		return;
	if (damon_retarget(&sampler.damon, &detail, sampler.wanted_areas, count) == 0)
		note_watched(count);
	else
		COUNT(0, damon_errors);
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
		fall_back(n, now, REARM_AFTER);
}

void sample_tick(pc_ns now, const struct span_set *areas)
{
	uint32_t count;

	if (!sampler.wanted || now < sampler.read_at || !areas->count)
		return;
	sampler.read_at = now + PC_MIN(PC_MAX(world.cold_age / 4, PC_SEC / 10), READ_EVERY_MAX);
	count = choose(areas, sampler.wanted_areas);
	if (!sampler.damon.running && now >= sampler.retry_at)
		set_up(now, count);
	if (!sampler.damon.running)
		return;
	retarget(count);
	read_regions(now);
}

void sample_stop(void)
{
	sampler.wanted = false;
	if (sampler.damon.running)
		damon_stop(&sampler.damon);
	show_source(false);
}
