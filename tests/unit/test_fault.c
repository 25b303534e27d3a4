/*
 * Which pagers wait: some always do, however evenly the program's CPUs fault. Who is woken: also those
 * who wait for what was restored without a word. And what is kept to be tried again: for as long as a
 * layout event is on its way, however many others come meanwhile, and while there is no memory, of which
 * the program may be about to give some back; but not for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/fault.h"
#include "flow/forget.h"
#include "flow/world.h"
#include "kernel/task.h"

#include <errno.h>

#define START  0x7d0000000000ull
#define PAGERS 20u
#define LONG   1000000u /* tries that are many, but take no time */

static struct fault_thread pager[PAGERS];

static struct {
	unsigned faults, events;      /* still to be read: faults first */
	unsigned served, read_events; /* faults, in vain or not */
	unsigned vain;		      /* how often a fault is served in vain */
	enum restore_result why;
	pc_ns now, step; /* of time, at each wait */
	unsigned waits;	 /* until the pager is told to stop */
	bool late;	 /* the running one is told to stop, and to park, just before it sleeps */
	bool quietly;	 /* a fault is served without waking, and the rest of its unit is wanted */
	unsigned batches, unwoken, most_unwoken; /* of that rest: all, since the last wake-up */
	struct fault_thread *running;
	jmp_buf died;
	const char *last_words;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
int __wrap_uffd_read(const struct uffd *u, struct uffd_event *e);
bool __wrap_uffd_pending(const struct uffd *u);
void __wrap_uffd_wake(const struct uffd *u, pc_addr start, pc_addr end);
void __wrap_forget_discard(unsigned shard, pc_addr start, pc_addr end);
enum restore_result __wrap_restore_fault(struct restorer *r, const struct uffd_event *fault);
void __wrap_restore_rest(struct restorer *r, pc_addr base, unsigned first);
int __wrap_task_cpu(int tid);
pc_ns __wrap_clock_now(void);
_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2);

/* A wait ends at once, and takes played.step. */
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_ppoll) {
		played.now += played.step;
		if (!played.waits--)
			played.running->stop = 1;
		return 0;
	}
	if (nr == __NR_write)
		return 0;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

/* Another's fault has it parked: that one has all faults so far. */
static void stop_and_park(struct fault_thread *t)
{
	fault_stop(t);
	played.faults = 1;
	played.waits = 1;
	played.running = &pager[PAGERS - 1];
	assert_int_equal(fault_loop(played.running), 0);
	played.running = t;
}

/* It has been parked: that is its end here. */
long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	assert_ptr_equal(word, &played.running->parked);
	assert_int_equal(value, 1);
	assert_int_equal(timeout, 0);
	if (played.late) {
		played.late = false;
		stop_and_park(played.running);
		assert_int_not_equal(*word, value); /* or it would sleep for ever */
		return 0;
	}
	played.running->stop = 1;
	return 0;
}

int __wrap_uffd_read(const struct uffd *u, struct uffd_event *e)
{
	(void)u;
	*e = (struct uffd_event){.start = START, .end = START + PC_PAGE};
	if (played.faults) {
		played.faults--;
		e->kind = UFFD_FAULT;
		e->thread = 1;
		return 1;
	}
	if (!played.events)
		return 0;
	played.events--;
	played.read_events++;
	e->kind = UFFD_REMOVE;
	return 1;
}

bool __wrap_uffd_pending(const struct uffd *u)
{
	(void)u;
	return false;
}

void __wrap_uffd_wake(const struct uffd *u, pc_addr start, pc_addr end)
{
	(void)u;
	assert_int_equal(start, START);
	if (end - start == PC_UNIT)
		played.unwoken = 0;
}

void __wrap_forget_discard(unsigned shard, pc_addr start, pc_addr end)
{
	(void)shard;
	(void)start;
	(void)end;
}

enum restore_result __wrap_restore_fault(struct restorer *r, const struct uffd_event *fault)
{
	assert_int_equal(fault->start, START);
	if (played.served++ < played.vain)
		return played.why;
	r->quiet = played.quietly;
	if (played.quietly) {
		r->rest = START;
		played.unwoken++;
	}
	return RESTORE_DONE;
}

void __wrap_restore_rest(struct restorer *r, pc_addr base, unsigned first)
{
	(void)r;
	assert_int_equal(base, START);
	assert_int_equal(first, played.batches * REST_BATCH);
	played.batches++;
	played.unwoken++;
	played.most_unwoken = PC_MAX(played.most_unwoken, played.unwoken);
}

/* The thread that faults runs where the pager does. */
int __wrap_task_cpu(int tid)
{
	(void)tid;
	return (int)played.running->cpu;
}

pc_ns __wrap_clock_now(void)
{
	return played.now;
}

_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2)
{
	(void)fact1;
	(void)fact2;
	played.last_words = what;
	longjmp(played.died, 1);
}

static int begin(void **state)
{
	(void)state;
	memset(&played, 0, sizeof(played));
	played.now = PC_SEC;
	gate_reset(&world.gate, GATE_PAGER0 + PAGERS);
	for (unsigned i = 0; i < PAGERS; i++)
		pager[i] = (struct fault_thread){
		    .index = i, .cpu = i, .restorer = {.slot = GATE_PAGER0 + i, .shard = 1}};
	fault_set(pager, PAGERS);
	return 0;
}

static void run(unsigned which)
{
	played.running = &pager[which];
	played.running->parked = played.running->stop = 0;
	assert_int_equal(fault_loop(played.running), 0);
	played.running->stop = 0;
}

/* One fault, tried in vain so often at most; false: the process has been ended. */
static bool survives(enum restore_result why, unsigned vain, unsigned events, pc_ns step)
{
	played.why = why;
	played.vain = vain;
	played.faults = 1;
	played.events = events;
	played.step = step;
	played.waits = vain + 1;
	if (setjmp(played.died))
		return false;
	run(0);
	assert_int_equal(played.running->pending_count, 0);
	return true;
}

static void some_pager_always_waits(void **state)
{
	unsigned waiting = 0;

	(void)state;
	for (unsigned i = 0; i < PAGERS; i++) {
		played.faults = 1;
		played.waits = 1;
		run(i);
	}
	for (unsigned i = 0; i < PAGERS; i++)
		waiting += !pager[i].parked;
	assert_in_range(waiting, 1, PAGERS);
}

/* In turns, until what is older has faded more than once. */
static void also_when_samples_fade(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		unsigned waiting = 0;

		played.faults = 1;
		played.waits = 1;
		run(n % PAGERS);
		for (unsigned i = 0; i < PAGERS; i++)
			waiting += !pager[i].parked;
		assert_in_range(waiting, 1, PAGERS);
		played.now += PC_SEC;
	}
}

static void the_cpu_that_faults_has_its_pager(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		played.faults = 1;
		played.waits = 1;
		run(n % 8 ? 7 : n % PAGERS);
		played.now += PC_SEC;
	}
	for (unsigned i = 0; i < PAGERS; i++)
		assert_int_equal(pager[i].parked, i != 7);
}

static void who_was_served_quietly_is_woken(void **state)
{
	(void)state;
	played.quietly = true;
	assert_true(survives(RESTORE_DONE, 0, 0, 0));
	assert_int_equal(played.batches, PC_UNIT_PAGES / REST_BATCH);
	assert_int_equal(played.unwoken, 0);
	assert_in_range(played.most_unwoken, 1, 9);
}

/* Another pager has taken what was left: it wakes whoever waits there, the first one too. */
static void who_helps_wakes(void **state)
{
	(void)state;
	played.batches = PC_UNIT_PAGES / REST_BATCH - 1;
	pager[1].rest = (START >> PC_UNIT_SHIFT << 16) |
			(uint64_t)played.batches * REST_BATCH; /* as it is offered */
	played.waits = 1;
	run(0);
	assert_int_equal(played.batches, PC_UNIT_PAGES / REST_BATCH);
	assert_int_equal(played.unwoken, 0);
}

static void who_is_to_stop_is_not_parked_again(void **state)
{
	(void)state;
	played.late = true;
	played.running = &pager[0];
	pager[0].parked = 1;
	assert_int_equal(fault_loop(&pager[0]), 0);
	assert_false(played.late);
}

static void events_do_not_use_up_the_patience(void **state)
{
	(void)state;
	assert_true(survives(RESTORE_AGAIN, LONG, LONG, 0));
	assert_int_equal(played.read_events, LONG);
}

static void a_change_that_never_ends_ends_the_process(void **state)
{
	const pc_ns begun = PC_SEC;

	(void)state;
	assert_false(survives(RESTORE_AGAIN, LONG, 0, 75000));
	assert_string_equal(played.last_words, "a fault cannot be answered");
	assert_in_range(played.now - begun, 29 * PC_SEC, 31 * PC_SEC);
}

/* As when the process was stopped. */
static void one_long_wait_is_no_reason(void **state)
{
	(void)state;
	assert_true(survives(RESTORE_AGAIN, 3, 0, 3600 * PC_SEC));
	assert_true(survives(RESTORE_SHORT, 3, 0, 3600 * PC_SEC));
}

static void events_are_read_while_memory_is_short(void **state)
{
	(void)state;
	assert_true(survives(RESTORE_SHORT, 100, 50, 5 * PC_MS));
	assert_int_equal(played.read_events, 50);
}

static void memory_that_stays_short_ends_the_process(void **state)
{
	const pc_ns begun = PC_SEC;

	(void)state;
	assert_false(survives(RESTORE_SHORT, LONG, 0, 5 * PC_MS));
	assert_string_equal(played.last_words, "no memory to restore a page");
	assert_in_range(played.now - begun, 9 * PC_SEC, 11 * PC_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(some_pager_always_waits, begin),
	    cmocka_unit_test_setup(also_when_samples_fade, begin),
	    cmocka_unit_test_setup(the_cpu_that_faults_has_its_pager, begin),
	    cmocka_unit_test_setup(who_was_served_quietly_is_woken, begin),
	    cmocka_unit_test_setup(who_helps_wakes, begin),
	    cmocka_unit_test_setup(who_is_to_stop_is_not_parked_again, begin),
	    cmocka_unit_test_setup(events_do_not_use_up_the_patience, begin),
	    cmocka_unit_test_setup(a_change_that_never_ends_ends_the_process, begin),
	    cmocka_unit_test_setup(one_long_wait_is_no_reason, begin),
	    cmocka_unit_test_setup(events_are_read_while_memory_is_short, begin),
	    cmocka_unit_test_setup(memory_that_stays_short_ends_the_process, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
