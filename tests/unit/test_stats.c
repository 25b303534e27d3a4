#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/stats.h"

#define ROUNDS 20000
#define COPIES 2000

static void *memory;

static const struct pc_segment *segment(void)
{
	return memory;
}

/* A segment is read here as a tool reads it: by its own description, never by the ids of a build.
 */
static const struct pc_entry *entry_of(const char *name)
{
	const struct pc_entry *e = (const void *)((const char *)memory + segment()->entry_offset);

	for (uint32_t i = 0; i < segment()->entry_count; i++)
		if (!strcmp(e[i].name, name))
			return &e[i];
	return NULL;
}

static int64_t value_of(const char *name)
{
	const struct pc_entry *e = entry_of(name);
	const char *shard = (const char *)memory + segment()->value_offset;
	uint64_t sum = 0;

	assert_non_null(e);
	for (uint32_t i = 0; i < segment()->shard_count; i++)
		sum += ((const uint64_t *)(const void *)(shard +
							 i * segment()->shard_stride))[e->slot];
	return (int64_t)sum;
}

static const struct pc_histogram *histogram_of(const char *name, unsigned shard)
{
	const struct pc_entry *e = entry_of(name);
	const char *h = (const char *)memory + segment()->hist_offset;

	assert_non_null(e);
	assert_int_equal(e->kind, PC_ENTRY_HISTOGRAM);
	return (const struct pc_histogram *)(const void *)(h + shard * segment()->hist_stride) +
	       e->slot;
}

static int start(void **state)
{
	(void)state;
	if (!memory)
		memory = aligned_alloc(PC_PAGE, stats_segment_bytes());
	memset(memory, 0, stats_segment_bytes());
	stats_start(memory, 4711, "a program with a name that is far too long", 99);
	return 0;
}

/* Runs first: nothing has been started yet. */
static void counting_works_before_there_is_a_segment(void **state)
{
	(void)state;
	assert_non_null(stats_segment());
	assert_int_equal(stats_segment()->ready, 0);
	COUNT(3, ticks);
	ADD(5, ticks, 10);
	OBSERVE(1, unpack, 700);
	assert_int_equal(stats_get(PC_V_ticks), 11);
}

/* A child's first counts must not reach its parent, whose segment it has mapped. */
static void a_child_counts_elsewhere(void **state)
{
	const uint64_t before = stats_get(PC_V_ticks);

	(void)state;
	stats_leave();
	COUNT(0, ticks);
	assert_ptr_not_equal(stats_segment(), segment());
	assert_int_equal(stats_segment()->ready, 0);
	assert_int_equal(value_of("ticks"), before);
}

static void the_segment_describes_itself(void **state)
{
	const struct pc_segment *s = segment();

	(void)state;
	assert_ptr_equal(stats_segment(), s);
	assert_int_equal(s->magic, PC_SEGMENT_MAGIC);
	assert_int_equal(s->version, PC_SEGMENT_VERSION);
	assert_int_equal(s->ready, 1);
	assert_int_equal(s->size, stats_segment_bytes());
	assert_int_equal(s->pid, 4711);
	assert_int_equal(s->start_ns, 99);
	assert_string_equal(s->program, "a program with a name that is f");
	assert_int_equal(s->entry_offset, PC_SEGMENT_HEADER);
	assert_int_equal(s->shard_count, PC_SHARDS);
	assert_int_equal(stats_segment_bytes() % PC_PAGE, 0);
	assert_int_equal(value_of("ticks"), 0);
}

static void the_parts_of_the_segment_do_not_overlap(void **state)
{
	const struct pc_segment *s = segment();
	uint64_t entries_end = s->entry_offset + s->entry_count * sizeof(struct pc_entry);

	(void)state;
	assert_true(sizeof(*s) <= s->entry_offset);
	assert_true(entries_end <= s->value_offset);
	assert_true(s->counter_count * sizeof(uint64_t) <= s->shard_stride);
	assert_true(s->value_offset + s->shard_count * (uint64_t)s->shard_stride <= s->hist_offset);
	assert_true(s->histogram_count * sizeof(struct pc_histogram) <= s->hist_stride);
	assert_true(s->hist_offset + s->shard_count * s->hist_stride <= s->unit_column_offset);
	assert_true(s->unit_column_offset + s->unit_column_count * sizeof(struct pc_entry) <=
		    s->unit_offset);
	assert_true(s->unit_offset + s->unit_rows * (uint64_t)s->unit_stride <= s->size);
	assert_int_equal(s->unit_offset % 64, 0);
	assert_int_equal(s->value_offset % 64, 0);
	assert_int_equal(s->shard_stride % 64, 0);
	assert_int_equal(s->hist_offset % 64, 0);
	assert_int_equal(s->hist_stride % 64, 0);
}

static void every_slot_has_one_entry(void **state)
{
	const struct pc_segment *s = segment();
	const struct pc_entry *e = (const void *)((const char *)memory + s->entry_offset);
	unsigned *values = calloc(s->counter_count, sizeof(*values));
	unsigned *histograms = calloc(s->histogram_count, sizeof(*histograms));

	(void)state;
	assert_int_equal(s->entry_count, s->counter_count + s->histogram_count);
	for (uint32_t i = 0; i < s->entry_count; i++) {
		bool histogram = e[i].kind == PC_ENTRY_HISTOGRAM;

		assert_true(e[i].name[0] && e[i].unit[0]);
		assert_true(e[i].slot < (histogram ? s->histogram_count : s->counter_count));
		assert_int_equal((histogram ? histograms : values)[e[i].slot]++, 0);
	}
	free(values);
	free(histograms);
	assert_int_equal(entry_of("pages_evicted")->kind, PC_ENTRY_COUNTER);
	assert_int_equal(entry_of("pages_stored")->kind, PC_ENTRY_GAUGE);
	assert_string_equal(entry_of("compress_bytes_in")->unit, "bytes");
}

static void shards_are_summed(void **state)
{
	(void)state;
	for (unsigned shard = 0; shard < 3 * PC_SHARDS; shard++)
		COUNT(shard, pages_evicted);
	ADD(1, pages_stored, 5);
	ADD(2, pages_stored, -7);
	SET(cold_age_now, 5 * PC_SEC);
	SET(cold_age_now, 4 * PC_SEC);
	assert_int_equal(value_of("pages_evicted"), 3 * PC_SHARDS);
	assert_int_equal(value_of("pages_stored"), -2);
	assert_int_equal(value_of("cold_age_now"), 4 * PC_SEC);
	assert_int_equal(stats_get(PC_V_pages_evicted), 3 * PC_SHARDS);
	assert_int_equal((int64_t)stats_get(PC_V_pages_stored), -2);
	assert_int_equal(value_of("pages_restored"), 0);
}

static void observations_are_kept(void **state)
{
	const struct pc_histogram *h = histogram_of("fault_all", 2);

	(void)state;
	OBSERVE(2, fault_all, 5);
	OBSERVE(2 + PC_SHARDS, fault_all, 5000);
	stats_observe_n(2, PC_H_fault_all, 100, 8);
	stats_observe_n(2, PC_H_fault_all, 1 << 20, 0);
	assert_int_equal(h->count, 10);
	assert_int_equal(h->sum, 5805);
	assert_int_equal(h->max, 5000);
	assert_int_equal(h->bucket[hist_bucket(5)], 1);
	assert_int_equal(h->bucket[hist_bucket(100)], 8);
	assert_int_equal(h->bucket[hist_bucket(5000)], 1);
	assert_int_equal(histogram_of("fault_all", 1)->count, 0);
	assert_int_equal(histogram_of("fault_missing", 2)->count, 0);
}

static void buckets_are_those_of_the_contract(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 32; v++)
		assert_int_equal(hist_bucket(v), v);
	assert_int_equal(hist_bucket(33), 32);
	assert_int_equal(hist_bucket(34), 33);
	assert_int_equal(hist_bucket(63), 47);
	assert_int_equal(hist_bucket(64), 48);
	assert_int_equal(hist_bucket((1ull << 36) - 1), PC_HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(1ull << 36), PC_HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), PC_HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket_low(PC_HIST_BUCKETS - 1), 31ull << 31);
}

static void buckets_leave_no_gap(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket_low(0), 0);
	for (unsigned b = 1; b < PC_HIST_BUCKETS; b++) {
		assert_int_equal(hist_bucket(hist_bucket_low(b)), b);
		assert_int_equal(hist_bucket(hist_bucket_low(b) - 1), b - 1);
	}
}

static void a_bucket_is_a_sixteenth_off_at_worst(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	srandom(seed);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t bits = (uint64_t)random() << 31 ^ (uint64_t)random();
		pc_ns v = bits % (1ull << 36) >> (random() % 36);
		unsigned b = hist_bucket(v);

		assert_true(hist_bucket_low(b) <= v);
		assert_true(v - hist_bucket_low(b) <= v / 16);
	}
}

static void *count_a_lot(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		COUNT(7, faults_missing);
		OBSERVE(7, fault_wp, (pc_ns)i);
	}
	return NULL;
}

static void sharing_a_shard_loses_nothing(void **state)
{
	const struct pc_histogram *h = histogram_of("fault_wp", 7);
	uint64_t buckets = 0;
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, count_a_lot, NULL), 0);
	count_a_lot(NULL);
	assert_int_equal(pthread_join(other, NULL), 0);
	for (unsigned b = 0; b < PC_HIST_BUCKETS; b++)
		buckets += h->bucket[b];
	assert_int_equal(value_of("faults_missing"), 2 * ROUNDS);
	assert_int_equal(h->count, 2 * ROUNDS);
	assert_int_equal(buckets, 2 * ROUNDS);
	assert_int_equal(h->sum, (uint64_t)ROUNDS * (ROUNDS - 1));
	assert_int_equal(h->max, ROUNDS - 1);
}

static struct {
	uint32_t stop;
	uint64_t pages;
} packing;

/* As a work thread packs: some microseconds a page, all of whose counts belong together. */
static void *pack_pages(void *unused)
{
	while (!__atomic_load_n(&packing.stop, __ATOMIC_RELAXED)) {
		stats_add(1, PC_V_pages_evicted, 1);
		stats_add(2, PC_V_pages_stored, 1);
		stats_add(3, PC_V_pages_restored, 1);
		stats_add(2, PC_V_pages_stored, -1);
		packing.pages++;
		for (volatile unsigned i = 0; i < 5000; i++)
			;
	}
	return unused;
}

/* A copy is told from one that is not whole: its writer was off the CPU for too long in mid-page. */
static bool copy_closes(struct pc_segment *copy)
{
	if (!stats_copy(copy))
		return false;
	assert_int_equal(value_of("pages_evicted"),
			 value_of("pages_restored") + value_of("pages_stored"));
	assert_in_range(value_of("pages_stored"), 0, 1); /* one: between two of its lines */
	return true;
}

static void a_copy_is_of_one_moment(void **state)
{
	struct pc_segment *copy = aligned_alloc(PC_PAGE, stats_segment_bytes());
	const struct timespec nap = {0, 1000000};
	struct pc_segment *live = memory;
	unsigned whole = 0;
	pthread_t thread;

	(void)state;
	assert_non_null(copy);
	memset(copy, 0, stats_segment_bytes());
	assert_int_equal(pthread_create(&thread, NULL, pack_pages, NULL), 0);
	nanosleep(&nap, NULL);
	memory = copy;
	for (unsigned i = 0; i < COPIES; i++)
		whole += copy_closes(copy);
	memory = live;
	__atomic_store_n(&packing.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(value_of("pages_evicted"), packing.pages);
	assert_in_range(whole, COPIES - COPIES / 100, COPIES);
	free(copy);
}

static void an_account_that_does_not_close_is_told(void **state)
{
	struct pc_segment *copy = aligned_alloc(PC_PAGE, stats_segment_bytes());

	(void)state;
	assert_non_null(copy);
	memset(copy, 0, stats_segment_bytes());
	stats_add(0, PC_V_pages_evicted, 1);
	assert_false(stats_copy(copy));
	assert_int_equal(copy->pid, segment()->pid);
	stats_add(0, PC_V_pages_evicted, -1);
	assert_true(stats_copy(copy));
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counting_works_before_there_is_a_segment),
	    cmocka_unit_test_setup(the_segment_describes_itself, start),
	    cmocka_unit_test_setup(the_parts_of_the_segment_do_not_overlap, start),
	    cmocka_unit_test_setup(a_child_counts_elsewhere, start),
	    cmocka_unit_test_setup(every_slot_has_one_entry, start),
	    cmocka_unit_test_setup(shards_are_summed, start),
	    cmocka_unit_test_setup(observations_are_kept, start),
	    cmocka_unit_test(buckets_are_those_of_the_contract),
	    cmocka_unit_test(buckets_leave_no_gap),
	    cmocka_unit_test(a_bucket_is_a_sixteenth_off_at_worst),
	    cmocka_unit_test_setup(sharing_a_shard_loses_nothing, start),
	    cmocka_unit_test_setup(a_copy_is_of_one_moment, start),
	    cmocka_unit_test_setup(an_account_that_does_not_close_is_told, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
