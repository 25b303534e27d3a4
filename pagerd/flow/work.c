#include "flow/work.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/discover.h"
#include "flow/sample.h"
#include "flow/seal.h"
#include "flow/take.h"
#include "flow/world.h"
#include "kernel/caps.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"

#define SHARD           0u
#define BUDGET_MAX      (100 * (int64_t)PC_MS)
#define TICK_FORCED     (2 * PC_MS)
#define TICK_MIN        (5 * PC_MS)
#define TICK_MAX        (200 * PC_MS)
#define TICK_IDLE       PC_SEC
#define WALK_MIN        (50 * PC_MS)
#define WALK_MAX        (2 * PC_SEC)
#define WALK_FORCED     (10 * PC_MS)
#define DRAIN_WAIT      (100 * 1000ull)
#define DRAIN_TRIES     100000u
#define SERVE_EVERY     64u /* units that are only looked at */

void work_start(struct work *w, pc_ns now)
{
	pack_start(&w->packer);
	policy_start(&w->policy);
	repack_start(&w->repack);
	w->cursor = 0;
	w->walk_at = 0;
	w->last_tick = now;
	w->budget = BUDGET_MAX;
	w->spent_at = sys_thread_cpu();
	w->store_peak = 0;
}

static bool stopping(const struct work *w)
{
	return load_acquire(w->stop) != 0; /* pairs with the host's request */
}

/* ---- the budget ----------------------------------------------------------------------------- */

static void earn(struct work *w, pc_ns now)
{
	w->budget += (int64_t)((now - w->last_tick) * options.max_cpu / 100);
	w->budget = PC_MIN(w->budget, BUDGET_MAX);
	w->last_tick = now;
}

/* True while there is something left to spend. */
static bool solvent(struct work *w)
{
	pc_ns cpu = sys_thread_cpu();

	w->budget -= (int64_t)(cpu - w->spent_at);
	w->spent_at = cpu;
	return w->budget > 0 && !stopping(w) && !world.pinned;
}

/* Between two steps: who waits is answered first. */
static bool go_on(void *work)
{
	struct work *w = work;

	w->serve();
	return solvent(w);
}

static pc_ns pay_off(const struct work *w)
{
	return w->budget < 0 ? (pc_ns)-w->budget * 100 / options.max_cpu : 0;
}

/* ---- trials --------------------------------------------------------------------------------- */

static bool due(const struct unit *u, pc_ns now, const struct policy_plan *plan)
{
	if (world.everything)
		return true;
	/* Above the cap a back-off learnt at a longer age does not hold. */
	if (plan->pressed && now - u->heat.warm_at >= plan->cold_age)
		return true;
	return heat_may_try(&u->heat, now, plan->cold_age, plan->sampled);
}

static void set_pages(uint64_t *map, pc_addr base, pc_addr start, pc_addr end)
{
	const pc_addr from = PC_MAX(start, base), to = PC_MIN(end, base + PC_UNIT);

	if (from < to)
		map_set_run(map, (unsigned)((from - base) >> PC_PAGE_SHIFT),
			    (unsigned)((page_ceil(to) - base) >> PC_PAGE_SHIFT));
}

/* The next unit with managed memory from w->cursor on, and which pages of it are managed. */
static bool next_unit(struct work *w, pc_addr *base, uint64_t managed[UNIT_MAP_WORDS])
{
	const struct span_set *areas = discover_areas();
	uint32_t i = span_after(areas, w->cursor);

	if (i == areas->count)
		return false;
	memset(managed, 0, UNIT_MAP_WORDS * sizeof(*managed));
	*base = unit_floor(PC_MAX(areas->span[i].start, w->cursor));
	for (; i < areas->count && areas->span[i].start < *base + PC_UNIT; i++)
		set_pages(managed, *base, areas->span[i].start, areas->span[i].end);
	w->cursor = *base + PC_UNIT;
	return true;
}

/* One pass over the areas at most; stops where quota or budget ends, and goes on from there. */
static unsigned run_trials(struct work *w, pc_ns now, const struct policy_plan *plan)
{
	unsigned quota = world.everything ? UINT32_MAX : plan->trials;
	pc_addr first = w->cursor;
	bool wrapped = false, done = false;
	unsigned tried = 0, looked = 0;

	/* Clocks are asked, which takes longer than to look. */
	while (!done && tried < quota && (looked++ % SERVE_EVERY || go_on(w))) {
		uint64_t managed[UNIT_MAP_WORDS];
		struct unit *u;
		pc_addr base;

		if (!next_unit(w, &base, managed)) {
			done = wrapped || !first;
			w->cursor = 0;
			wrapped = true;
			continue;
		}
		done = wrapped && base >= first;
		u = done ? NULL : range_find(base);
		if (u && due(u, now, plan)) {
			looked = 0;
			tried += take_unit(base, managed, now, plan->wait) > 0;
		}
	}
	if (done)
		w->cursor = 0;
	return tried;
}

/* ---- quarantine ends ------------------------------------------------------------------------ */

static bool ripe(const struct chunk *c, pc_ns now)
{
	uint32_t state = c->state;

	if (state == CHUNK_PACKING)
		return true;
	/* A cold age shortened meanwhile counts at once. */
	return state == CHUNK_WAITING && now - c->since >= PC_MIN(c->wait, world.cold_age);
}

/*
 * Only the cap makes it leave before its time: then no more than the cap asks for, and the program's
 * memory is measured before each.
 */
static bool spared_by_cap(const struct chunk *c, pc_ns now)
{
	uint64_t cap = stats_get(PC_V_soft_cap_bytes);

	return cap && c->state == CHUNK_WAITING && !sample_by_damon() &&
	       now - c->since < options.cold_age &&
	       pressure_anon(&world.pressure) <= (int64_t)cap;
}

/* Oldest first would be a sort; chunks are reused lowest first, so the order is near enough. */
static unsigned pack_ripe(struct work *w, pc_ns now)
{
	unsigned waiting = 0;

	for (uint32_t i = 0; i < staging_limit(); i++) {
		struct chunk *c = staging_at(i);

		w->serve();
		if (c->state == CHUNK_FREE)
			continue;
		if (!load_relaxed(&c->live)) {
			pack_return_chunk(&w->restorer, c);
		} else if (!ripe(c, now) || spared_by_cap(c, now) || !solvent(w) ||
			   !pack_chunk(&w->packer, &w->restorer, c, now)) {
			/* A pager may have opened it to move pages home. */
			seal_chunk(c);
			waiting++;
		}
	}
	return waiting;
}

/* ---- housekeeping --------------------------------------------------------------------------- */

static bool is_due(const struct unit *u)
{
	return u && unit_any_registered(u) && (!load_relaxed(&u->away) || u->unguarded);
}

/* Units whose pages are all home become native memory again. */
static void release_returned(struct work *w)
{
	uint64_t runs = 0;

	for (uint32_t i = 0; i < range_limit(); i++) {
		struct unit *u;

		/* It asks the clock, which takes longer than to look. */
		if (i % SERVE_EVERY == 0 || is_due(range_at(i)))
			w->serve();
		u = range_at(i);
		if (!u || !unit_any_registered(u))
			continue;
		if (!load_relaxed(&u->away)) {
			release_unit(u);
			continue;
		}
		if (u->unguarded)
			guard_unit(u);
		runs += unit_runs(u);
	}
	SET(ranges_registered, runs);
}

/* Returns whether more may be done now. */
static bool repack_unit(struct work *w, pc_addr base, int64_t reserve)
{
	struct repack_gain gain = {0};

	for (unsigned i = 0; i < PC_UNIT_PAGES && !repack_is_poor(&gain); i += REPACK_GROUP) {
		if (!go_on(w) || w->budget <= reserve)
			return false;
		if (!repack_group(&w->repack, &w->packer, base, i, &gain))
			break;
	}
	repack_done(base);
	return true;
}

/*
 * With what is left of the budget, half of which stays for pages that are about to leave. A unit for
 * which it did not last is looked at again: entries that are dense cost next to nothing. True if it is
 * done and the store has shrunk.
 */
static bool repack_some(struct work *w, pc_ns now, bool busy)
{
	const int64_t reserve = busy ? BUDGET_MAX / 2 : 0;

	for (uint32_t seen = 0; options.repack && seen < range_limit(); seen++) {
		const struct unit *u = range_at(w->repack.next);

		if (u && repack_due(u, now) && !repack_unit(w, u->base, reserve))
			return false;
		w->repack.next = w->repack.next + 1 < range_limit() ? w->repack.next + 1 : 0;
	}
	return repack_rest(&w->repack);
}

void work_gauges(struct work *w)
{
	struct store_totals t = store_totals();

	w->store_peak = PC_MAX(w->store_peak, t.mapped);
	SET(store_bytes_live, t.live);
	SET(store_bytes_used, t.used);
	SET(store_bytes_mapped, t.mapped);
	SET(store_bytes_peak, w->store_peak);
	SET(store_logical_bytes, stats_get(PC_V_pages_stored) * PC_PAGE);
	SET(metadata_bytes, range_resident_bytes() +
				    store_table_bytes(t.mapped / STORE_SLAB * STORE_SLAB + STORE_SLAB) +
				    stats_get(PC_V_pages_reserve) * PC_PAGE);
	SET(cold_age_now, world.cold_age);
	SET(work_cpu, sys_thread_cpu());
}

static void walk_if_due(struct work *w, pc_ns now)
{
	pc_ns every = PC_MIN(PC_MAX(options.cold_age / 4, WALK_MIN), WALK_MAX);

	if (now < w->walk_at)
		return;
	w->walk_at = now + (world.everything ? WALK_FORCED : every);
	discover_walk(now);
}

static struct policy_plan decide(struct work *w, pc_ns now)
{
	struct policy_in in = {
		.now = now,
		.cold_age = options.cold_age,
		.cap = stats_get(PC_V_soft_cap_bytes),
		.resident = (uint64_t)PC_MAX(pressure_anon(&world.pressure), 0),
		.trials = stats_get(PC_V_probe_trials),
		.warm = stats_get(PC_V_probe_warm),
		.evicted = stats_get(PC_V_pages_evicted),
		.refaults = stats_get(PC_V_refaults),
		.sampled = sample_by_damon(),
	};
	struct policy_plan plan = policy_decide(&w->policy, &in);

	world.cold_age = plan.cold_age;
	world.everything = !options.cold_age;
	SET(bytes_resident, in.resident);
	if (plan.braked)
		COUNT(SHARD, refault_brakes);
	if (plan.over)
		COUNT(SHARD, soft_cap_warnings);
	return plan;
}

static pc_ns rest(const struct work *w, unsigned waiting, unsigned tried)
{
	pc_ns tick = world.everything ? TICK_FORCED
				      : PC_MIN(PC_MAX(world.cold_age / 8, TICK_MIN), TICK_MAX);

	if (!waiting && !tried && !world.everything)
		tick = PC_MIN(TICK_IDLE, PC_MAX(world.cold_age, TICK_MIN));
	return PC_MAX(tick, pay_off(w));
}

pc_ns work_tick(struct work *w, pc_ns now)
{
	struct policy_plan plan;
	unsigned waiting, tried = 0;

	COUNT(SHARD, ticks);
	earn(w, now);
	plan = decide(w, now);
	walk_if_due(w, now);
	sample_tick(now, discover_areas());
	waiting = pack_ripe(w, now);
	if (discover_threads_ok())
		tried = run_trials(w, now, &plan);
	release_returned(w);
	pack_compact(&w->packer, repack_some(w, now, waiting || tried), go_on, w);
	work_gauges(w);
	solvent(w);
	return rest(w, waiting, tried);
}

/* ---- on request ----------------------------------------------------------------------------- */

static void pack_all(struct work *w, pc_ns now)
{
	for (uint32_t i = 0; i < staging_limit() && !stopping(w); i++) {
		struct chunk *c = staging_at(i);

		w->serve();
		if (c->state != CHUNK_FREE)
			pack_chunk(&w->packer, &w->restorer, c, now);
	}
}

uint64_t work_evict_all(struct work *w, pc_addr start, pc_addr end)
{
	uint64_t before = stats_get(PC_V_pages_evicted);
	pc_addr cursor = w->cursor;
	uint64_t managed[UNIT_MAP_WORDS], asked[UNIT_MAP_WORDS];
	pc_ns now = sys_monotonic();
	pc_addr base;

	discover_walk(now);
	pack_all(w, now);
	w->cursor = start;
	while (discover_threads_ok() && !stopping(w) && next_unit(w, &base, managed) && base < end) {
		memset(asked, 0, sizeof(asked));
		set_pages(asked, base, start, end);
		for (unsigned i = 0; i < UNIT_MAP_WORDS; i++)
			managed[i] &= asked[i];
		w->serve();
		if (take_unit(base, managed, now, 0))
			pack_all(w, now);
	}
	w->cursor = cursor;
	work_gauges(w);
	w->spent_at = sys_thread_cpu();
	return stats_get(PC_V_pages_evicted) - before;
}

/* A remap may bring pages in while others go home: until it stays empty. */
static void return_unit(struct work *w, struct unit *u)
{
	for (unsigned tries = 0;; tries++) {
		restore_range(&w->restorer, u->base, u->base + PC_UNIT);
		if (!unit_any_registered(u) || release_unit(u))
			return;
		if (tries == DRAIN_TRIES)
			pc_fatal("memory cannot be made the program's own again", u->base, 0);
		sys_nap(DRAIN_WAIT);
	}
}

static bool is_home(const struct unit *u)
{
	return !u || (!load_relaxed(&u->away) && !unit_any_registered(u));
}

/*
 * Memory may have been remapped to where was looked already, and its MADV_DONTFORK with it. In the
 * gate, for a remap that is applied meanwhile could pass the look a second time.
 */
static bool all_home(void)
{
	bool home = true;

	gate_enter(&world.gate, GATE_WORK);
	for (uint32_t i = 0; home && i < range_limit(); i++)
		home = is_home(range_at(i));
	gate_leave(&world.gate, GATE_WORK);
	return home;
}

static void return_chunks(struct work *w)
{
	for (uint32_t i = 0; i < staging_limit(); i++)
		while (staging_at(i)->state != CHUNK_FREE &&
		       !pack_return_chunk(&w->restorer, staging_at(i)))
			sys_nap(DRAIN_WAIT);
}

void work_return(struct work *w, pc_addr start, pc_addr end)
{
	for (pc_addr at = unit_floor(start); at < end; at += PC_UNIT) {
		struct unit *u;

		w->serve();
		u = range_find(at);
		if (u)
			return_unit(w, u);
	}
	discover_strays(sys_monotonic(), false);
	w->walk_at = 0;
}

void work_drain(struct work *w)
{
	do
		for (uint32_t i = 0; i < range_limit(); i++)
			if (range_at(i))
				return_unit(w, range_at(i));
	while (!all_home());
	discover_strays(sys_monotonic(), true);
	return_chunks(w);
	repack_rest(&w->repack);
	store_trim();
	work_gauges(w);
	COUNT(SHARD, drains);
}

void work_new_phase(struct work *w)
{
	for (uint32_t i = 0; i < range_limit(); i++)
		if (range_at(i))
			memset(&range_at(i)->heat, 0, sizeof(struct heat));
	policy_start(&w->policy);
}
