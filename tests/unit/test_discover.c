/*
 * Whoever of the program's threads cannot be known stops the taking, and what holds its block is no
 * area. The kernel's lists are played: of threads some cannot be made by a test, others are gone too
 * soon, and how the kernel merges mappings is not for a test to say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/stats.h"
#include "base/types.h"
#include "flow/discover.h"
#include "flow/forkless.h"
#include "flow/world.h"
#include "kernel/task.h"
#include "kernel/vma.h"
#include "state/range.h"
#include "state/thread.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST  0x7f0000403a40ll
#define GIB   (1ull << 30)
#define UNITS 8u
#define KEPT  (PC_UNIT / 8)

struct task {
	int tid;
	int64_t robust_list;
	bool zombie, kernel_made, gone;
};

static struct {
	struct task task[4];
	unsigned count;
	int error;	       /* of the list itself */
	struct pc_span mapped; /* one mapping, if it is not empty */
	uint64_t flags;	       /* of it, besides those of read and write */
	bool unreadable;       /* it is */
	struct pc_span now;    /* what lies there when it is asked for alone */
	unsigned quiet;	       /* questions to which no event is pending; then one is */
	unsigned walks;
	unsigned entered, inside, most; /* the gate; units looked for since; the most at once */
	unsigned reads;	  /* those of smaps */
	int dirtied;	  /* the pager's own page */
	const char *text; /* of smaps, instead of the one mapping */
} played;

int __wrap_task_each(task_fn *fn, void *arg);
int64_t __wrap_task_robust_list(int tid);
bool __wrap_task_is_zombie(int tid);
bool __wrap_task_is_kernel_made(int tid);
bool __wrap_task_alive(int tid);
int __wrap_vma_walk(int fd, bool smaps, char *buf, size_t size, vma_fn *fn, void *arg);
bool __wrap_uffd_pending(const struct uffd *u);
int __wrap_pagemap_dirtied(const struct pagemap *pm, pc_addr page);
void __wrap_gate_enter(struct rwgate *g, unsigned slot);
void __real_gate_enter(struct rwgate *g, unsigned slot);
struct unit *__wrap_range_ensure(pc_addr addr);
struct unit *__real_range_ensure(pc_addr addr);

int __wrap_task_each(task_fn *fn, void *arg)
{
	for (unsigned i = 0; i < played.count && fn(played.task[i].tid, arg); i++)
		;
	return played.error;
}

static const struct task *task_of(int tid)
{
	for (unsigned i = 0; i < played.count; i++)
		if (played.task[i].tid == tid)
			return &played.task[i];
	fail_msg("nobody listed thread %d", tid);
	return NULL;
}

int64_t __wrap_task_robust_list(int tid)
{
	return task_of(tid)->robust_list;
}

bool __wrap_task_is_zombie(int tid)
{
	return task_of(tid)->zombie;
}

bool __wrap_task_is_kernel_made(int tid)
{
	return task_of(tid)->kernel_made;
}

bool __wrap_task_alive(int tid)
{
	return !task_of(tid)->gone;
}

/* maps has the headers alone. */
static int play_text(bool smaps, vma_fn *fn, void *arg)
{
	struct vma_parser p;
	int err = 0;

	vma_parser_begin(&p, smaps, fn, arg);
	for (const char *at = played.text, *end; !err && *at; at = end) {
		end = strchr(at, '\n') + 1;
		if (smaps || *at != 'V')
			err = vma_parser_feed(&p, at, (size_t)(end - at));
	}
	return err ? err : vma_parser_end(&p);
}

int __wrap_vma_walk(int fd, bool smaps, char *buf, size_t size, vma_fn *fn, void *arg)
{
	const struct vma v = {.start = played.mapped.start,
			      .end = played.mapped.end,
			      .read = !played.unreadable,
			      .write = true,
			      .have_flags = smaps,
			      .flags = VMA_FLAG(rd) | VMA_FLAG(wr) | played.flags};

	(void)fd;
	(void)buf;
	(void)size;
	played.walks++;
	played.reads += smaps;
	if (played.text)
		return play_text(smaps, fn, arg);
	if (v.start < v.end)
		fn(&v, arg);
	return 0;
}

bool __wrap_uffd_pending(const struct uffd *u)
{
	(void)u;
	return !played.quiet || !played.quiet--;
}

int __wrap_pagemap_dirtied(const struct pagemap *pm, pc_addr page)
{
	(void)pm;
	assert_int_not_equal(page, 0);
	return played.dirtied;
}

void __wrap_gate_enter(struct rwgate *g, unsigned slot)
{
	played.entered++;
	played.inside = 0;
	__real_gate_enter(g, slot);
}

struct unit *__wrap_range_ensure(pc_addr addr)
{
	played.inside++;
	played.most = PC_MAX(played.most, played.inside);
	return __real_range_ensure(addr);
}

static int mapping_at(int fd, pc_addr addr, struct vma *v)
{
	(void)fd;
	*v = (struct vma){.start = played.now.start, .end = played.now.end};
	return addr < v->end ? 0 : -ENOENT;
}

static int start(void **unused)
{
	static _Alignas(PC_UNIT) char table[PC_UNIT];

	(void)unused;
	assert_true(range_table_bytes(UNITS) <= sizeof(table));
	memset(table, 0, range_table_bytes(UNITS));
	assert_true(range_start(table, UNITS, NULL));
	gate_reset(&world.gate, GATE_PAGER0);
	world.mapping_at = mapping_at;
	forkless_reset();
	memset(&played, 0, sizeof(played));
	thread_reset();
	thread_set_home((struct pc_span){0, 0});
	discover_forget();
	return discover_start();
}

static void play(struct task task)
{
	played.task[played.count++] = task;
}

static bool walk_finds_all_known(void)
{
	assert_int_equal(discover_walk(0), 0);
	return discover_threads_ok();
}

static void test_a_thread_with_a_robust_list_becomes_known(void **unused)
{
	(void)unused;
	play((struct task){.tid = 7, .robust_list = LIST});
	assert_true(walk_finds_all_known());
	assert_true(thread_known(7));
	assert_int_equal(thread_top(page_floor(LIST), page_floor(LIST) + PC_UNIT),
			 page_floor(LIST) + PC_UNIT);
}

/* Wherever it stands in the list. */
static void test_a_thread_without_one_stops_the_taking(void **unused)
{
	(void)unused;
	play((struct task){.tid = 7, .robust_list = LIST});
	play((struct task){.tid = 8});
	play((struct task){.tid = 9, .robust_list = LIST + PC_UNIT});
	assert_false(walk_finds_all_known());
	assert_false(walk_finds_all_known());
	assert_true(thread_known(9));
}

static void test_a_thread_that_cannot_be_asked_stops_the_taking(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8, .robust_list = -EPERM});
	assert_false(walk_finds_all_known());
}

static void test_the_taking_goes_on_once_it_is_gone(void **unused)
{
	(void)unused;
	play((struct task){.tid = 7, .robust_list = LIST});
	play((struct task){.tid = 8});
	assert_false(walk_finds_all_known());
	played.count = 1;
	assert_true(walk_finds_all_known());
}

/* It was listed, and ended before it was asked. */
static void test_a_thread_that_has_gone_is_none(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8, .robust_list = -ESRCH});
	assert_true(walk_finds_all_known());
}

/* As the first thread is, after pthread_exit() in main. */
static void test_a_zombie_has_nothing_to_lose(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8, .zombie = true});
	assert_true(walk_finds_all_known());
}

static void test_the_kernels_own_threads_have_no_block(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8, .kernel_made = true});
	assert_true(walk_finds_all_known());
}

/* The kernel has no list of it, but pager.c told its block. */
static void test_the_child_of_a_bare_fork_is_known_already(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8});
	assert_true(thread_add(8, LIST, LIST));
	assert_true(walk_finds_all_known());
}

static void test_the_pagers_own_are_not_the_programs(void **unused)
{
	(void)unused;
	play((struct task){.tid = 8});
	discover_own_thread(8);
	assert_true(walk_finds_all_known());
	assert_false(thread_known(8));
}

static void test_a_list_that_cannot_be_read_stops_the_taking(void **unused)
{
	(void)unused;
	play((struct task){.tid = 7, .robust_list = LIST});
	played.error = -EMFILE;
	assert_false(walk_finds_all_known());
}

/* With its block in the middle of two units and a bit. */
static void play_mapping(void)
{
	play((struct task){.tid = 7, .robust_list = LIST});
	played.mapped = (struct pc_span){page_floor(LIST) - PC_UNIT, page_floor(LIST) + PC_UNIT};
}

static void test_what_holds_a_stack_is_no_area(void **unused)
{
	(void)unused;
	play_mapping();
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 0);
}

/* As libc lays it out: the stack below its block, and above both what was mapped before. */
static void test_what_lies_above_a_stack_is_an_area(void **unused)
{
	(void)unused;
	play_mapping();
	thread_add(7, LIST, LIST - PC_PAGE);
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].start, page_floor(LIST + CONTROL_AFTER));
	assert_int_equal(discover_areas()->span[0].end, played.mapped.end);
}

/* A stack at the beginning of a large one stays; where it cannot be told, a large one is an area. */
static void test_of_a_large_mapping_only_the_stack_is_none(void **unused)
{
	(void)unused;
	play_mapping();
	played.mapped.end = played.mapped.start + GIB;
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].start, played.mapped.start);
	thread_add(7, LIST, LIST - PC_PAGE);
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].start, page_floor(LIST + CONTROL_AFTER));
	assert_int_equal(discover_areas()->span[0].end, played.mapped.end);
	played.mapped.start -= 512ull << 20;
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].start, played.mapped.start);
}

/* The first thread's storage lies in the same mapping, below the stack, above it, and at its end. */
static void test_a_stack_and_the_storage_are_both_none(void **unused)
{
	const pc_addr above = page_floor(LIST + CONTROL_AFTER);

	(void)unused;
	play_mapping();
	thread_add(7, LIST, LIST - PC_PAGE);
	thread_set_home(
	    (struct pc_span){page_floor(LIST) - 4 * PC_PAGE, page_floor(LIST) - 3 * PC_PAGE});
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].start, above);
	thread_set_home((struct pc_span){above + PC_PAGE, above + 2 * PC_PAGE});
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 2);
	assert_int_equal(discover_areas()->span[0].start, above);
	assert_int_equal(discover_areas()->span[0].end, above + PC_PAGE);
	assert_int_equal(discover_areas()->span[1].start, above + 2 * PC_PAGE);
	thread_set_home((struct pc_span){above, played.mapped.end});
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 0);
}

static void test_what_lies_beside_the_first_threads_storage_is_one(void **unused)
{
	const struct pc_span home = {page_floor(LIST), page_floor(LIST) + 2 * PC_PAGE};

	(void)unused;
	thread_set_home(home);
	play_mapping();
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 2);
	assert_int_equal(discover_areas()->span[0].start, played.mapped.start);
	assert_int_equal(discover_areas()->span[0].end, home.start);
	assert_int_equal(discover_areas()->span[1].start, home.end);
	assert_int_equal(discover_areas()->span[1].end, played.mapped.end);
}

/* At its end, and then alone. */
static void test_the_storage_itself_is_none(void **unused)
{
	(void)unused;
	play_mapping();
	thread_set_home((struct pc_span){page_floor(LIST), played.mapped.end});
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(discover_areas()->span[0].end, page_floor(LIST));
	played.mapped.start = page_floor(LIST);
	assert_true(walk_finds_all_known());
	assert_int_equal(discover_areas()->count, 0);
}

/* Real memory that children do not get, and its mapping as smaps shows it. */
static char *play_kept(uint64_t flags)
{
	char *at = mmap(NULL, KEPT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(madvise(at, KEPT, MADV_DONTFORK), 0);
	played.now = played.mapped = (struct pc_span){(pc_addr)at, (pc_addr)at + KEPT};
	played.flags = VMA_FLAG(dc) | flags;
	played.quiet = 1000;
	return at;
}

static bool child_has(char *page)
{
	unsigned char in;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(mincore(page, PC_PAGE, &in) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static bool is_noted(const char *kept)
{
	return forkless_hits((pc_addr)kept, (pc_addr)kept + KEPT);
}

static void test_what_is_kept_from_children_is_the_programs_to_keep(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	assert_int_equal(discover_strays(0, true), 0);
	assert_false(is_noted(kept));
	assert_int_equal(discover_walk(PC_SEC), 0);
	assert_true(is_noted(kept));
	assert_false(child_has(kept));
}

/* It is looked for once more, until there is nothing to give: the kernel would show that. */
static void test_a_lost_guard_is_given_to_children(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	forkless_lose();
	assert_int_equal(discover_strays(0, true), 0);
	assert_int_equal(played.walks, 3);
	assert_true(child_has(kept));
	assert_true(child_has(kept + KEPT - PC_PAGE));
	assert_false(is_noted(kept));
	played.flags = 0;
	assert_int_equal(discover_strays(0, true), 0);
	assert_false(forkless_lost());
}

/* A page that is noted speaks for all of its mapping, which the flag would cut. */
static void test_what_the_program_keeps_is_no_lost_guard(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	assert_true(forkless_add((pc_addr)kept + PC_PAGE, (pc_addr)kept + 2 * PC_PAGE));
	forkless_lose();
	assert_int_equal(discover_strays(0, true), 0);
	assert_false(forkless_lost());
	assert_false(child_has(kept));
	assert_false(child_has(kept + PC_PAGE));
}

/* Nothing else asks for the flags to be read, which are known. */
static void test_a_lost_guard_is_looked_for_by_the_next_walk(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	assert_int_equal(discover_walk(PC_SEC), 0);
	forkless_remove(0, PC_ADDR_MAX);
	forkless_lose();
	assert_int_equal(discover_walk(PC_SEC), 0);
	assert_false(child_has(kept));
	assert_int_equal(discover_walk(2 * PC_SEC), 0);
	assert_true(child_has(kept));
}

static void test_smaps_is_read_too_often_for_a_fork_alone(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	assert_int_equal(discover_walk(PC_SEC), 0);
	forkless_remove(0, PC_ADDR_MAX);
	forkless_lose();
	assert_int_equal(discover_strays(PC_SEC, false), 0);
	assert_false(child_has(kept));
	assert_int_equal(discover_strays(PC_SEC, true), 0);
	assert_true(child_has(kept));
}

/* Protected by the program since, which it may take back. */
static void test_a_lost_guard_is_found_whatever_the_protection(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	played.unreadable = true;
	forkless_lose();
	assert_int_equal(discover_strays(0, true), 0);
	assert_true(child_has(kept));
}

static void test_what_is_registered_has_its_guard(void **unused)
{
	char *kept = play_kept(VMA_FLAG(um));

	(void)unused;
	forkless_lose();
	assert_int_equal(discover_strays(0, true), 0);
	assert_false(forkless_lost());
	assert_false(child_has(kept));
	assert_false(is_noted(kept));
}

/* Registered since, or mapped anew, or a change is on its way: what smaps said is no more. */
static void test_what_has_changed_since_is_left_to_the_next_walk(void **unused)
{
	char *kept = play_kept(0);
	struct unit *u = range_ensure((pc_addr)kept + KEPT - PC_PAGE);

	(void)unused;
	forkless_lose();
	played.quiet = 0;
	assert_int_equal(discover_strays(0, true), 0);
	played.quiet = 1000;
	played.now.end -= PC_PAGE;
	assert_int_equal(discover_strays(0, true), 0);
	played.now = played.mapped;
	assert_non_null(u);
	unit_set_registered(u, 0, PC_UNIT_PAGES, true);
	assert_int_equal(discover_strays(0, true), 0);
	assert_true(forkless_lost());
	assert_false(child_has(kept));
	unit_set_registered(u, 0, PC_UNIT_PAGES, false);
	assert_int_equal(discover_strays(0, true), 0);
	assert_true(child_has(kept));
}

/* What came to lie there may be guarded, with pages away. */
static void test_what_came_while_it_was_given_is_guarded_again(void **unused)
{
	char *kept = play_kept(0);

	(void)unused;
	forkless_lose();
	played.quiet = 1;
	assert_int_equal(discover_strays(0, true), 0);
	assert_true(forkless_lost());
	assert_false(child_has(kept));
}

/* 64 units at a time, of which none is left out: the last is not a whole one. */
static void test_the_gate_is_not_kept_for_a_large_area(void **unused)
{
	(void)unused;
	played.mapped =
	    (struct pc_span){unit_floor(LIST) + PC_PAGE, unit_floor(LIST) + GIB + PC_PAGE};
	assert_int_equal(discover_walk(PC_SEC), 0);
	assert_int_equal(discover_areas()->count, 1);
	assert_int_equal(played.most, 64);
	assert_int_equal(played.entered, GIB / PC_UNIT / 64 + 1);
	assert_int_equal(played.inside, 1);
	assert_non_null(range_find(unit_floor(LIST)));
	assert_non_null(range_find(unit_floor(LIST) + (UNITS - 1) * PC_UNIT));
}

static unsigned reads_by_walks(pc_ns from)
{
	played.reads = 0;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(discover_walk(from + i * PC_SEC), 0);
	return played.reads;
}

/* Whose flags were seen is not asked for again because it may not be managed. */
static void test_smaps_is_read_once_for_what_is_refused(void **unused)
{
	(void)unused;
	play_mapping();
	played.mapped.end += PC_UNIT;
	played.flags = VMA_FLAG(lo);
	assert_int_equal(reads_by_walks(PC_SEC), 1);
	assert_int_equal(discover_areas()->count, 0);
	played.mapped.start = played.mapped.end;
	played.mapped.end += PC_UNIT;
	assert_int_equal(reads_by_walks(4 * PC_SEC), 1);
	discover_forget();
	assert_int_equal(reads_by_walks(7 * PC_SEC), 1);
}

/* It was locked; nothing tells that it no longer is. */
static void test_what_was_refused_is_asked_for_again_after_a_while(void **unused)
{
	(void)unused;
	thread_set_home((struct pc_span){0, 0});
	played.mapped = (struct pc_span){page_floor(LIST), page_floor(LIST) + PC_UNIT};
	played.flags = VMA_FLAG(lo);
	assert_int_equal(reads_by_walks(PC_SEC), 1);
	played.flags = 0;
	assert_int_equal(reads_by_walks(4 * PC_SEC), 0);
	assert_int_equal(discover_areas()->count, 0);
	assert_int_equal(reads_by_walks(100 * PC_SEC), 1);
	assert_int_equal(discover_areas()->count, 1);
}

#define WITHOUT "7f0000400000-7f0000500000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr mw me ac \n"
#define WITH	"7f0000600000-7f0000700000 rw-p 00000000 00:00 0 \nVmFlags: rd wr mr mw me ac sd \n"
#define SHOWS	"7f0000900000-7f0000a00000 r--p 00000000 00:00 0 \nVmFlags: rd mr mw me ac sd \n"

static uint32_t areas_of(const char *text)
{
	played.text = text;
	discover_forget();
	assert_int_equal(discover_walk(PC_SEC), 0);
	return discover_areas()->count;
}

static void test_where_no_mapping_is_soft_dirty_none_is_tracked(void **unused)
{
	(void)unused;
	assert_int_equal(areas_of(WITHOUT), 1);
}

/* Only smaps says then that the kernel has the flag, by whatever was mapped since. */
static void test_who_had_begun_to_track_before_the_first_look_keeps_all(void **unused)
{
	(void)unused;
	assert_int_equal(areas_of(WITHOUT SHOWS), 0);
	assert_int_equal(areas_of(WITH), 0);
}

static void test_what_lost_its_soft_dirty_flag_is_no_area(void **unused)
{
	(void)unused;
	played.dirtied = 1;
	assert_int_equal(areas_of(WITHOUT WITH), 1);
	assert_int_equal(discover_areas()->span[0].start, 0x7f0000600000);
	assert_int_equal(areas_of(WITHOUT), 0);
	assert_int_equal(reads_by_walks(2 * PC_SEC), 0);
}

/* Whatever is mapped after that, though it has the flag; flags are not read for it. */
static void test_who_has_begun_to_track_keeps_all(void **unused)
{
	(void)unused;
	played.dirtied = 1;
	assert_int_equal(areas_of(WITH), 1);
	played.dirtied = -EIO;
	assert_int_equal(areas_of(WITH), 1);
	played.dirtied = 0;
	assert_int_equal(areas_of(WITH), 0);
	assert_int_equal(reads_by_walks(2 * PC_SEC), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	static _Alignas(PC_PAGE) uint64_t segment[1 << 16];
	const struct CMUnitTest tests[] = {
	    TEST(test_what_is_kept_from_children_is_the_programs_to_keep),
	    TEST(test_a_lost_guard_is_given_to_children),
	    TEST(test_what_the_program_keeps_is_no_lost_guard),
	    TEST(test_smaps_is_read_too_often_for_a_fork_alone),
	    TEST(test_a_lost_guard_is_found_whatever_the_protection),
	    TEST(test_what_has_changed_since_is_left_to_the_next_walk),
	    TEST(test_what_came_while_it_was_given_is_guarded_again),
	    TEST(test_a_lost_guard_is_looked_for_by_the_next_walk),
	    TEST(test_what_is_registered_has_its_guard),
	    TEST(test_a_thread_with_a_robust_list_becomes_known),
	    TEST(test_a_thread_without_one_stops_the_taking),
	    TEST(test_a_thread_that_cannot_be_asked_stops_the_taking),
	    TEST(test_the_taking_goes_on_once_it_is_gone),
	    TEST(test_a_thread_that_has_gone_is_none),
	    TEST(test_a_zombie_has_nothing_to_lose),
	    TEST(test_the_kernels_own_threads_have_no_block),
	    TEST(test_the_child_of_a_bare_fork_is_known_already),
	    TEST(test_the_pagers_own_are_not_the_programs),
	    TEST(test_a_list_that_cannot_be_read_stops_the_taking),
	    TEST(test_what_holds_a_stack_is_no_area),
	    TEST(test_what_lies_above_a_stack_is_an_area),
	    TEST(test_of_a_large_mapping_only_the_stack_is_none),
	    TEST(test_a_stack_and_the_storage_are_both_none),
	    TEST(test_what_lies_beside_the_first_threads_storage_is_one),
	    TEST(test_the_storage_itself_is_none),
	    TEST(test_the_gate_is_not_kept_for_a_large_area),
	    TEST(test_smaps_is_read_once_for_what_is_refused),
	    TEST(test_what_was_refused_is_asked_for_again_after_a_while),
	    TEST(test_where_no_mapping_is_soft_dirty_none_is_tracked),
	    /* In this order, and last: what is known of the kernel is not forgotten. */
	    TEST(test_who_had_begun_to_track_before_the_first_look_keeps_all),
	    TEST(test_what_lost_its_soft_dirty_flag_is_no_area),
	    TEST(test_who_has_begun_to_track_keeps_all),
	};

	if (stats_segment_bytes() > sizeof(segment))
		return 1;
	stats_start((struct pc_segment *)(void *)segment, 1, "discover", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
