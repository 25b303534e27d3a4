#include "kernel/tracepoint.h"

#include "base/sys.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* perf_event_open() and the mapping of its ring are played; the tracefs is a folder. */
#define EVENT_FD 1000
#define RING	 (TRACEPOINT_RING_PAGES * PC_PAGE)

static struct {
	char root[64];
	long open_error;
	long map_error;
	struct perf_event_attr attr; /* as asked for */
	long tid;
	unsigned closed;
	uint8_t *ring; /* header page and data */
} fake;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

static long open_event(const struct perf_event_attr *attr, long tid)
{
	fake.attr = *attr;
	fake.tid = tid;
	return fake.open_error ? fake.open_error : EVENT_FD;
}

static long map_ring(long bytes)
{
	if (fake.map_error)
		return fake.map_error;
	assert_int_equal(bytes, RING + PC_PAGE);
	return (long)fake.ring;
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == __NR_perf_event_open)
		return open_event((const struct perf_event_attr *)a, b);
	if (nr == __NR_mmap && e == EVENT_FD)
		return map_ring(b);
	if (nr == __NR_munmap && (uint8_t *)a == fake.ring)
		return 0;
	if (nr == __NR_close && a == EVENT_FD) {
		fake.closed++;
		return 0;
	}
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/a/event/%s", fake.root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void make_folder(const char *below)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", fake.root, below);
	assert_int_equal(mkdir(path, 0700), 0);
}

static const char format[] =
    "name: event\nID: 734\nformat:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
    "\tfield:unsigned int restart;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:unsigned long start;\toffset:16;\tsize:8;\tsigned:0;\n"
    "\tfield:unsigned long end;\toffset:24;\tsize:8;\tsigned:0;\n"
    "\tfield:unsigned int count;\toffset:32;\tsize:4;\tsigned:0;\n"
    "\tfield:unsigned int age;\toffset:36;\tsize:4;\tsigned:0;\n\n"
    "print fmt: \"start=%lu age=%u\", REC->start, REC->age\n";

static int begin(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	strcpy(fake.root, "/tmp/predicomp-tracepoint-XXXXXX");
	assert_non_null(mkdtemp(fake.root));
	make_folder("/a");
	make_folder("/a/event");
	put_file("id", "734\n");
	put_file("format", format);
	fake.ring = calloc(1, RING + PC_PAGE);
	return fake.ring ? 0 : -1;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	free(fake.ring);
	snprintf(command, sizeof(command), "rm -r %s", fake.root);
	return system(command);
}

static const char *const names[] = {"start", "end", "count", "age"};

static struct tracepoint t;

static int open_it(void)
{
	return tracepoint_open(&t, fake.root, "a/event", 42, names);
}

/* --- what the kernel writes --- */

static struct perf_event_mmap_page *page(void)
{
	return (void *)fake.ring;
}

static void put_bytes(const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fake.ring[PC_PAGE + page()->data_head++ % RING] = ((const uint8_t *)from)[i];
}

static void put_record(uint32_t type, const void *body, size_t n)
{
	const struct perf_event_header h = {.type = type, .size = (uint16_t)(sizeof(h) + n)};

	put_bytes(&h, sizeof(h));
	put_bytes(body, n);
}

struct sample {
	uint32_t size;
	uint8_t raw[44];
} __attribute__((packed));

static struct sample sample(uint64_t start, uint64_t stop, uint32_t count, uint32_t age)
{
	struct sample s = {.size = sizeof(s.raw)};

	memcpy(s.raw + 16, &start, 8);
	memcpy(s.raw + 24, &stop, 8);
	memcpy(s.raw + 32, &count, 4);
	memcpy(s.raw + 36, &age, 4);
	return s;
}

static void say(uint64_t start)
{
	const struct sample s = sample(start, start + 1, 3, 4);

	put_record(PERF_RECORD_SAMPLE, &s, sizeof(s));
}

/* --- what we hear --- */

static uint64_t next_start;

static void expect_next(const uint64_t value[TRACEPOINT_FIELDS], void *arg)
{
	assert_ptr_equal(arg, &t);
	assert_int_equal(value[0], next_start);
	assert_int_equal(value[1], next_start + 1);
	assert_int_equal(value[2], 3);
	assert_int_equal(value[3], 4);
	next_start++;
}

static unsigned hear(uint64_t *lost)
{
	return tracepoint_read(&t, expect_next, &t, lost);
}

/* --- tests --- */

static void listens_to_one_thread(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	assert_true(tracepoint_is_open(&t));
	assert_int_equal(fake.attr.type, PERF_TYPE_TRACEPOINT);
	assert_int_equal(fake.attr.config, 734);
	assert_int_equal(fake.attr.sample_period, 1);
	assert_int_equal(fake.attr.sample_type, PERF_SAMPLE_RAW);
	assert_int_equal(fake.tid, 42);
	tracepoint_close(&t);
	assert_false(tracepoint_is_open(&t));
	assert_int_equal(fake.closed, 1);
	tracepoint_close(&t);
	assert_int_equal(fake.closed, 1);
}

static void learns_where_fields_are(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(t.field[0].offset, 16); /* "restart" is another */
	assert_int_equal(t.field[1].offset, 24);
	assert_int_equal(t.field[2].offset, 32);
	assert_int_equal(t.field[2].size, 4);
	assert_int_equal(t.field[3].offset, 36);
}

/* A read pointer that lags or runs ahead would show as records twice or never. */
static void hears_all_in_order_around_the_end(void **state)
{
	const unsigned rounds = 3 * RING / sizeof(struct sample) / 100;
	uint64_t lost, told = 5;

	(void)state;
	assert_int_equal(open_it(), 0);
	next_start = told;
	assert_int_equal(hear(&lost), 0);
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < 100; k++)
			say(told++);
		assert_int_equal(hear(&lost), 100);
		assert_int_equal(lost, 0);
		assert_int_equal(page()->data_tail, page()->data_head);
		assert_int_equal(hear(&lost), 0);
	}
	assert_int_equal(next_start, told);
}

static void counts_what_was_lost(void **state)
{
	const uint64_t body[] = {99, 1234}; /* id, number */
	uint64_t lost;

	(void)state;
	assert_int_equal(open_it(), 0);
	next_start = 1;
	say(1);
	put_record(PERF_RECORD_LOST, body, sizeof(body));
	say(2);
	put_record(PERF_RECORD_EXIT, body, sizeof(body));
	assert_int_equal(hear(&lost), 2);
	assert_int_equal(lost, 1234);
	assert_int_equal(hear(&lost), 0);
	assert_int_equal(lost, 0);
}

static void note(const uint64_t value[TRACEPOINT_FIELDS], void *arg)
{
	memcpy(arg, value, TRACEPOINT_FIELDS * sizeof(*value));
}

static void short_records_read_as_zero(void **state)
{
	uint64_t value[TRACEPOINT_FIELDS] = {9, 9, 9, 9}, lost;
	struct sample s = sample(7, 8, 3, 4);

	(void)state;
	assert_int_equal(open_it(), 0);
	s.size = 34; /* ends inside the third field */
	put_record(PERF_RECORD_SAMPLE, &s, 4 + 34);
	assert_int_equal(tracepoint_read(&t, note, value, &lost), 1);
	assert_int_equal(value[0], 7);
	assert_int_equal(value[1], 8);
	assert_int_equal(value[2], 0);
	assert_int_equal(value[3], 0);
	/* A size that lies is held to the record. */
	s.size = 4000;
	put_record(PERF_RECORD_SAMPLE, &s, 4 + 34);
	assert_int_equal(tracepoint_read(&t, note, value, &lost), 1);
	assert_int_equal(value[2], 0);
	put_record(PERF_RECORD_SAMPLE, &s, 2);
	assert_int_equal(tracepoint_read(&t, note, value, &lost), 0);
}

static void says_why_not(void **state)
{
	(void)state;
	fake.open_error = -EACCES;
	assert_int_equal(open_it(), -EACCES);
	fake.open_error = 0;
	fake.map_error = -EPERM;
	assert_int_equal(open_it(), -EPERM);
	assert_int_equal(fake.closed, 1);
	fake.map_error = 0;
	assert_int_equal(tracepoint_open(&t, fake.root, "a/other", 42, names), -ENOENT);
	put_file("format", "\tfield:unsigned long start;\toffset:16;\tsize:8;\tsigned:0;\n");
	assert_int_equal(open_it(), -ENOENT);
	/* Sizes and places that no record of ours has. */
	put_file("format", "\tfield:u64 start;\toffset:9999;\tsize:8;\n\tfield:u16 end;\toffset:0;"
			   "\tsize:2;\n\tfield:u32 count;\toffset:0;\tsize:4;\n\tfield:u32 age;"
			   "\toffset:0;\tsize:4;\n");
	assert_int_equal(open_it(), -ENOENT);
	put_file("id", "many\n");
	assert_int_equal(open_it(), -EINVAL);
	assert_false(tracepoint_is_open(&t));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(listens_to_one_thread),
	    TEST(learns_where_fields_are),
	    TEST(hears_all_in_order_around_the_end),
	    TEST(counts_what_was_lost),
	    TEST(short_records_read_as_zero),
	    TEST(says_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
