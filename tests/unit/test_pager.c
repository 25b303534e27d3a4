/*
 * The pager's beginning, where it can fail half way: it runs whole or it does not run. A pager that is
 * missing would be waited for by whoever faults on its CPU, so the start of the second one is refused
 * here, whichever CPU this test is on. What is refused for the moment (EAGAIN) is tried again. And what
 * it has then set up for itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/options.h"
#include "base/stats.h"
#include "base/sys.h"
#include "crew.h"
#include "flow/world.h"
#include "kernel/pressure.h"
#include "kernel/vma.h"
#include "pager.h"
#include "segment.h"
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIP	77
#define PATIENT (60 * PC_SEC)
#define PAGERS	64u /* as many as there may be */

static struct {
	uint32_t begun;	  /* of the pagers */
	uint32_t refused; /* which of them, from 1 on; 0: none */
	int refusal;	  /* what the answer is then */
	bool no_work;	  /* the work thread is refused for the moment */
	bool counted;	  /* there was a segment when the first work thread was made */
	unsigned works;
	int64_t maps;	  /* that the process may have */
	uint32_t settled; /* how often the clock was */
} played = {.maps = 40000};

int __real_crew_start(struct crew_member *m, const char *use, int (*fn)(void *), void *arg);
int __wrap_crew_start(struct crew_member *m, const char *use, int (*fn)(void *), void *arg);
int64_t __wrap_pressure_max_map_count(void);
pc_ns __wrap_sys_cpu_of(int tid);
void __real_clock_settle(void);
void __wrap_clock_settle(void);

int __wrap_crew_start(struct crew_member *m, const char *use, int (*fn)(void *), void *arg)
{
	if (!strcmp(use, "pager") &&
	    add_acq_rel(&played.begun, 1u) + 1 == load_acquire(&played.refused))
		return played.refusal;
	if (!strcmp(use, "work") && !played.works++)
		played.counted = segment_started();
	if (!strcmp(use, "work") && played.no_work) {
		m->refused = true;
		return -EAGAIN;
	}
	return __real_crew_start(m, use, fn, arg);
}

int64_t __wrap_pressure_max_map_count(void)
{
	return played.maps;
}

/* Each pager has had a second, whenever it is asked. */
pc_ns __wrap_sys_cpu_of(int tid)
{
	(void)tid;
	return PC_SEC;
}

void __wrap_clock_settle(void)
{
	add_relaxed(&played.settled, 1u);
	__real_clock_settle();
}

static enum pc_run_state state(void)
{
	return (enum pc_run_state)load_acquire(&stats_segment()->run_state);
}

static bool has_decided(void)
{
	return state() == PC_STATE_ACTIVE || state() == PC_STATE_INERT;
}

static bool has_tried_and_decided(void)
{
	return load_acquire(&played.begun) >= PAGERS && has_decided();
}

static enum pc_run_state state_once(bool (*decided)(void))
{
	pc_ns until = sys_monotonic() + PATIENT;

	while (!decided() && sys_monotonic() < until)
		sys_yield();
	return state();
}

/* What a process that ends at once pays for is the thread. */
static void test_no_segment_is_begun_before_there_is_a_thread(void **unused)
{
	(void)unused;
	assert_false(played.counted);
	assert_true(segment_started());
}

static void test_all_pagers_run(void **unused)
{
	(void)unused;
	assert_int_equal(load_acquire(&played.begun), PAGERS);
	assert_int_equal(state(), PC_STATE_ACTIVE);
}

/* The program keeps three mappings of four for itself. */
static void test_a_quarter_of_the_mappings_is_ours(void **unused)
{
	(void)unused;
	assert_int_equal(world.max_runs, 10000);
}

struct huge_look {
	struct pc_tables at;
	uint64_t staging, store; /* bytes seen without huge pages */
};

static uint64_t part_of(const struct vma *v, uint64_t start, uint64_t bytes)
{
	pc_addr from = PC_MAX(v->start, start), to = PC_MIN(v->end, start + bytes);

	return from < to ? to - from : 0;
}

static bool look_for_huge(const struct vma *v, void *arg)
{
	struct huge_look *l = arg;

	if (v->flags & VMA_FLAG(nh)) {
		l->staging += part_of(v, l->at.staging, l->at.staging_bytes);
		l->store += part_of(v, l->at.store, l->at.store_bytes);
	}
	return true;
}

/* A move of a whole one is what kernels get wrong, and the store counts single pages. */
static void test_no_huge_page_comes_into_being_in_staging_or_store(void **unused)
{
	static char buf[1 << 16];
	struct huge_look l = {.at = tables_where()};
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);

	(void)unused;
	assert_true(fd >= 0);
	assert_true(l.at.staging_bytes && l.at.store_bytes);
	assert_int_equal(vma_walk(fd, true, buf, sizeof(buf), look_for_huge, &l), 0);
	sys_close(fd);
	assert_int_equal(l.staging, l.at.staging_bytes);
	assert_int_equal(l.store, l.at.store_bytes);
}

static void begin_again(uint32_t refused, int refusal)
{
	const int paused = pager_pause(PC_INERT_FORKING);

	assert_int_equal(state(), PC_STATE_INERT);
	played.refusal = refusal;
	store_release(&played.begun, 0u);
	store_release(&played.refused, refused);
	pager_continue(paused);
}

/* The first one runs by then. */
static void test_none_runs_when_one_cannot(void **unused)
{
	(void)unused;
	begin_again(PAGERS, -EPERM);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_INERT);
	assert_int_equal(stats_get(PC_V_pagers_waiting), 0);
}

/* Nothing is in the way of the next attempt. */
static void test_all_run_the_next_time(void **unused)
{
	(void)unused;
	begin_again(0, 0);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_ACTIVE);
}

/* The next attempt needs nobody to ask for it. */
static void test_one_that_cannot_for_the_moment_is_no_end(void **unused)
{
	(void)unused;
	begin_again(PAGERS, -EAGAIN);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_ACTIVE);
	assert_true(load_acquire(&played.begun) > PAGERS);
}

static bool has_settled_again(void)
{
	return load_relaxed(&played.settled) >= 2;
}

static void test_the_clock_is_settled_again_and_again(void **unused)
{
	(void)unused;
	store_relaxed(&played.settled, 0u);
	state_once(has_settled_again);
	assert_true(has_settled_again());
}

static void fork_in_parent(bool no_work)
{
	played.no_work = no_work;
	pager_fork_before();
	store_release(&played.begun, 0u);
	pager_fork_parent();
}

/* Nobody is there to try again by itself: each fork does. */
static void test_forks_ask_again_for_the_work_thread(void **unused)
{
	(void)unused;
	fork_in_parent(true);
	assert_int_equal(state(), PC_STATE_INERT);
	fork_in_parent(true);
	assert_int_equal(state(), PC_STATE_INERT);
	fork_in_parent(false);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_ACTIVE);
}

static bool has_counted(void)
{
	return state() == PC_STATE_ACTIVE && stats_get(PC_V_pager_cpu);
}

static int count_in_child(void)
{
	pager_fork_child((pc_addr)pthread_self());
	state_once(has_counted);
	return stats_get(PC_V_pager_cpu) == PAGERS * PC_SEC ? 0 : 1;
}

/* Those of its parent have ended by then, and been counted there. */
static void test_a_child_counts_the_time_of_its_own_pagers(void **unused)
{
	int status;
	pid_t pid;

	(void)unused;
	assert_true(pager_fork_before());
	store_release(&played.begun, 0u);
	store_release(&played.refused, 0u);
	pid = fork();
	if (!pid)
		_exit(count_in_child());
	pager_fork_parent();
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_ACTIVE);
}

static void test_a_pause_is_not_ended_by_a_fork(void **unused)
{
	int paused;

	(void)unused;
	fork_in_parent(true);
	paused = pager_pause(PC_INERT_IDENTITY);
	fork_in_parent(false);
	assert_int_equal(state(), PC_STATE_INERT);
	assert_int_equal(load_acquire(&played.begun), 0);
	pager_continue(paused);
	assert_int_equal(state_once(has_tried_and_decided), PC_STATE_ACTIVE);
}

static void *exclude(void *unused)
{
	pager_exclude(PC_UNIT, 2 * PC_UNIT);
	return unused;
}

/* As if it held a lock that libc's fork waits for. Nobody manages then what was not noted. */
static void test_a_fork_does_not_wait_for_who_waits_for_it(void **unused)
{
	struct timespec until;
	pthread_t t;
	int err;

	(void)unused;
	pager_fork_before();
	assert_int_equal(pthread_create(&t, NULL, exclude, NULL), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	err = pthread_timedjoin_np(t, NULL, &until);
	pager_fork_parent();
	assert_int_equal(err, 0);
	assert_int_equal(state(), PC_STATE_INERT);
	assert_int_equal(stats_segment()->inert_reason, PC_INERT_UNTRACKED);
}

/* Memory is not the matter here: none gets old enough to leave. */
static void begin_options(void)
{
	options_defaults(&options);
	options.cold_age = 3600 * PC_SEC;
	options.min_rss = 0;
	options.hotness = HOTNESS_PROBE;
	options.pager_threads = PAGERS;
	options.log = LOG_OFF;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_segment_is_begun_before_there_is_a_thread),
	    cmocka_unit_test(test_all_pagers_run),
	    cmocka_unit_test(test_a_quarter_of_the_mappings_is_ours),
	    cmocka_unit_test(test_no_huge_page_comes_into_being_in_staging_or_store),
	    cmocka_unit_test(test_none_runs_when_one_cannot),
	    cmocka_unit_test(test_all_run_the_next_time),
	    cmocka_unit_test(test_one_that_cannot_for_the_moment_is_no_end),
	    cmocka_unit_test(test_the_clock_is_settled_again_and_again),
	    cmocka_unit_test(test_forks_ask_again_for_the_work_thread),
	    cmocka_unit_test(test_a_child_counts_the_time_of_its_own_pagers),
	    cmocka_unit_test(test_a_pause_is_not_ended_by_a_fork),
	    cmocka_unit_test(test_a_fork_does_not_wait_for_who_waits_for_it), /* the last */
	};
	int failed;

	begin_options();
	if (pager_start("test_pager", &errno))
		return 1;
	if (state_once(has_decided) == PC_STATE_INERT) {
		puts("SKIP: no pager can run here: see `predicomp check`");
		return SKIP;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pager_quit(PC_INERT_FORKING);
	return failed;
}
