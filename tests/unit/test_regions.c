/* What /proc/PID/maps says about a process, told in classes and plain names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/regions.h"

static void expect(const char *line, enum region_class class, const char *label)
{
	struct region r;

	assert_true(region_parse(line, &r));
	assert_int_equal(r.start, 0x7f0000001000);
	assert_int_equal(r.end, 0x7f0000003000);
	assert_string_equal(region_class_name(r.class), region_class_name(class));
	assert_string_equal(r.label, label);
}

#define LINE "7f0000001000-7f0000003000 rw-p 00000000 00:00 0 "

static void lines_have_classes(void **state)
{
	(void)state;
	expect(LINE, REGION_ANON, "anonymous");
	expect("7f0000001000-7f0000003000 rw-p 00000000 00:00 0", REGION_ANON, "anonymous");
	expect(LINE "                         [heap]", REGION_HEAP, "heap");
	expect(LINE "[stack]", REGION_STACK, "stack");
	expect(LINE "[vdso]", REGION_KERNEL, "[vdso]");
	expect(LINE "[anon:arena 3]", REGION_ANON, "arena 3");
	expect(LINE "[anon:predicomp:store]", REGION_SHIM, "predicomp:store");
	expect(LINE "[anon:predicomposed]", REGION_ANON, "predicomposed");
	expect(LINE "/memfd:predicomp (deleted)", REGION_SHIM, "memfd:predicomp (deleted)");
	expect(LINE "/usr/lib/x y/libc.so.6", REGION_FILE, "libc.so.6");
	expect(LINE "/tmp/a\033[31m", REGION_FILE, "a?[31m");
	expect(LINE "/tmp/0123456789012345678901234567890123456789012345678901234567890",
	       REGION_FILE, "01234567890123456789012345678901234567890123456");
}

static void other_lines_are_none(void **state)
{
	struct region r;

	(void)state;
	assert_false(region_parse("", &r));
	assert_false(region_parse("Size:  4 kB", &r));
	assert_false(region_parse("3000-1000 rw-p 00000000 00:00 0", &r));
	assert_false(region_parse("1000-3000 rw-p", &r));
}

static void the_largest_part_names_a_unit(void **state)
{
	struct region at[] = {
	    {.start = 0, .end = 0x1000, .class = REGION_FILE},
	    {.start = 0x1000, .end = 0x5000, .class = REGION_ANON},
	    {.start = 0x8000, .end = 0x9000, .class = REGION_HEAP},
	};
	struct regions r = {.at = at, .count = 3};

	(void)state;
	assert_ptr_equal(regions_main(&r, 0, 0x10000), &at[1]);
	assert_ptr_equal(regions_main(&r, 0, 0x1800), &at[0]);
	assert_ptr_equal(regions_main(&r, 0x5000, 0x8800), &at[2]);
	assert_null(regions_main(&r, 0x5000, 0x8000));
	assert_null(regions_main(&r, 0x9000, 0x10000));
	assert_ptr_equal(regions_at(&r, 0x4fff), &at[1]);
	assert_null(regions_at(&r, 0x5000));
}

static void this_process_is_read(void **state)
{
	struct regions r = {0};
	int here = 0;
	char *mapping =
	    mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(mapping, MAP_FAILED);
	/* The middle one of three pieces differs only in what it allows: all are one. */
	assert_int_equal(mprotect(mapping + (1 << 18), 1 << 18, PROT_READ), 0);
	assert_int_equal(regions_read(&r, getpid()), 0);
	assert_int_equal(regions_at(&r, (pc_addr)&here)->class, REGION_STACK);
	assert_int_equal(regions_at(&r, (pc_addr)mapping)->class, REGION_ANON);
	assert_ptr_equal(regions_at(&r, (pc_addr)mapping),
			 regions_at(&r, (pc_addr)mapping + (1 << 20) - 1));
	assert_int_equal(regions_at(&r, (pc_addr)this_process_is_read)->class, REGION_FILE);
	assert_string_equal(regions_at(&r, (pc_addr)this_process_is_read)->label, "test_regions");
	assert_int_equal(regions_read(&r, 0x7fffffff), -2);
	regions_free(&r);
}

#define PLACES 64u

/* Against one entry a page: the last that was put there, in order, never two alike side by side. */
static void what_is_put_last_lies_there(void **state)
{
	static const char *const names[] = {"", "[heap]", "/a", "/b"};
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 1;
	struct region model[PLACES] = {{0}};
	struct regions r = {0};

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	for (int step = 0; step < 20000; step++) {
		const pc_addr start = (pc_addr)rand_r(&seed) % PLACES;
		const pc_addr end = start + 1 + (pc_addr)rand_r(&seed) % (PLACES - start);
		struct region one = {.start = start, .end = end};

		region_name(&one, names[rand_r(&seed) % 4]);
		assert_int_equal(regions_put(&r, &one), 0);
		for (pc_addr at = start; at < end; at++)
			model[at] = one;
		for (pc_addr at = 0; at < PLACES; at++) {
			const struct region *found = regions_at(&r, at);

			assert_int_equal(found ? found->class : REGION_UNKNOWN, model[at].class);
			assert_string_equal(found ? found->label : "", model[at].label);
		}
		for (size_t i = 1; i < r.count; i++) {
			const struct region *a = &r.at[i - 1], *b = &r.at[i];

			assert_true(a->start < a->end && a->end <= b->start);
			assert_false(a->end == b->start && strcmp(a->label, b->label) == 0);
		}
	}
	regions_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_have_classes),
	    cmocka_unit_test(other_lines_are_none),
	    cmocka_unit_test(the_largest_part_names_a_unit),
	    cmocka_unit_test(this_process_is_read),
	    cmocka_unit_test(what_is_put_last_lies_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
