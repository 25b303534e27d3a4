/*
 * A round of work may last as long as its budget; a thread of the program that waits for an answer
 * must not. Taking, packing and packing again are played: each is a step in which somebody may begin to
 * wait. And when a round takes nothing: while a thread is not known, and from units that were in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/options.h"
#include "base/sys.h"
#include "flow/discover.h"
#include "flow/sample.h"
#include "flow/take.h"
#include "flow/work.h"
#include "flow/world.h"
#include "state/span.h"
#include "state/staging.h"

#define UNITS  64u
#define CHUNKS 64u
#define START  0x7f0000000000ull

static struct pc_span area = {START, START + UNITS *PC_UNIT};
static struct span_set areas = {&area, 1, 1};
static struct unit units[UNITS];
static struct chunk chunks[CHUNKS];
static struct work work;
static const uint32_t never_stop;

static struct {
	unsigned taken, packed, looked_at, strays_after;
	unsigned waited; /* steps since the oldest question, from 1 on; 0: nobody waits */
	unsigned worst, answers;
	unsigned asked;	    /* whether somebody waits */
	pc_addr last;	    /* that was to be taken */
	bool short_of_time; /* the budget ends with each unit, which takes nothing */
	bool unknown;	    /* a thread of the program is */
	bool remaps;  /* a remap leads to the first unit while the last one goes home */
	unsigned due, groups; /* units to be packed again; what was */
	struct repack_gain gain; /* of each group */
	bool dear;		 /* a group takes half of the budget */
	bool tight;		 /* the last compaction was */
	bool strays_must;	 /* be looked for, whatever it costs */
} seen;

unsigned __wrap_take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait);
bool __wrap_pack_chunk(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now);
bool __wrap_release_unit(struct unit *u);
void __wrap_store_trim(void);
void __wrap_pack_compact(struct packer *p, bool tight, bool (*go_on)(void *), void *arg);
bool __wrap_repack_due(const struct unit *u, pc_ns now);
bool __wrap_repack_group(struct repack *r, struct packer *p, pc_addr base, unsigned first,
			 struct repack_gain *gain);
int __wrap_discover_walk(pc_ns now);
int __wrap_discover_strays(pc_ns now, bool must);
const struct span_set *__wrap_discover_areas(void);
bool __wrap_discover_threads_ok(void);
void __wrap_sample_tick(pc_ns now, const struct span_set *managed);
int64_t __wrap_pressure_anon(const struct pressure *p);
struct unit *__wrap_range_find(pc_addr addr);
uint32_t __wrap_range_limit(void);
struct unit *__wrap_range_at(uint32_t number);
uint64_t __wrap_range_resident_bytes(void);
uint32_t __wrap_staging_limit(void);
struct chunk *__wrap_staging_at(uint32_t number);

/* In every step somebody begins to wait, unless somebody already does. */
static void step(void)
{
	seen.waited++;
	seen.worst = PC_MAX(seen.worst, seen.waited);
}

static void answer(void)
{
	seen.asked++;
	seen.answers += seen.waited != 0;
	seen.waited = 0;
}

unsigned __wrap_take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait)
{
	(void)managed;
	(void)now;
	(void)wait;
	step();
	seen.taken++;
	seen.last = base;
	if (seen.short_of_time)
		work.budget = 0;
	return !seen.short_of_time;
}

bool __wrap_pack_chunk(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now)
{
	(void)p;
	(void)r;
	(void)c;
	(void)now;
	step();
	seen.packed++;
	return false;
}

bool __wrap_release_unit(struct unit *u)
{
	step();
	seen.looked_at++;
	u->registered[0] = 0;
	if (seen.remaps && u == &units[UNITS - 1])
		units[0].registered[0] = 1;
	return true;
}

void __wrap_store_trim(void)
{
}

bool __wrap_repack_due(const struct unit *u, pc_ns now)
{
	(void)now;
	return (unsigned)(u - units) < seen.due && !u->heat.denser;
}

bool __wrap_repack_group(struct repack *r, struct packer *p, pc_addr base, unsigned first,
			 struct repack_gain *gain)
{
	(void)p;
	(void)base;
	(void)first;
	step();
	seen.groups++;
	r->gained = true;
	gain->before += seen.gain.before;
	gain->after += seen.gain.after;
	if (seen.dear)
		work.budget /= 2;
	return true;
}

void __wrap_pack_compact(struct packer *p, bool tight, bool (*go_on)(void *), void *arg)
{
	(void)p;
	(void)go_on;
	(void)arg;
	seen.tight = tight;
}

int __wrap_discover_walk(pc_ns now)
{
	(void)now;
	return 0;
}

int __wrap_discover_strays(pc_ns now, bool must)
{
	(void)now;
	seen.strays_must = must;
	seen.strays_after = seen.looked_at;
	return 0;
}

const struct span_set *__wrap_discover_areas(void)
{
	return &areas;
}

bool __wrap_discover_threads_ok(void)
{
	return !seen.unknown;
}

void __wrap_sample_tick(pc_ns now, const struct span_set *managed)
{
	(void)now;
	(void)managed;
}

int64_t __wrap_pressure_anon(const struct pressure *p)
{
	(void)p;
	return UNITS * PC_UNIT;
}

struct unit *__wrap_range_find(pc_addr addr)
{
	return &units[(addr - START) / PC_UNIT];
}

uint32_t __wrap_range_limit(void)
{
	return UNITS;
}

struct unit *__wrap_range_at(uint32_t number)
{
	return &units[number];
}

uint64_t __wrap_range_resident_bytes(void)
{
	return 0;
}

uint32_t __wrap_staging_limit(void)
{
	return CHUNKS;
}

struct chunk *__wrap_staging_at(uint32_t number)
{
	return &chunks[number];
}

static int begin(void **state)
{
	(void)state;
	seen.taken = seen.packed = seen.looked_at = seen.waited = seen.worst = seen.answers = 0;
	seen.remaps = seen.unknown = seen.dear = seen.short_of_time = false;
	seen.asked = 0;
	seen.due = seen.groups = seen.strays_after = 0;
	seen.gain = (struct repack_gain){16384, 8192};
	options.cold_age = 0;
	options.repack = 1;
	options.max_cpu = 100;
	for (unsigned i = 0; i < UNITS; i++)
		units[i] = (struct unit){.base = START + i * PC_UNIT, .registered = {1}};
	for (unsigned i = 0; i < CHUNKS; i++)
		chunks[i] = (struct chunk){.state = CHUNK_PACKING, .live = 1};
	work.stop = &never_stop;
	work.serve = answer;
	gate_reset(&world.gate, 1);
	work_start(&work, sys_monotonic());
	return 0;
}

static void who_waits_is_answered_between_two_units(void **state)
{
	(void)state;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.taken, UNITS);
	assert_int_equal(seen.packed, CHUNKS);
	assert_int_equal(seen.looked_at, UNITS);
	assert_int_equal(seen.worst, 1);
	assert_true(seen.answers >= UNITS + CHUNKS + UNITS - 1);
}

/* It is asked for each chunk, and once for so few units. */
static void units_that_are_only_looked_at_keep_nobody(void **state)
{
	(void)state;
	seen.unknown = true;
	for (unsigned i = 0; i < UNITS; i++)
		units[i].away = 1;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.looked_at, 0);
	assert_in_range(seen.asked, CHUNKS + 1, CHUNKS + UNITS / 8);
}

/* They are asked for their age, which takes less than a clock does. */
static void units_that_are_too_young_keep_nobody(void **state)
{
	const pc_ns now = sys_monotonic();

	(void)state;
	options.cold_age = PC_SEC;
	for (unsigned i = 0; i < UNITS; i++) {
		heat_fail(&units[i].heat, now, options.cold_age);
		units[i].away = 1;
	}
	work_tick(&work, now);
	assert_int_equal(seen.taken, 0);
	assert_in_range(seen.asked, CHUNKS + 1, CHUNKS + 2 * UNITS / 8);
}

static void where_the_budget_ended_the_next_round_goes_on(void **state)
{
	const pc_ns now = sys_monotonic();

	(void)state;
	seen.short_of_time = true;
	for (unsigned i = 0; i < 3 * UNITS; i++) {
		work_tick(&work, now + i * PC_SEC);
		assert_int_equal(seen.last, START + i % UNITS * PC_UNIT);
	}
}

static void who_waits_is_not_kept_by_an_eviction(void **state)
{
	(void)state;
	work_evict_all(&work, START, START + UNITS * PC_UNIT);
	assert_int_equal(seen.taken, UNITS);
	assert_int_equal(seen.packed, (UNITS + 1) * CHUNKS);
	assert_int_equal(seen.worst, 1);
}

static void who_waits_is_not_kept_by_a_return(void **state)
{
	(void)state;
	work_return(&work, START, START + UNITS * PC_UNIT);
	assert_int_equal(seen.looked_at, UNITS);
	assert_int_equal(seen.worst, 1);
}

static void who_waits_is_not_kept_by_repacking(void **state)
{
	(void)state;
	seen.due = UNITS;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.groups, UNITS * PC_UNIT_PAGES / REPACK_GROUP);
	assert_int_equal(seen.worst, 1);
	assert_true(seen.tight);
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.groups, UNITS * PC_UNIT_PAGES / REPACK_GROUP);
	assert_false(seen.tight);
}

static void a_unit_that_gains_little_is_left(void **state)
{
	(void)state;
	seen.due = UNITS;
	seen.gain.after = seen.gain.before;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.groups, UNITS);
}

/* The unit is not done, and the store is not compacted for what is to come. */
static void half_of_the_budget_is_for_what_leaves(void **state)
{
	(void)state;
	seen.due = 1;
	seen.dear = true;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.groups, 1);
	assert_false(seen.tight);
	assert_false(units[0].heat.denser);
}

static void nothing_is_packed_again_unless_it_may(void **state)
{
	(void)state;
	seen.due = UNITS;
	options.repack = 0;
	work_tick(&work, sys_monotonic());
	assert_int_equal(seen.groups, 0);
}

/* Its page words hold nothing that is away, and its children would never have it. */
static void a_drain_looks_again_for_what_was_remapped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CHUNKS; i++)
		chunks[i].state = CHUNK_FREE;
	seen.remaps = true;
	work_drain(&work);
	assert_int_equal(seen.looked_at, UNITS + 1);
	for (unsigned i = 0; i < UNITS; i++)
		assert_false(unit_any_registered(&units[i]));
}

/* Only then all that is kept from children is what the program keeps, or a lost guard. */
static void lost_guards_are_looked_for_once_all_is_home(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CHUNKS; i++)
		chunks[i].state = CHUNK_FREE;
	work_drain(&work);
	assert_int_equal(seen.strays_after, UNITS);
	assert_true(seen.strays_must);
}

/* They cut mappings, which mremap() refuses then. */
static void lost_guards_are_looked_for_before_memory_is_remapped(void **state)
{
	(void)state;
	work_return(&work, START, START + 2 * PC_UNIT);
	assert_int_equal(seen.strays_after, 2);
	assert_false(seen.strays_must);
}

static void nothing_is_taken_while_a_thread_is_not_known(void **state)
{
	(void)state;
	seen.unknown = true;
	work_tick(&work, sys_monotonic());
	work_evict_all(&work, START, START + UNITS * PC_UNIT);
	assert_int_equal(seen.taken, 0);
}

/* The next trial waits half a cold age, then twice as long each time. */
static void what_was_in_use_is_left_for_a_while(void **state)
{
	const pc_ns now = sys_monotonic();

	(void)state;
	options.cold_age = PC_SEC;
	for (unsigned i = 0; i < UNITS; i++) {
		heat_fail(&units[i].heat, now, options.cold_age);
		heat_fail(&units[i].heat, now, options.cold_age);
	}
	work_tick(&work, now + options.cold_age - 1);
	assert_int_equal(seen.taken, 0);
	work_tick(&work, now + options.cold_age);
	assert_true(seen.taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(who_waits_is_answered_between_two_units, begin),
	    cmocka_unit_test_setup(units_that_are_only_looked_at_keep_nobody, begin),
	    cmocka_unit_test_setup(units_that_are_too_young_keep_nobody, begin),
	    cmocka_unit_test_setup(where_the_budget_ended_the_next_round_goes_on, begin),
	    cmocka_unit_test_setup(who_waits_is_not_kept_by_an_eviction, begin),
	    cmocka_unit_test_setup(who_waits_is_not_kept_by_a_return, begin),
	    cmocka_unit_test_setup(who_waits_is_not_kept_by_repacking, begin),
	    cmocka_unit_test_setup(a_unit_that_gains_little_is_left, begin),
	    cmocka_unit_test_setup(half_of_the_budget_is_for_what_leaves, begin),
	    cmocka_unit_test_setup(nothing_is_packed_again_unless_it_may, begin),
	    cmocka_unit_test_setup(a_drain_looks_again_for_what_was_remapped, begin),
	    cmocka_unit_test_setup(lost_guards_are_looked_for_once_all_is_home, begin),
	    cmocka_unit_test_setup(lost_guards_are_looked_for_before_memory_is_remapped, begin),
	    cmocka_unit_test_setup(nothing_is_taken_while_a_thread_is_not_known, begin),
	    cmocka_unit_test_setup(what_was_in_use_is_left_for_a_while, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
