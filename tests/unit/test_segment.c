/*
 * What threads of the program count is there afterwards, however often the segment is published
 * meanwhile: a copy that is taken between two of their counts and mapped after the second loses it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/stats.h"
#include "base/sys.h"
#include "segment.h"

#define PUBLISHED 100u
#define COUNTERS  3u
#define FDS	  512

static struct {
	uint32_t running;
	uint32_t stop;
	uint64_t counted[COUNTERS];
} played;

static void *count(void *mine)
{
	uint64_t *counted = mine;

	add_acq_rel(&played.running, 1u);
	while (!load_acquire(&played.stop)) {
		segment_count(PC_V_forks);
		++*counted;
	}
	return NULL;
}

/* The descriptor of each stays open, for the pager keeps it. */
static void test_nothing_is_lost_by_publishing(void **unused)
{
	pthread_t thread[COUNTERS];
	uint64_t counted = 0;

	(void)unused;
	assert_int_equal(segment_start("segment"), 0);
	for (unsigned i = 0; i < COUNTERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count, &played.counted[i]), 0);
	while (load_acquire(&played.running) < COUNTERS)
		sys_yield();
	for (unsigned i = 0; i < PUBLISHED; i++)
		assert_int_equal(segment_publish(), 0);
	store_release(&played.stop, 1);
	for (unsigned i = 0; i < COUNTERS; i++) {
		pthread_join(thread[i], NULL);
		counted += played.counted[i];
	}
	assert_true(counted >= COUNTERS);
	assert_int_equal(stats_get(PC_V_forks), counted);
}

/* Of all segments that this process has had open. */
static unsigned count_marked(unsigned *all)
{
	struct pc_segment head;
	unsigned marked = 0;

	*all = 0;
	for (int fd = 0; fd < FDS; fd++) {
		if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
		    head.magic != PC_SEGMENT_MAGIC)
			continue;
		*all += 1;
		marked += head.replaced;
	}
	return marked;
}

/* Who reads one that is written to no more can tell; the one that is has no mark. */
static void test_all_but_the_last_are_marked(void **unused)
{
	unsigned all;

	(void)unused;
	assert_int_equal(count_marked(&all), PUBLISHED - 1);
	assert_int_equal(all, PUBLISHED);
	assert_int_equal(stats_segment()->replaced, 0);
}

/* A child counts nowhere until it begins one of its own, which starts from nothing. */
static void test_one_that_was_left_starts_from_nothing(void **unused)
{
	(void)unused;
	assert_true(stats_get(PC_V_forks) > 0);
	assert_int_equal(segment_leave(), 0);
	assert_false(segment_started());
	assert_int_equal(segment_start("segment"), 0);
	assert_int_equal(stats_get(PC_V_forks), 0);
	segment_count(PC_V_forks);
	assert_int_equal(segment_publish(), 0);
	assert_int_equal(stats_get(PC_V_forks), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_lost_by_publishing),
	    cmocka_unit_test(test_all_but_the_last_are_marked),
	    cmocka_unit_test(test_one_that_was_left_starts_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
