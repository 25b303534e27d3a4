#include "kernel/caps.h"

#include "base/clock.h"
#include "base/sys.h"
#include "kernel/anchor.h"
#include "kernel/damon.h"
#include "kernel/uapi.h"
#include "kernel/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a kernel that lacks something --- */

static struct {
	long nr;	       /* this call fails with `error`; -1 for none */
	unsigned long request; /* if not 0, only this ioctl */
	bool no_uffd;	       /* neither the device nor the call */
	uint64_t features;     /* if not 0, only handshakes that ask for one of these */
	long error;
	enum { MOVES, DOES_NOTHING, LOSES, COPIES } move; /* what UFFDIO_MOVE really does */
	bool scan_lies; /* PAGEMAP_SCAN finds one page, the wrong one */
	int fail_in;	/* counts down to the call that fails; -1 for none */
	const char *release; /* what the kernel is called, if not by its own name */
} lack;

static bool is_lacking(long nr, long b, long c)
{
	if (lack.no_uffd && nr == __NR_openat && strcmp((const char *)b, "/dev/userfaultfd") == 0)
		return true;
	if (lack.no_uffd && nr == __NR_userfaultfd)
		return true;
	if (nr != lack.nr)
		return false;
	if (lack.features)
		return (unsigned long)b == UFFDIO_API &&
		       (((struct uffdio_api *)c)->features & lack.features);
	return !lack.request || (unsigned long)b == lack.request;
}

static long move_otherwise(int fd, struct uffdio_move *m)
{
	struct uffdio_copy copy = {.dst = m->dst, .src = m->src, .len = m->len};

	m->move = (int64_t)m->len;
	if (lack.move == LOSES)
		return madvise((void *)m->src, m->len, MADV_DONTNEED);
	return lack.move == COPIES ? ioctl(fd, UFFDIO_COPY, &copy) : 0;
}

static long scan_wrongly(struct pm_scan_arg *scan)
{
	struct page_region *region = (struct page_region *)scan->vec;

	*region = (struct page_region){scan->start, scan->start + PC_PAGE, PAGE_IS_PRESENT};
	scan->walk_end = scan->end;
	return 1;
}

static long say_release(struct utsname *name)
{
	strcpy(name->release, lack.release);
	return 0;
}

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (is_lacking(nr, b, c))
		return lack.error;
	if (nr != __NR_close && nr != __NR_munmap && lack.fail_in >= 0 && lack.fail_in-- == 0)
		return -EPERM;
	if (lack.move != MOVES && nr == __NR_ioctl && (unsigned long)b == UFFDIO_MOVE)
		return move_otherwise((int)a, (struct uffdio_move *)c);
	if (lack.release && nr == __NR_uname)
		return say_release((struct utsname *)a);
	if (lack.scan_lies && nr == __NR_ioctl && (unsigned long)b == PAGEMAP_SCAN)
		return scan_wrongly((struct pm_scan_arg *)c);
	return __real_sys_call(nr, a, b, c, d, e, f);
}

static void lack_nothing(void)
{
	memset(&lack, 0, sizeof(lack));
	lack.nr = -1;
	lack.fail_in = -1;
	memset(caps.state, -1, sizeof(caps.state));
}

static int fresh(void **state)
{
	(void)state;
	lack_nothing();
	return 0;
}

static void need_cap(enum pc_cap_id id, const char *what)
{
	if (caps_have(id))
		return;
	print_message("SKIP: %s is missing\n", what);
	skip();
}

/* --- tests --- */

static void nothing_is_asked_before(void **state)
{
	(void)state;
	for (int id = 0; id < PC_CAP_COUNT; id++)
		assert_int_equal(caps.state[id], -1);
}

static void every_probe_answers(void **state)
{
	struct uffd u;
	int err = uffd_open(&u);

	(void)state;
	caps_probe_all();
	for (int id = 0; id < PC_CAP_COUNT; id++) {
		assert_in_range(caps.state[id], 0, 1);
		assert_int_equal(caps_have((enum pc_cap_id)id), caps.state[id]);
	}
	assert_int_equal(caps.state[PC_CAP_UFFD_EVENTS], err == 0);
	assert_int_equal(caps.state[PC_CAP_THREAD_ID], err == 0 && u.thread_id);
	assert_int_equal(caps.state[PC_CAP_ANCHOR], anchor_probe() == 0);
	assert_int_equal(caps.state[PC_CAP_DAMON], damon_probe(DAMON_ROOT) == 0);
	assert_int_equal(caps.state[PC_CAP_TSC], clock_has_tsc());
	uffd_close(&u);
}

static void answers_are_kept(void **state)
{
	(void)state;
	caps.state[PC_CAP_TSC] = 0;
	caps.state[PC_CAP_MOVE] = 1;
	lack.nr = __NR_ioctl;
	lack.error = -ENOTTY;
	caps_probe_all();
	assert_false(caps_have(PC_CAP_TSC));
	assert_true(caps_have(PC_CAP_MOVE));
	assert_false(caps_have(PC_CAP_PAGEMAP_SCAN));
	lack.nr = -1;
	assert_false(caps_have(PC_CAP_PAGEMAP_SCAN));
}

static void the_first_needed_one_is_missing(void **state)
{
	(void)state;
	memset(caps.state, 1, sizeof(caps.state));
	assert_int_equal(caps_missing(CAPS_TO_MOVE), -1);
	assert_int_equal(caps_missing(CAPS_TO_MADVISE), -1);
	caps.state[PC_CAP_THREAD_ID] = 0;
	caps.state[PC_CAP_DAMON] = 0;
	caps.state[PC_CAP_TSC] = 0;
	caps.state[PC_CAP_PAGEMAP_SCAN] = 0;
	caps.state[PC_CAP_VMA_QUERY] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MOVE), -1);
	assert_int_equal(caps_missing(CAPS_TO_MADVISE), -1);
	caps.state[PC_CAP_ANCHOR] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MOVE), PC_CAP_ANCHOR);
	assert_int_equal(caps_missing(CAPS_TO_MADVISE), PC_CAP_ANCHOR);
	caps.state[PC_CAP_MOVE] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MOVE), PC_CAP_MOVE);
	caps.state[PC_CAP_UFFD] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MOVE), PC_CAP_UFFD);
}

/* Linux 6.1 on the one side, a machine without write protection on the other. */
static void each_way_of_taking_needs_its_own(void **state)
{
	(void)state;
	memset(caps.state, 1, sizeof(caps.state));
	caps.state[PC_CAP_MOVE] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MADVISE), -1);
	assert_int_equal(caps_missing(CAPS_TO_MOVE), PC_CAP_MOVE);
	caps.state[PC_CAP_MOVE] = 1;
	caps.state[PC_CAP_UFFD_WP] = 0;
	assert_int_equal(caps_missing(CAPS_TO_MADVISE), PC_CAP_UFFD_WP);
	assert_int_equal(caps_missing(CAPS_TO_MOVE), -1);
}

static void lack_of_userfaultfd(void **state)
{
	(void)state;
	lack.no_uffd = true;
	lack.error = -EPERM;
	assert_false(caps_have(PC_CAP_UFFD));
	assert_false(caps_have(PC_CAP_UFFD_EVENTS));
	assert_false(caps_have(PC_CAP_MOVE));
	assert_false(caps_have(PC_CAP_THREAD_ID));
}

static void lack_of_events(void **state)
{
	(void)state;
	need_cap(PC_CAP_UFFD, "userfaultfd");
	lack_nothing();
	lack.nr = __NR_ioctl;
	lack.features = UFFD_FEATURE_EVENT_UNMAP;
	lack.error = -EINVAL;
	assert_true(caps_have(PC_CAP_UFFD));
	assert_false(caps_have(PC_CAP_UFFD_EVENTS));
	assert_false(caps_have(PC_CAP_MOVE));
	assert_false(caps_have(PC_CAP_THREAD_ID));
}

static void lack_of_thread_id(void **state)
{
	(void)state;
	need_cap(PC_CAP_UFFD, "userfaultfd");
	lack_nothing();
	lack.nr = __NR_ioctl;
	lack.features = UFFD_FEATURE_THREAD_ID;
	lack.error = -EINVAL;
	assert_true(caps_have(PC_CAP_UFFD));
	assert_true(caps_have(PC_CAP_UFFD_EVENTS));
	assert_false(caps_have(PC_CAP_THREAD_ID));
}

/* The probe believes the bytes, not the answer. */
static void move_that_lies(void **state)
{
	(void)state;
	need_cap(PC_CAP_MOVE, "UFFDIO_MOVE");
	for (int way = DOES_NOTHING; way <= COPIES; way++) {
		lack_nothing();
		lack.move = way;
		assert_false(caps_have(PC_CAP_MOVE));
	}
}

/* Whatever the probe finds: what is wrong with them it would not see. */
static void move_of_known_faults(void **state)
{
	const struct {
		const char *release;
		bool sound;
	} cases[] = {
	    {"5.19.17", false},	 {"6.1.0-37-amd64", false}, {"6.8.0-31-generic", false},
	    {"6.11.11", false},	 {"6.12.42", false},	    {"6.12.43+deb13-amd64", true},
	    {"6.12.107", true},	 {"6.13.12", false},	    {"6.14.11", false},
	    {"6.15.10", false},	 {"6.15.11", true},	    {"6.16.0", false},
	    {"6.16.1", false},	 {"6.16.2-arch1-1", true},  {"6.17.0", true},
	    {"7.0.0-rc1", true},
	};

	(void)state;
	need_cap(PC_CAP_MOVE, "UFFDIO_MOVE");
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++) {
		lack_nothing();
		lack.release = cases[i].release;
		assert_int_equal(caps_have(PC_CAP_MOVE), cases[i].sound);
	}
}

static void scan_that_lies(void **state)
{
	(void)state;
	lack.scan_lies = true;
	assert_false(caps_have(PC_CAP_PAGEMAP_SCAN));
}

static void lack_of_calls(void **state)
{
	const struct {
		long nr;
		unsigned long request;
		long error;
		enum pc_cap_id cap;
	} cases[] = {
	    {__NR_ioctl, UFFDIO_MOVE, -EINVAL, PC_CAP_MOVE},
	    {__NR_ioctl, PAGEMAP_SCAN, -ENOTTY, PC_CAP_PAGEMAP_SCAN},
	    {__NR_ioctl, PROCMAP_QUERY, -ENOTTY, PC_CAP_VMA_QUERY},
	    {__NR_close_range, 0, -ENOSYS, PC_CAP_PRIVATE_FDS},
	    {__NR_io_uring_setup, 0, -EPERM, PC_CAP_ANCHOR},
	    {__NR_io_uring_register, 0, -EINVAL, PC_CAP_ANCHOR},
	    {__NR_openat, 0, -EACCES, PC_CAP_DAMON},
	};

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++) {
		lack_nothing();
		lack.nr = cases[i].nr;
		lack.request = cases[i].request;
		lack.error = cases[i].error;
		assert_false(caps_have(cases[i].cap));
	}
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	int c;

	assert_non_null(maps);
	while ((c = getc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

static void probes_leave_nothing_behind(void **state)
{
	unsigned fds, maps;
	int pair[2];
	char c;

	(void)state;
	mappings(); /* stdio has its memory now */
	fds = open_descriptors();
	maps = mappings();
	caps_probe_all();
	assert_int_equal(open_descriptors(), fds);
	assert_int_equal(mappings(), maps);
	/* Nor was the table of the caller unshared from, or closed for, anybody. */
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(read(pair[0], &c, 1), 1);
	close(pair[0]);
	close(pair[1]);
}

/* Who has no userfaultfd is not told that the kernel lacks its features. */
static bool only_with_uffd(int id)
{
	return id == PC_CAP_UFFD_EVENTS || id == PC_CAP_MOVE || id == PC_CAP_THREAD_ID ||
	       id == PC_CAP_UFFD_WP;
}

/* Whatever fails: an answer, and nothing left open or mapped. */
static void every_failure_is_an_answer(void **state)
{
	unsigned fds, maps;

	(void)state;
	mappings();
	fds = open_descriptors();
	maps = mappings();
	for (int k = 0;; k++) {
		lack_nothing();
		lack.fail_in = k;
		caps_probe_all();
		if (lack.fail_in >= 0) {
			assert_true(k > 15);
			break;
		}
		for (int id = 0; id < PC_CAP_COUNT; id++)
			if (caps.state[PC_CAP_UFFD] == 1 || !only_with_uffd(id))
				assert_in_range(caps.state[id], 0, 1);
			else
				assert_int_equal(caps.state[id], -1);
		assert_int_equal(open_descriptors(), fds);
		assert_int_equal(mappings(), maps);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_asked_before),
	    TEST(every_probe_answers),
	    TEST(answers_are_kept),
	    TEST(the_first_needed_one_is_missing),
	    TEST(each_way_of_taking_needs_its_own),
	    TEST(lack_of_userfaultfd),
	    TEST(lack_of_events),
	    TEST(lack_of_thread_id),
	    TEST(move_that_lies),
	    TEST(move_of_known_faults),
	    TEST(scan_that_lies),
	    TEST(lack_of_calls),
	    TEST(probes_leave_nothing_behind),
	    TEST(every_failure_is_an_answer),
	};

	lack.nr = -1;
	lack.fail_in = -1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
