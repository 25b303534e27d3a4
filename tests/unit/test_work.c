/*
 * A round of work may last as long as its budget; a thread of the program that waits for an answer
 * must not. Taking and packing are played: each is a step in which somebody may begin to wait.
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
static struct unit unit;
static struct chunk chunks[CHUNKS];
static struct work work;
static const uint32_t never_stop;

static struct {
	unsigned taken, packed, looked_at;
	unsigned waited; /* steps since the oldest question, from 1 on; 0: nobody waits */
	unsigned worst, answers;
} seen;

unsigned __wrap_take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait);
bool __wrap_pack_chunk(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now);
bool __wrap_release_unit(struct unit *u);
void __wrap_pack_compact(void);
int __wrap_discover_walk(pc_ns now);
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
	seen.answers += seen.waited != 0;
	seen.waited = 0;
}

unsigned __wrap_take_unit(pc_addr base, const uint64_t *managed, pc_ns now, pc_ns wait)
{
	(void)base;
	(void)managed;
	(void)now;
	(void)wait;
	step();
	seen.taken++;
	return 1;
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
	(void)u;
	step();
	seen.looked_at++;
	return true;
}

void __wrap_pack_compact(void)
{
}

int __wrap_discover_walk(pc_ns now)
{
	(void)now;
	return 0;
}

const struct span_set *__wrap_discover_areas(void)
{
	return &areas;
}

bool __wrap_discover_threads_ok(void)
{
	return true;
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
	(void)addr;
	return &unit;
}

uint32_t __wrap_range_limit(void)
{
	return UNITS;
}

struct unit *__wrap_range_at(uint32_t number)
{
	(void)number;
	return &unit;
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
	options.cold_age = 0;
	options.max_cpu = 100;
	unit.registered[0] = 1;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(who_waits_is_answered_between_two_units, begin),
	    cmocka_unit_test_setup(who_waits_is_not_kept_by_an_eviction, begin),
	    cmocka_unit_test_setup(who_waits_is_not_kept_by_a_return, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
