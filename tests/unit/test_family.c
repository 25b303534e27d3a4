/*
 * Processes and their address spaces, from what perf tells of them: perf is played. Numbers of
 * processes are such as no machine gives out, so that nobody has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/family.h"
#include "tools/image.h"
#include "tools/layout.h"
#include "tools/name.h"
#include "tools/perf_rings.h"
#include "tools/regions.h"

#define CHILD	   4194000
#define GRANDCHILD 4194001
#define MANY	   4193000
#define AT	   0x200000000000ull /* where neither a program nor a sanitizer has anything */
#define BYTES	   (16 * PC_PAGE)
#define LATER	   (1ull << 30)
#define NOW	   (1ull << 40)

/* As perf writes them for what family.c asks for. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
};

union record {
	struct perf_event_header header;
	uint64_t aligned; /* as in a ring */
	char bytes[256];
};

static struct {
	bool refused;
	union record record[512];
	size_t count;
	uint64_t lost;
} perf;

static struct family family;
static pc_ns clock_now;
static unsigned became, left;
static uint32_t last_became;

int __wrap_perf_rings_begin(struct perf_rings *r, size_t bytes);
int __wrap_perf_rings_add(struct perf_rings *r, pid_t pid, const struct perf_event_attr *attr);
void __wrap_perf_rings_end(struct perf_rings *r);
void __wrap_perf_rings_read(struct perf_rings *r, perf_record_fn *fn, void *arg);
uint64_t __wrap_perf_rings_lost(const struct perf_rings *r);

uint64_t __wrap_perf_rings_lost(const struct perf_rings *r)
{
	return r->lost;
}

int __wrap_perf_rings_begin(struct perf_rings *r, size_t bytes)
{
	*r = (struct perf_rings){.bytes = bytes};
	return perf.refused ? -EACCES : 0;
}

int __wrap_perf_rings_add(struct perf_rings *r, pid_t pid, const struct perf_event_attr *attr)
{
	(void)r;
	assert_int_equal(pid, getpid());
	assert_true(attr->inherit && attr->task && attr->mmap && attr->comm_exec);
	return 0;
}

void __wrap_perf_rings_end(struct perf_rings *r)
{
	*r = (struct perf_rings){0};
}

pc_ns now_monotonic(void)
{
	return clock_now;
}

/* Backwards: rings of two CPUs are read one after the other. */
void __wrap_perf_rings_read(struct perf_rings *r, perf_record_fn *fn, void *arg)
{
	r->lost += perf.lost;
	perf.lost = 0;
	while (perf.count)
		fn(arg, &perf.record[--perf.count].header);
}

static void tell(uint32_t type, uint16_t misc, uint64_t time, const void *body, size_t size)
{
	union record *r = &perf.record[perf.count++];
	const struct trailer trailer = {.time = time};

	assert_true(perf.count <= PC_ARRAY_LEN(perf.record));
	assert_true(sizeof(r->header) + size + sizeof(trailer) <= sizeof(*r));
	r->header = (struct perf_event_header){
	    .type = type,
	    .misc = misc,
	    .size = (uint16_t)(sizeof(r->header) + size + sizeof(trailer)),
	};
	memcpy(r->bytes + sizeof(r->header), body, size);
	memcpy(r->bytes + sizeof(r->header) + size, &trailer, sizeof(trailer));
}

static void forks(pid_t parent, pid_t child, uint64_t time)
{
	const uint32_t body[] = {
	    (uint32_t)child, (uint32_t)parent, (uint32_t)child, (uint32_t)parent, 0, 0};

	tell(PERF_RECORD_FORK, 0, time, body, sizeof(body));
}

static void maps(pid_t pid, const char *name, uint64_t time)
{
	struct {
		uint32_t pid, tid;
		uint64_t start, length, offset;
		char name[32];
	} body = {(uint32_t)pid, (uint32_t)pid, AT, BYTES, 0, ""};

	snprintf(body.name, sizeof(body.name), "%s", name);
	tell(PERF_RECORD_MMAP, 0, time, &body, sizeof(body));
}

static void executes(pid_t pid, const char *name, uint64_t time)
{
	struct {
		uint32_t pid, tid;
		char name[16];
	} body = {(uint32_t)pid, (uint32_t)pid, ""};

	snprintf(body.name, sizeof(body.name), "%s", name);
	tell(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, time, &body, sizeof(body));
}

static void note_became(void *arg, struct member *m)
{
	(void)arg;
	became++;
	last_became = m->number;
}

static void note_leaves(void *arg, struct member *m)
{
	(void)arg;
	(void)m;
	left++;
}

static void start(void)
{
	became = left = 0;
	clock_now = NOW;
	assert_int_equal(family_begin(&family, getpid(), note_became, note_leaves, NULL), 0);
}

static int begin(void **state)
{
	(void)state;
	memset(&perf, 0, sizeof(perf));
	start();
	return 0;
}

static int begin_untold(void **state)
{
	(void)state;
	memset(&perf, 0, sizeof(perf));
	perf.refused = true;
	start();
	return 0;
}

static int end(void **state)
{
	(void)state;
	family_end(&family);
	return 0;
}

/* What lies at AT in `pid` at `time`, or "". */
static const char *seen(pid_t pid, uint64_t time)
{
	struct member *m = family_of(&family, pid, time);
	const struct region *r;

	assert_non_null(m);
	family_advance(&family, m, time);
	r = layout_at(&m->layout, AT);
	return r ? r->label : "";
}

/* Lives until it is killed, or its parent has ended. */
static pid_t start_child(void)
{
	const pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return child;
}

static void the_first_has_what_is_there(void **state)
{
	struct member *m = family_of(&family, getpid(), 1);

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->number, 0);
	assert_false(m->unread);
	assert_non_null(layout_at(&m->layout, (pc_addr)&family));
	assert_string_equal(seen(getpid(), 1), "");
}

static void a_child_begins_with_what_lay_in_its_parent(void **state)
{
	(void)state;
	maps(getpid(), "/before", 10);
	forks(getpid(), CHILD, 20);
	maps(getpid(), "/after", 30);
	assert_string_equal(seen(getpid(), 40), "after");
	assert_string_equal(seen(CHILD, 25), "before");
	assert_int_equal(family_of(&family, CHILD, 25)->parent, getpid());
}

/* Its fault is the first that is asked for, while the clocks before it stand still. */
static void so_does_a_grandchild_that_comes_first(void **state)
{
	(void)state;
	maps(getpid(), "/before", 10);
	forks(getpid(), CHILD, 20);
	forks(CHILD, GRANDCHILD, 30);
	maps(CHILD, "/own", 40);
	maps(getpid(), "/after", 50);
	assert_string_equal(seen(GRANDCHILD, 60), "before");
	assert_string_equal(seen(CHILD, 35), "before");
	assert_string_equal(seen(CHILD, 45), "own");
	assert_string_equal(seen(getpid(), 15), "before");
	assert_string_equal(seen(getpid(), 55), "after");
}

static void an_exec_of_the_parent_takes_nothing_from_its_child(void **state)
{
	(void)state;
	maps(getpid(), "/before", 10);
	forks(getpid(), CHILD, 20);
	executes(getpid(), "other", 30);
	assert_string_equal(seen(getpid(), 40), "");
	assert_int_equal(became, 1);
	assert_string_equal(seen(CHILD, 40), "before");
}

static void an_exec_is_of_one_process_and_of_its_own_time(void **state)
{
	(void)state;
	maps(getpid(), "/old", 10);
	forks(getpid(), CHILD, 20);
	executes(CHILD, "prog\x01gram", 30);
	maps(CHILD, "/new", 40);
	assert_string_equal(seen(getpid(), 50), "old");
	assert_string_equal(seen(CHILD, 25), "old");
	assert_int_equal(became, 0);
	assert_string_equal(seen(CHILD, 35), "");
	assert_int_equal(became, 1);
	assert_int_equal(last_became, family_of(&family, CHILD, 35)->number);
	assert_true(family_of(&family, CHILD, 35)->became);
	assert_string_equal(seen(CHILD, 45), "new");
	assert_string_equal(family_of(&family, CHILD, 45)->name, "prog?gram");
	assert_string_equal(seen(getpid(), 60), "old");
}

static void who_ended_before_it_was_heard_of_is_unread(void **state)
{
	struct member *m = family_of(&family, CHILD, 10);

	(void)state;
	assert_non_null(m);
	assert_true(m->unread);
	assert_null(layout_at(&m->layout, AT));
	/* And so is its child, but what that is told afterwards is known. */
	forks(CHILD, GRANDCHILD, LATER);
	family_hear(&family);
	m = family_of(&family, GRANDCHILD, LATER);
	family_advance(&family, m, LATER);
	assert_true(m->unread);
	executes(GRANDCHILD, "known", LATER + 10);
	maps(GRANDCHILD, "/known", LATER + 20);
	family_hear(&family);
	family_settle(&family, LATER + 30);
	assert_false(m->unread);
	assert_string_equal(layout_at(&m->layout, AT)->label, "known");
}

static void a_number_is_had_by_one_after_the_other(void **state)
{
	(void)state;
	maps(getpid(), "/one", 10);
	forks(getpid(), CHILD, 20);
	maps(getpid(), "/two", 30);
	forks(getpid(), CHILD, 40);
	assert_string_equal(seen(CHILD, 35), "one");
	assert_string_equal(seen(CHILD, 45), "two");
	assert_int_not_equal(family_of(&family, CHILD, 35)->number,
			     family_of(&family, CHILD, 45)->number);
	assert_ptr_equal(family_now(&family, CHILD), family_of(&family, CHILD, 45));
}

/* 100 children, of which those with an even number did the more, the later they came. */
static void those_with_most_events_stay(void **state)
{
	struct member *m;

	(void)state;
	maps(getpid(), "/mapped", 1);
	for (int i = 0; i < 100; i++)
		forks(getpid(), MANY + i, 10 + (uint64_t)i);
	forks(MANY + 97, GRANDCHILD, 500);
	family_hear(&family);
	assert_int_equal(family.count, 102);
	for (int i = 0; i < 100; i++)
		family_now(&family, MANY + i)->events = (uint64_t)(i % 2 ? 0 : 1 + i);
	family_now(&family, GRANDCHILD)->events = 1000;
	family_prune(&family);
	assert_int_equal(family.count, FAMILY_SHOWN);
	assert_int_equal(family.left, 102 - FAMILY_SHOWN);
	assert_int_equal(left, family.left);
	assert_int_equal(family.member[0]->pid, getpid());
	for (int i = 0; i < 100; i += 2)
		assert_non_null(family_now(&family, MANY + i));
	assert_null(family_now(&family, MANY + 99));
	assert_null(family_of(&family, MANY + 99, LATER));
	assert_string_equal(seen(MANY + 98, 900), "mapped");
	/* Its parent has left. */
	assert_null(family_now(&family, MANY + 97));
	assert_string_equal(seen(GRANDCHILD, 900), "mapped");
	/* Somebody else has the number now; what the one before did is not his. */
	forks(getpid(), MANY + 99, 2000);
	family_hear(&family);
	m = family_now(&family, MANY + 99);
	assert_non_null(m);
	assert_int_equal(m->events, 0);
	assert_null(family_of(&family, MANY + 99, 1000));
	assert_string_equal(seen(MANY + 99, 2000), "mapped");
}

static void who_lives_stays_before_those_that_have_ended(void **state)
{
	const pid_t living = start_child();

	(void)state;
	forks(getpid(), living, 5);
	for (int i = 0; i < 100; i++)
		forks(getpid(), MANY + i, 10 + (uint64_t)i);
	family_settle(&family, 1000);
	for (int i = 0; i < 100; i++)
		family_now(&family, MANY + i)->events = 7;
	family_prune(&family);
	assert_int_equal(family.count, FAMILY_SHOWN);
	assert_non_null(family_now(&family, living));
	assert_int_equal(family_now(&family, living)->number, 1);
	kill(living, SIGKILL);
	waitpid(living, NULL, 0);
}

/* One CPU's ring was read before a child was born there, another's when it had executed something. */
static void news_of_a_child_wait_for_its_birth(void **state)
{
	(void)state;
	clock_now = 1000;
	family_hear(&family);
	executes(CHILD, "early", 1004);
	maps(CHILD, "/early", 1005);
	family_hear(&family);
	forks(getpid(), CHILD, 1002);
	clock_now = 2000;
	family_hear(&family);
	assert_string_equal(seen(CHILD, 1500), "early");
	assert_string_equal(family_now(&family, CHILD)->name, "early");
	assert_int_equal(family.count, 2);
	/* Also where that was read late. */
	maps(GRANDCHILD, "/late", 1900);
	family_hear(&family);
	forks(CHILD, GRANDCHILD, 1800);
	clock_now = 3000;
	family_hear(&family);
	assert_string_equal(seen(GRANDCHILD, 2500), "late");
}

static void what_perf_lost_is_said(void **state)
{
	(void)state;
	assert_int_equal(family_lost(&family), 0);
	perf.lost = 9;
	family_hear(&family);
	assert_int_equal(family_lost(&family), 9);
}

/* Without perf: who lives is read when it is met, who has ended is said to have. */
static void without_perf_those_that_live_are_met(void **state)
{
	void *page =
	    mmap((void *)AT, BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	const pid_t living = start_child();

	(void)state;
	munmap(page, BYTES);
	assert_false(family.told);
	assert_string_equal(seen(living, 10), "anonymous");
	assert_false(family_now(&family, living)->unread);
	assert_true(family_now(&family, CHILD)->unread);
	kill(living, SIGKILL);
	waitpid(living, NULL, 0);
	/* What is known of it stays. */
	family_look(&family);
	assert_string_equal(seen(living, 20), "anonymous");
}

#define CASE(f, with) cmocka_unit_test_setup_teardown(f, with, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_first_has_what_is_there, begin),
	    CASE(a_child_begins_with_what_lay_in_its_parent, begin),
	    CASE(so_does_a_grandchild_that_comes_first, begin),
	    CASE(an_exec_of_the_parent_takes_nothing_from_its_child, begin),
	    CASE(an_exec_is_of_one_process_and_of_its_own_time, begin),
	    CASE(who_ended_before_it_was_heard_of_is_unread, begin),
	    CASE(a_number_is_had_by_one_after_the_other, begin),
	    CASE(those_with_most_events_stay, begin),
	    CASE(who_lives_stays_before_those_that_have_ended, begin),
	    CASE(news_of_a_child_wait_for_its_birth, begin),
	    CASE(what_perf_lost_is_said, begin),
	    CASE(without_perf_those_that_live_are_met, begin_untold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
