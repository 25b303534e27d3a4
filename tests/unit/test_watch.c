/*
 * Who does not answer is told from who has nothing to answer and from who is merely busy, and is ended
 * by the looks in a row at which nothing moved, never by one less.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/atomic.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/fault.h"
#include "flow/watch.h"
#include "flow/world.h"

#define PAGERS 2u
#define TID    4711
#define EVERYWHERE 0xffull

static struct fault_thread pager[PAGERS];

static struct {
	int message[2]; /* pipe in the userfaultfd's place */
	int tracer;
	jmp_buf died;
	int freed;	/* the thread that was moved last */
	uint64_t where; /* it may run */
	int worker;
	pc_ns now;
} played;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
int __wrap_pressure_facts(const struct pressure *p, struct process_facts *out);
_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_sched_setaffinity) {
		played.freed = (int)a;
		played.where = *(const uint64_t *)c;
		return 0;
	}
	if (nr == __NR_sched_getaffinity) {
		*(uint64_t *)c = a == played.worker ? EVERYWHERE : 1;
		return sizeof(uint64_t);
	}
	return __real_sys_call(nr, a, b, c, d, e, f);
}

int __wrap_pressure_facts(const struct pressure *p, struct process_facts *out)
{
	(void)p;
	*out = (struct process_facts){.tracer_pid = played.tracer};
	return 0;
}

_Noreturn void __wrap_pc_fatal(const char *what, uint64_t fact1, uint64_t fact2)
{
	(void)what;
	(void)fact1;
	assert_int_equal(fact2, WATCH_LOOKS);
	longjmp(played.died, 1);
}

static int begin(void **unused)
{
	(void)unused;
	played.freed = played.tracer = 0;
	played.worker = (int)sys_gettid();
	if (pipe(played.message))
		return -1;
	world.uffd.fd = played.message[0];
	for (unsigned i = 0; i < PAGERS; i++) {
		pager[i] = (struct fault_thread){
		    .index = i, .cpu = i + 2, .tid = TID + (int)i, .parked = 1};
		pager[i].nudge = eventfd(0, EFD_NONBLOCK);
	}
	fault_set(pager, PAGERS);
	watch_start();
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < PAGERS; i++)
		close(pager[i].nudge);
	close(played.message[0]);
	close(played.message[1]);
	return 0;
}

static void look(void)
{
	played.now += PC_SEC;
	watch_look(played.now);
	watch_look(played.now + PC_SEC / 2); /* too early to be another one */
}

static void make_readable(void)
{
	assert_int_equal(write(played.message[1], "m", 1), 1);
}

/* How many looks until the process is ended; 0: it is not, in `most`. */
static unsigned ended_after(unsigned most)
{
	volatile unsigned looks = 0;

	if (setjmp(played.died))
		return looks;
	while (looks < most) {
		looks++;
		look();
	}
	return 0;
}

static void test_idle_pagers_are_left_alone(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);

	(void)unused;
	pager[0].messages = pager[0].answered = 1000;
	assert_int_equal(ended_after(3 * WATCH_LOOKS), 0);
	assert_int_equal(stats_get(PC_V_faults_late), late);
	assert_int_equal(pager[0].parked, 1);
}

/* It always has something to answer, and each time something else. */
static void test_busy_pagers_are_left_alone(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);

	(void)unused;
	make_readable();
	for (unsigned i = 0; i < 3 * WATCH_LOOKS; i++) {
		pager[1].messages++;
		look();
		pager[1].answered = pager[1].messages;
		pager[1].messages++;
	}
	assert_int_equal(stats_get(PC_V_faults_late), late);
}

static void test_a_pager_that_hangs_ends_the_process(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);

	(void)unused;
	pager[0].messages = pager[0].answered = 7;
	pager[1].messages = 5;
	pager[1].answered = 4;
	look();
	assert_int_equal(stats_get(PC_V_faults_late), late);
	look();
	assert_int_equal(stats_get(PC_V_faults_late), late + 1);
	assert_int_equal(played.freed, TID + 1);
	assert_int_equal(pager[0].parked, 0);
	assert_int_equal(pager[1].parked, 0);
	/* Others go on: that changes nothing for who waits for it. */
	pager[0].messages = pager[0].answered = 8;
	assert_int_equal(ended_after(2 * WATCH_LOOKS), WATCH_LOOKS - 1);
	assert_int_equal(stats_get(PC_V_faults_late), late + 1);
}

static void test_what_nobody_reads_ends_the_process(void **unused)
{
	(void)unused;
	make_readable();
	assert_int_equal(ended_after(2 * WATCH_LOOKS), WATCH_LOOKS + 1);
	assert_int_equal(pager[0].parked, 0);
	assert_in_range(played.freed, TID, TID + 1);
}

/* One look before the end is not too late. */
static void test_an_answer_ends_the_count(void **unused)
{
	(void)unused;
	pager[1].messages = 5;
	pager[1].answered = 4;
	assert_int_equal(ended_after(WATCH_LOOKS), 0);
	pager[1].answered = 5;
	look();
	pager[1].messages = 6;
	assert_int_equal(ended_after(WATCH_LOOKS), 0);
}

static void test_a_traced_process_is_not_ended(void **unused)
{
	(void)unused;
	played.tracer = 1;
	make_readable();
	assert_int_equal(ended_after(2 * WATCH_LOOKS), 0);
	played.tracer = 0;
	assert_int_equal(ended_after(1), 1);
}

static void test_who_waits_at_the_gate_judges(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);

	(void)unused;
	watch_start();
	watch_gate(2);
	assert_int_equal(stats_get(PC_V_faults_late), late + 1);
	watch_gate(WATCH_LOOKS);
	if (!setjmp(played.died)) {
		watch_gate(WATCH_LOOKS + 1);
		fail_msg("it lives");
	}
	pager[0].tid = (int)sys_gettid();
	if (!setjmp(played.died)) {
		watch_gate(WATCH_LOOKS + 1);
		fail_msg("it lives");
	}
}

/* Who waited when the process was stopped has waited long enough, as soon as it goes on. */
static void test_a_stop_is_not_late(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);

	(void)unused;
	watch_gate(1);
	assert_int_equal(stats_get(PC_V_faults_late), late);
	assert_int_equal(played.freed, 0);
	assert_int_equal(pager[0].parked, 1);
}

static void *be_a_pager(void *unused)
{
	store_relaxed(&pager[1].tid, (int)sys_gettid());
	watch_gate(2);
	return unused;
}

/* Who looks has one CPU, where it may be that nobody gets any. */
static void test_a_pager_lets_others_run_anywhere(void **unused)
{
	pthread_t thread;

	(void)unused;
	assert_int_equal(pthread_create(&thread, NULL, be_a_pager, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(played.freed, pager[1].tid);
	assert_int_equal(played.where, EVERYWHERE);
}

static void be_late(void)
{
	pager[1].messages++;
	look();
	look();
	assert_int_equal(played.freed, TID + 1);
	assert_int_equal(played.where, EVERYWHERE);
}

static unsigned looks_until_pinned(void)
{
	unsigned looks = 0;

	while (played.where == EVERYWHERE && looks < WATCH_LOOKS) {
		looks++;
		look();
	}
	return looks;
}

static void test_who_answers_again_goes_back_to_its_cpu(void **unused)
{
	(void)unused;
	be_late();
	for (unsigned i = 0; i < 10; i++)
		look();
	assert_int_equal(played.where, EVERYWHERE);
	pager[1].answered = pager[1].messages;
	assert_int_equal(looks_until_pinned(), 1);
	assert_int_equal(played.freed, TID + 1);
	assert_int_equal(played.where, 1ull << pager[1].cpu);
}

/* Not each second where it is starved for good. */
static void test_who_is_late_again_goes_back_later(void **unused)
{
	unsigned looks;

	(void)unused;
	be_late();
	pager[1].answered = pager[1].messages;
	looks = looks_until_pinned();
	be_late();
	pager[1].answered = pager[1].messages;
	assert_true(looks_until_pinned() > looks);
}

/* It may have been none of those that had something to read, and have answered nothing. */
static void test_who_has_nothing_to_answer_goes_back_too(void **unused)
{
	char byte;

	(void)unused;
	make_readable();
	look();
	look();
	assert_int_equal(played.where, EVERYWHERE);
	assert_int_equal(read(played.message[0], &byte, 1), 1);
	assert_in_range(looks_until_pinned(), 1, 2);
}

/* Its descriptors are not ours. */
static void *be_of_the_program(void *unused)
{
	watch_gate(2);
	watch_gate(WATCH_LOOKS + 1);
	return unused;
}

static void test_a_thread_of_the_program_does_not_judge(void **unused)
{
	const uint64_t late = stats_get(PC_V_faults_late);
	pthread_t thread;

	(void)unused;
	assert_int_equal(pthread_create(&thread, NULL, be_of_the_program, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(stats_get(PC_V_faults_late), late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_idle_pagers_are_left_alone, begin, end),
	    cmocka_unit_test_setup_teardown(test_busy_pagers_are_left_alone, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_pager_that_hangs_ends_the_process, begin, end),
	    cmocka_unit_test_setup_teardown(test_what_nobody_reads_ends_the_process, begin, end),
	    cmocka_unit_test_setup_teardown(test_an_answer_ends_the_count, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_traced_process_is_not_ended, begin, end),
	    cmocka_unit_test_setup_teardown(test_who_waits_at_the_gate_judges, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_stop_is_not_late, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_pager_lets_others_run_anywhere, begin, end),
	    cmocka_unit_test_setup_teardown(test_who_answers_again_goes_back_to_its_cpu, begin,
					    end),
	    cmocka_unit_test_setup_teardown(test_who_is_late_again_goes_back_later, begin, end),
	    cmocka_unit_test_setup_teardown(test_who_has_nothing_to_answer_goes_back_too, begin,
					    end),
	    cmocka_unit_test_setup_teardown(test_a_thread_of_the_program_does_not_judge, begin,
					    end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
