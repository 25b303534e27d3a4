/*
 * model.c - everything a program can do with its memory, at random, by many threads, and every byte
 * known (support/page_model.h).
 *
 * DESIGN  Each thread owns slots, mappings of one page to a few MiB, which the kernel lays side by
 *         side with those of the others. A step picks a slot and a deed. Deeds reach the kernel
 *         through libc, by number, or by the bare instruction (support/ways.h), and through malloc,
 *         whose own calls nobody sees. Between steps a thread now and then naps, so that memory
 *         leaves under everybody.
 *         Beside the slots: pages that all threads share, each under a lock of its own; memory that
 *         never changes, which signal handlers look at, on alternate stacks that get cold; the
 *         break; buffers that a ring has pinned; blocks of malloc.
 * LIMITS  Not made bare, for the kernel does not report them: guard pages, SHM_REMAP, MADV_DONTFORK
 *         and MADV_DOFORK. A bare mremap is made while no other thread changes the layout, and may
 *         be refused, some of it already moved: the pager cuts mappings.
 * ENVIRONMENT, besides that of host.h
 *         TEST_SEED, HOST_THREADS (default 8; 1 makes a seed replay step by step)
 *         HOST_SEEN=1: only what EVICT=madvise goes with. No change of the layout by the bare
 *         instruction, no descriptor that may pin memory: no ring, no O_DIRECT.
 */
#include "live/host.h"
#include "support/forks.h"
#include "support/io_ring.h"
#include "support/page_model.h"
#include "support/ways.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/shm.h>
#include <sys/uio.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define THREADS_MAX 32u
#define SLOTS	    24u
#define SLOT_PAGES  768u
#define USUAL_PAGES 48u
#define PAST	    12u
#define COMMONS	    512u
#define BLOCKS	    16u
#define BREAKS	    8u
#define BREAK_PAGES 64u
#define PINNED	    16u
#define IO_PAGES    16u
#define STILL	    (MIB / 2)
#define STILL_SEED  77u
#define STACK_BYTES (64ul << 10)
#define CHILD_LIMIT 300u /* seconds */
/* Rarer, and hooks keep all memory at home; more often, and there are fewer deeds a second. */
#define NAP_ONE_IN 48u

struct slot {
	char *at;
	size_t pages; /* 0: not in use */
	bool pieces;  /* changed in part: no longer one mapping, and mremap(2) wants one */
	const char *past[PAST];
	unsigned deeds;
	struct page_model page[SLOT_PAGES];
};

struct block {
	char *at;
	size_t len; /* whole words */
	uint64_t seed;
};

/* Of one thread. In memory shared with children, so that none of it is ever packed. */
struct storm {
	pthread_t thread;
	unsigned index;
	uint64_t random;
	uint64_t steps;
	volatile uint64_t signals;
	int pipe[2], file, direct;
	char bounce[IO_PAGES * PAGE];
	char *pinned;
	struct page_model pin[PINNED];
	struct io_ring ring;
	bool has_ring;
	struct block block[BLOCKS];
	struct slot slot[SLOTS];
};

struct part {
	size_t first, end; /* pages of a slot */
};

static struct world {
	struct storm storm[THREADS_MAX];
	unsigned threads;
	bool seen;
	uint64_t until;
	uint32_t common_lock[COMMONS];
	struct page_model common[COMMONS];
	uint32_t break_lock;
	struct {
		char *at;
		size_t pages;
		struct page_model page[BREAK_PAGES];
	} brk[BREAKS];
	unsigned breaks;
} * world;

static char *commons, *still;
static pthread_rwlock_t layout;
/* A signal may be sent to whoever has begun and not ended: all begin, and end, together. */
static pthread_barrier_t all_known, all_done;
static __thread struct storm *self;

static uint64_t below(struct storm *s, uint64_t n)
{
	return (host_random(&s->random) >> 16) % n;
}

static bool chance(struct storm *s, uint64_t one_in)
{
	return !below(s, one_in);
}

static uint64_t new_seed(struct storm *s)
{
	return host_random(&s->random) | 1;
}

static enum way any_way(struct storm *s)
{
	return (enum way)below(s, world->seen ? WAY_BARE : WAYS);
}

static enum way seen_way(struct storm *s)
{
	return (enum way)below(s, WAY_BARE);
}

static char *page_at(const struct slot *slot, size_t i)
{
	return slot->at + i * PAGE;
}

/* ---- saying what went wrong ------------------------------------------------------------------ */

static void tell_past(const struct slot *slot)
{
	for (unsigned i = 0; i < PAST && i < slot->deeds; i++)
		fprintf(stderr, "  %u deeds ago: %s\n", i,
			slot->past[(slot->deeds - 1 - i) % PAST]);
}

static _Noreturn void wrong(const char *what, const char *at, const struct page_model *p)
{
	static const char *const contents[] = {"gone", "zero", "seed", "either"};
	uint64_t first = *(const volatile uint64_t *)(const void *)at, last;

	last = ((const volatile uint64_t *)(const void *)at)[511];
	HOST_FAIL("%s: page %p (pid %d) should be %s %#llx, begins with %#llx, ends with %#llx",
		  what, (const void *)at, getpid(), contents[p->content],
		  (unsigned long long)p->seed, (unsigned long long)first, (unsigned long long)last);
}

#define EXPECT(s, slot, condition, ret)                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			tell_past(slot);                                                           \
			HOST_FAIL("thread %u, slot %p, %zu pages: not %s, but %ld", (s)->index,    \
				  (void *)(slot)->at, (slot)->pages, #condition, (long)(ret));     \
		}                                                                                  \
	} while (0)

/* ---- looking --------------------------------------------------------------------------------- */

static void look(struct slot *slot, size_t i)
{
	struct page_model *p = &slot->page[i];

	if (p->content == CONTENT_GONE || !(p->prot & PROT_READ))
		return;
	if (page_agrees(page_at(slot, i), p))
		return;
	tell_past(slot);
	wrong("slot", page_at(slot, i), p);
}

static void look_at_all(struct slot *slot)
{
	for (size_t i = 0; i < slot->pages; i++)
		look(slot, i);
}

/* ---- parts of slots -------------------------------------------------------------------------- */

/* A run of mapped pages that begins anywhere and is as long as chance says; may be empty. */
static struct part pick(struct storm *s, const struct slot *slot)
{
	struct part p;
	size_t most;

	p.first = below(s, slot->pages);
	most = 1 + below(s, slot->pages - p.first);
	for (p.end = p.first; p.end < p.first + most; p.end++)
		if (slot->page[p.end].content == CONTENT_GONE)
			break;
	return p;
}

static bool is_empty(struct part p)
{
	return p.first == p.end;
}

static size_t bytes(struct part p)
{
	return (p.end - p.first) * PAGE;
}

static bool has_file(const struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++)
		if (slot->page[i].of_file)
			return true;
	return false;
}

static bool all_writable(const struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++)
		if (slot->page[i].prot != (PROT_READ | PROT_WRITE))
			return false;
	return true;
}

static bool all_readable(const struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++)
		if (!(slot->page[i].prot & PROT_READ))
			return false;
	return true;
}

static void set_pages(struct slot *slot, struct part p, struct page_model m)
{
	for (size_t i = p.first; i < p.end; i++)
		slot->page[i] = m;
}

static const struct page_model fresh = {.content = CONTENT_ZERO, .prot = PROT_READ | PROT_WRITE};
static const struct page_model gone = {.content = CONTENT_GONE};

/* Zero, and everything else as it was. */
static void become_zero(struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++)
		slot->page[i].content = CONTENT_ZERO;
}

static struct slot *free_slot(struct storm *s)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!s->slot[i].pages)
			return &s->slot[i];
	return NULL;
}

static void start_slot(struct slot *slot, char *at, size_t pages)
{
	slot->at = at;
	slot->pages = pages;
	slot->pieces = false;
	set_pages(slot, (struct part){0, pages}, fresh);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_page(struct storm *s, struct slot *slot, size_t i)
{
	struct page_model *p = &slot->page[i];

	if (p->content == CONTENT_GONE || p->prot != (PROT_READ | PROT_WRITE))
		return;
	p->seed = new_seed(s);
	p->content = CONTENT_SEED;
	page_fill(page_at(slot, i), p->seed);
}

static void deed_write_one(struct storm *s, struct slot *slot)
{
	write_page(s, slot, below(s, slot->pages));
}

static void deed_write_part(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);

	for (size_t i = p.first; i < p.end; i++)
		write_page(s, slot, i);
}

static void deed_look_one(struct storm *s, struct slot *slot)
{
	look(slot, below(s, slot->pages));
}

static void deed_look_all(struct storm *s, struct slot *slot)
{
	(void)s;
	look_at_all(slot);
}

/* ---- mapping --------------------------------------------------------------------------------- */

static void map(struct storm *s, struct slot *slot)
{
	size_t pages = 1 + below(s, chance(s, 16) ? SLOT_PAGES : USUAL_PAGES);
	long at = CALL(any_way(s), SYS_mmap, NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(at > 0);
	start_slot(slot, (char *)at, pages);
	for (size_t i = 0; i < pages; i++)
		if (!chance(s, 4))
			write_page(s, slot, i);
}

static void unmap_run(struct storm *s, struct slot *slot, struct part p)
{
	long ret = CALL(any_way(s), SYS_munmap, page_at(slot, p.first), bytes(p), 0, 0, 0, 0);

	EXPECT(s, slot, ret == 0, ret);
	set_pages(slot, p, gone);
	slot->pieces = true;
}

static void deed_unmap(struct storm *s, struct slot *slot)
{
	for (size_t i = 0; i < slot->pages; i++) {
		struct part p = {i, i};

		while (p.end < slot->pages && slot->page[p.end].content != CONTENT_GONE)
			p.end++;
		if (!is_empty(p))
			unmap_run(s, slot, p);
		i = p.end;
	}
	slot->pages = 0;
}

static void deed_unmap_part(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);

	if (!is_empty(p))
		unmap_run(s, slot, p);
}

/* Others may have mapped there meanwhile. */
static void deed_refill(struct storm *s, struct slot *slot)
{
	struct part p = {below(s, slot->pages), 0};
	long at;

	for (p.end = p.first; p.end < slot->pages; p.end++)
		if (slot->page[p.end].content != CONTENT_GONE)
			break;
	if (is_empty(p))
		return;
	at = CALL(any_way(s), SYS_mmap, page_at(slot, p.first), bytes(p), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (at == -EEXIST)
		return;
	EXPECT(s, slot, at == (long)page_at(slot, p.first), at);
	set_pages(slot, p, fresh);
	write_page(s, slot, p.first);
}

static void deed_map_over(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);
	long at;

	if (is_empty(p))
		return;
	at = CALL(any_way(s), SYS_mmap, page_at(slot, p.first), bytes(p), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPECT(s, slot, at == (long)page_at(slot, p.first), at);
	set_pages(slot, p, fresh);
	slot->pieces = true;
}

/* The thread's file holds page i with seed i + 1. */
static void deed_map_file(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);
	long at;

	p.end = p.end - p.first > IO_PAGES ? p.first + IO_PAGES : p.end;
	if (is_empty(p))
		return;
	at = CALL(any_way(s), SYS_mmap, page_at(slot, p.first), bytes(p), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_FIXED, s->file, 0);
	EXPECT(s, slot, at == (long)page_at(slot, p.first), at);
	for (size_t i = p.first; i < p.end; i++)
		slot->page[i] = (struct page_model){.seed = i - p.first + 1,
						    .content = CONTENT_SEED,
						    .prot = PROT_READ | PROT_WRITE,
						    .of_file = true};
	slot->pieces = true;
}

/* What is mapped there is replaced, and then unmapped again. */
static void deed_shm_over(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);
	char *at = page_at(slot, p.first);
	void *got;
	int id;

	if (is_empty(p))
		return;
	id = shmget(IPC_PRIVATE, bytes(p), IPC_CREAT | 0600);
	HOST_CHECK(id >= 0);
	got =
	    chance(s, 2) ? shmat(id, at, SHM_REMAP) : (void *)syscall(SYS_shmat, id, at, SHM_REMAP);
	EXPECT(s, slot, got == (void *)at, got);
	HOST_CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	HOST_CHECK(page_is_zero(at));
	page_fill(at, 5);
	HOST_CHECK(page_is(at, 5));
	HOST_CHECK(shmdt(at) == 0);
	set_pages(slot, p, gone);
	slot->pieces = true;
}

static void deed_protect(struct storm *s, struct slot *slot)
{
	static const uint8_t prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
					PROT_READ | PROT_WRITE};
	struct part p = pick(s, slot);
	uint8_t prot = prots[below(s, 4)];
	long ret;

	if (is_empty(p))
		return;
	ret = CALL(any_way(s), SYS_mprotect, page_at(slot, p.first), bytes(p), prot, 0, 0, 0);
	EXPECT(s, slot, ret == 0, ret);
	for (size_t i = p.first; i < p.end; i++)
		slot->page[i].prot = prot;
	slot->pieces = true;
}

/* Everything readable again, so that slots do not go dark for good. */
static void deed_unprotect(struct storm *s, struct slot *slot)
{
	struct part p = {0, 0};
	long ret;

	for (p.first = 0; p.first < slot->pages; p.first = p.end + 1) {
		for (p.end = p.first; p.end < slot->pages; p.end++)
			if (slot->page[p.end].content == CONTENT_GONE)
				break;
		if (is_empty(p))
			continue;
		ret = CALL(any_way(s), SYS_mprotect, page_at(slot, p.first), bytes(p),
			   PROT_READ | PROT_WRITE, 0, 0, 0);
		EXPECT(s, slot, ret == 0, ret);
		for (size_t i = p.first; i < p.end; i++)
			slot->page[i].prot = PROT_READ | PROT_WRITE;
	}
}

/* ---- moving ---------------------------------------------------------------------------------- */

static enum way remap_way;

/*
 * What is not one mapping, the kernel moves one by one, up to the first that is registered; the
 * -EFAULT that it then ends with does not tell what has gone. The rest of the room is left as it
 * is: where the kernel has emptied it, somebody else may have memory by now.
 */
static void settle_refused(struct slot *slot, struct part p, char *room)
{
	unsigned char in;

	for (size_t i = p.first; i < p.end; i++, room += PAGE) {
		if (!mincore(page_at(slot, i), PAGE, &in))
			continue;
		if (slot->page[i].prot & PROT_READ && !page_agrees(room, &slot->page[i]))
			wrong("moved by a refused mremap", room, &slot->page[i]);
		HOST_CHECK(munmap(room, PAGE) == 0);
		slot->page[i] = gone;
		slot->pieces = true;
	}
}

/* -EFAULT only from a bare call: see LIMITS. */
static bool refused(struct storm *s, struct slot *slot, long at)
{
	if (remap_way == WAY_BARE && at == -EFAULT)
		return true;
	EXPECT(s, slot, at > 0, at);
	return false;
}

static void resize(struct storm *s, struct slot *slot, enum way way)
{
	size_t pages = 1 + below(s, USUAL_PAGES), was = slot->pages;
	long at;

	if (slot->pieces)
		return;
	at = CALL(way, SYS_mremap, slot->at, was * PAGE, pages * PAGE, MREMAP_MAYMOVE, 0, 0);
	if (refused(s, slot, at))
		return;
	slot->at = (char *)at;
	slot->pages = pages;
	if (pages > was)
		set_pages(slot, (struct part){was, pages}, fresh);
}

static void resize_in_place(struct storm *s, struct slot *slot, enum way way)
{
	size_t was = slot->pages, pages = was + 1 + below(s, USUAL_PAGES);
	long at;

	if (slot->pieces || pages > SLOT_PAGES)
		return;
	at = CALL(way, SYS_mremap, slot->at, was * PAGE, pages * PAGE, 0, 0, 0);
	if (at == -ENOMEM || refused(s, slot, at))
		return;
	EXPECT(s, slot, at == (long)slot->at, at);
	slot->pages = pages;
	set_pages(slot, (struct part){was, pages}, fresh);
}

static void move(struct storm *s, struct slot *slot, enum way way)
{
	size_t len = slot->pages * PAGE;
	char *room;
	long at;

	if (slot->pieces)
		return;
	room = host_map(len);
	page_fill(room, 3);
	at = CALL(way, SYS_mremap, slot->at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, room, 0);
	if (refused(s, slot, at)) {
		settle_refused(slot, (struct part){0, slot->pages}, room);
		return;
	}
	EXPECT(s, slot, at == (long)room, at);
	slot->at = room;
}

/* The middle of one slot becomes another slot. */
static void move_part(struct storm *s, struct slot *slot, enum way way)
{
	struct part p = pick(s, slot);
	struct slot *other = free_slot(s);
	char *room;
	long at;

	if (slot->pieces || is_empty(p) || !other)
		return;
	room = host_map(bytes(p));
	at = CALL(way, SYS_mremap, page_at(slot, p.first), bytes(p), bytes(p),
		  MREMAP_MAYMOVE | MREMAP_FIXED, room, 0);
	if (refused(s, slot, at)) {
		settle_refused(slot, p, room);
		return;
	}
	EXPECT(s, slot, at == (long)room, at);
	start_slot(other, room, p.end - p.first);
	memcpy(other->page, &slot->page[p.first], (p.end - p.first) * sizeof(*other->page));
	set_pages(slot, p, gone);
	slot->pieces = true;
}

/* The pages move; the old place stays, empty. */
static void leave_behind(struct storm *s, struct slot *slot, enum way way)
{
	struct slot *other = free_slot(s);
	size_t len = slot->pages * PAGE;
	long at;

	if (slot->pieces || !other)
		return;
	at = CALL(way, SYS_mremap, slot->at, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0, 0);
	if (refused(s, slot, at))
		return;
	start_slot(other, (char *)at, slot->pages);
	memcpy(other->page, slot->page, slot->pages * sizeof(*other->page));
	become_zero(slot, (struct part){0, slot->pages});
}

static void any_remap(struct storm *s, struct slot *slot, enum way way)
{
	static void (*const remaps[])(struct storm *, struct slot *, enum way) = {
	    resize, resize_in_place, move, move_part, leave_behind};

	remaps[below(s, sizeof(remaps) / sizeof(remaps[0]))](s, slot, way);
}

static void deed_remap(struct storm *s, struct slot *slot)
{
	any_remap(s, slot, seen_way(s));
}

/* Alone: nobody reads remap_way meanwhile. */
static void deed_remap_bare(struct storm *s, struct slot *slot)
{
	if (world->seen)
		return;
	remap_way = WAY_BARE;
	any_remap(s, slot, WAY_BARE);
	remap_way = WAY_LIBC;
}

/* ---- advice ---------------------------------------------------------------------------------- */

static long advise(struct storm *s, struct slot *slot, struct part p, int advice, enum way way)
{
	(void)s;
	return CALL(way, SYS_madvise, page_at(slot, p.first), bytes(p), advice, 0, 0, 0);
}

static void become_either(struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++)
		if (slot->page[i].content == CONTENT_SEED)
			slot->page[i].content = CONTENT_EITHER;
}

/* A part that no file would be read for again. */
static void discard(struct storm *s, struct slot *slot, int advice,
		    void (*become)(struct slot *slot, struct part p))
{
	struct part p = pick(s, slot);
	long ret;

	if (is_empty(p) || has_file(slot, p))
		return;
	ret = advise(s, slot, p, advice, any_way(s));
	EXPECT(s, slot, ret == 0, ret);
	become(slot, p);
}

static void deed_discard(struct storm *s, struct slot *slot)
{
	discard(s, slot, MADV_DONTNEED, become_zero);
}

static void deed_discard_lazily(struct storm *s, struct slot *slot)
{
	discard(s, slot, MADV_FREE, become_either);
}

/* None of it changes a byte, whether it is taken or refused. */
static void deed_advise(struct storm *s, struct slot *slot)
{
	static const int advice[] = {
	    MADV_NORMAL,
	    MADV_RANDOM,
	    MADV_SEQUENTIAL,
	    MADV_WILLNEED,
	    MADV_COLD,
	    MADV_PAGEOUT,
	    MADV_HUGEPAGE,
	    MADV_NOHUGEPAGE,
	    MADV_COLLAPSE,
	    MADV_MERGEABLE,
	    MADV_DONTDUMP,
	    MADV_UNMERGEABLE,
	    MADV_DODUMP,
	    MADV_POPULATE_READ,
	    MADV_POPULATE_WRITE,
	    MADV_REMOVE,
	    /* not of private memory */ 9999,
	};
	struct part p = pick(s, slot);

	if (is_empty(p))
		return;
	advise(s, slot, p, advice[below(s, sizeof(advice) / sizeof(advice[0]))], any_way(s));
	slot->pieces = true;
}

static void deed_fate(struct storm *s, struct slot *slot)
{
	static const struct {
		int advice;
		uint8_t set, clear;
	} fates[] = {
	    {MADV_WIPEONFORK, FATE_WIPED, 0},
	    {MADV_KEEPONFORK, 0, FATE_WIPED},
	    {MADV_DONTFORK, FATE_ABSENT, 0},
	    {MADV_DOFORK, 0, FATE_ABSENT},
	};
	unsigned k = (unsigned)below(s, 4);
	struct part p = pick(s, slot);
	long ret;

	if (is_empty(p) || has_file(slot, p))
		return;
	ret = advise(s, slot, p, fates[k].advice, k < 2 ? any_way(s) : seen_way(s));
	EXPECT(s, slot, ret == 0, ret);
	for (size_t i = p.first; i < p.end; i++)
		slot->page[i].fate =
		    (uint8_t)((slot->page[i].fate | fates[k].set) & ~fates[k].clear);
	slot->pieces = true;
}

static void short_nap(struct storm *s)
{
	host_sleep_ms((long)below(s, 4));
}

/* Linux 6.12 and before leave an empty buffer of a refused write in the pipe, in a page's place. */
static void clear_pipe(struct storm *s)
{
	char c = 0;

	HOST_CHECK(write(s->pipe[1], &c, 1) == 1);
	HOST_CHECK(read(s->pipe[0], &c, 1) == 1);
}

/* Empty, out of bounds for a moment, and empty again. */
static void deed_guard(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);
	enum way way = seen_way(s);
	long ret;

	if (is_empty(p) || has_file(slot, p))
		return;
	ret = advise(s, slot, p, MADV_GUARD_INSTALL, way);
	if (ret == -EINVAL) /* an older kernel */
		return;
	EXPECT(s, slot, ret == 0, ret);
	ret = bare6(SYS_write, s->pipe[1], (long)page_at(slot, p.end - 1), 8, 0, 0, 0);
	EXPECT(s, slot, ret == -EFAULT, ret);
	clear_pipe(s);
	short_nap(s);
	ret = advise(s, slot, p, MADV_GUARD_REMOVE, way);
	EXPECT(s, slot, ret == 0, ret);
	become_zero(slot, p);
	slot->pieces = true;
}

static void deed_lock(struct storm *s, struct slot *slot)
{
	struct part p = pick(s, slot);
	enum way way = any_way(s);
	long ret;

	if (is_empty(p) || !all_readable(slot, p))
		return;
	ret = CALL(way, SYS_mlock, page_at(slot, p.first), bytes(p), 0, 0, 0, 0);
	if (ret == -ENOMEM || ret == -EPERM || ret == -EAGAIN) /* RLIMIT_MEMLOCK */
		return;
	EXPECT(s, slot, ret == 0, ret);
	short_nap(s);
	ret = (long)host_absent(page_at(slot, p.first), bytes(p));
	EXPECT(s, slot, ret == 0, ret);
	look(slot, p.first);
	ret = CALL(way, SYS_munlock, page_at(slot, p.first), bytes(p), 0, 0, 0, 0);
	EXPECT(s, slot, ret == 0, ret);
	slot->pieces = true;
}

/* ---- the kernel reads and writes ------------------------------------------------------------- */

/* Up to IO_PAGES pages; empty where the protection would get in the way. */
static struct part pick_io(struct storm *s, const struct slot *slot, bool write)
{
	struct part p = pick(s, slot);

	p.end = p.end - p.first > IO_PAGES ? p.first + IO_PAGES : p.end;
	if (write ? !all_writable(slot, p) : !all_readable(slot, p))
		p.end = p.first;
	return p;
}

static void agrees_with(struct slot *slot, struct part p, const char *got, const char *how)
{
	for (size_t i = p.first; i < p.end; i++, got += PAGE) {
		struct page_model *m = &slot->page[i];

		if (page_agrees(got, m))
			continue;
		tell_past(slot);
		wrong(how, got, m);
	}
}

static void deed_pipe_out(struct storm *s, struct slot *slot)
{
	struct part p = pick_io(s, slot, false);
	long ret;

	if (is_empty(p))
		return;
	ret = CALL(any_way(s), SYS_write, s->pipe[1], page_at(slot, p.first), bytes(p), 0, 0, 0);
	EXPECT(s, slot, ret == (long)bytes(p), ret);
	HOST_CHECK(read(s->pipe[0], self->bounce, bytes(p)) == (ssize_t)bytes(p));
	agrees_with(slot, p, self->bounce, "written to a pipe");
}

/* What a page must hold after page i of the thread's file was read into it. */
static void now_of_file(struct slot *slot, struct part p)
{
	for (size_t i = p.first; i < p.end; i++) {
		slot->page[i].seed = i - p.first + 1;
		slot->page[i].content = CONTENT_SEED;
	}
}

static void deed_file_in(struct storm *s, struct slot *slot)
{
	struct part p = pick_io(s, slot, true);
	long ret;

	if (is_empty(p))
		return;
	ret = CALL(any_way(s), SYS_pread64, s->file, page_at(slot, p.first), bytes(p), 0, 0, 0);
	EXPECT(s, slot, ret == (long)bytes(p), ret);
	now_of_file(slot, p);
}

static void deed_splice_out(struct storm *s, struct slot *slot)
{
	struct part p = pick_io(s, slot, false);
	struct iovec v;
	ssize_t ret;

	if (is_empty(p))
		return;
	v = (struct iovec){page_at(slot, p.first), bytes(p)};
	ret = vmsplice(s->pipe[1], &v, 1, 0);
	EXPECT(s, slot, ret > 0 && (size_t)ret % PAGE == 0, ret);
	short_nap(s);
	p.end = p.first + (size_t)ret / PAGE;
	HOST_CHECK(read(s->pipe[0], self->bounce, bytes(p)) == ret);
	agrees_with(slot, p, self->bounce, "spliced into a pipe");
}

/* Out to a disk and, after it has been overwritten, back. */
static void deed_direct_io(struct storm *s, struct slot *slot)
{
	struct part p = pick_io(s, slot, true);
	struct page_model was[IO_PAGES];
	ssize_t ret;

	if (is_empty(p) || s->direct < 0)
		return;
	memcpy(was, &slot->page[p.first], (p.end - p.first) * sizeof(*was));
	ret = pwrite(s->direct, page_at(slot, p.first), bytes(p), 0);
	EXPECT(s, slot, ret == (ssize_t)bytes(p), ret);
	for (size_t i = p.first; i < p.end; i++)
		write_page(s, slot, i);
	short_nap(s);
	ret = pread(s->direct, page_at(slot, p.first), bytes(p), 0);
	EXPECT(s, slot, ret == (ssize_t)bytes(p), ret);
	memcpy(&slot->page[p.first], was, (p.end - p.first) * sizeof(*was));
}

/* From one slot to another, by the kernel. */
static void deed_copy_across(struct storm *s, struct slot *slot)
{
	struct slot *to = &s->slot[below(s, SLOTS)];
	struct iovec from, into;
	struct part p, q;
	ssize_t ret;

	if (to == slot || !to->pages)
		return;
	p = pick_io(s, slot, false);
	q = pick_io(s, to, true);
	if (is_empty(p) || is_empty(q))
		return;
	if (q.end - q.first > p.end - p.first)
		q.end = q.first + (p.end - p.first);
	p.end = p.first + (q.end - q.first);
	from = (struct iovec){page_at(slot, p.first), bytes(p)};
	into = (struct iovec){page_at(to, q.first), bytes(q)};
	look_at_all(slot); /* an EITHER page must not be copied as such */
	ret = process_vm_readv(getpid(), &into, 1, &from, 1, 0);
	EXPECT(s, slot, ret == (ssize_t)bytes(p), ret);
	agrees_with(slot, p, page_at(to, q.first), "copied by the kernel");
	for (size_t i = 0; i < q.end - q.first; i++) {
		to->page[q.first + i].seed = slot->page[p.first + i].seed;
		to->page[q.first + i].content = slot->page[p.first + i].content;
		if (slot->page[p.first + i].content == CONTENT_EITHER)
			write_page(s, to, q.first + i);
	}
}

static void deed_forbidden(struct storm *s, struct slot *slot)
{
	size_t i = below(s, slot->pages);
	struct page_model *p = &slot->page[i];
	long ret;

	if (p->content == CONTENT_GONE || p->prot == (PROT_READ | PROT_WRITE))
		return;
	ret = CALL(any_way(s), SYS_pread64, s->file, page_at(slot, i), PAGE, 0, 0, 0);
	EXPECT(s, slot, ret == -EFAULT, ret);
	if (p->prot & PROT_READ)
		return;
	ret = CALL(any_way(s), SYS_write, s->pipe[1], page_at(slot, i), PAGE, 0, 0, 0);
	EXPECT(s, slot, ret == -EFAULT, ret);
	clear_pipe(s);
}

/* ---- beside the slots ------------------------------------------------------------------------ */

static bool try_lock(uint32_t *lock)
{
	return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE);
}

static void unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static void change_common(struct storm *s, char *at, struct page_model *p)
{
	switch (below(s, 6)) {
	case 0:
		HOST_CHECK(CALL(any_way(s), SYS_madvise, at, PAGE, MADV_DONTNEED, 0, 0, 0) == 0);
		p->content = CONTENT_ZERO;
		return;
	case 1:
		HOST_CHECK(CALL(any_way(s), SYS_madvise, at, PAGE, MADV_FREE, 0, 0, 0) == 0);
		p->content = p->content == CONTENT_SEED ? CONTENT_EITHER : p->content;
		return;
	case 2:
		HOST_CHECK(CALL(any_way(s), SYS_pread64, s->file, at, PAGE, 0, 0, 0) == PAGE);
		p->seed = 1;
		p->content = CONTENT_SEED;
		return;
	default:
		p->seed = new_seed(s);
		p->content = CONTENT_SEED;
		page_fill(at, p->seed);
	}
}

static void deed_common(struct storm *s, struct slot *slot)
{
	(void)slot;
	for (unsigned n = 0; n < 8; n++) {
		size_t i = below(s, COMMONS);
		char *at = commons + i * PAGE;

		if (!try_lock(&world->common_lock[i]))
			continue;
		if (!page_agrees(at, &world->common[i]))
			wrong("common", at, &world->common[i]);
		if (chance(s, 2))
			change_common(s, at, &world->common[i]);
		unlock(&world->common_lock[i]);
	}
}

static void check_block(const struct block *b)
{
	if (!host_same(b->at, b->len, b->seed))
		HOST_FAIL("a block of malloc at %p, %zu bytes, is not what it was", (void *)b->at,
			  b->len);
}

static size_t block_size(struct storm *s)
{
	static const size_t most[] = {64, 2048, 65536, 600000, 4 << 20};

	return (8 + below(s, most[below(s, 5)])) & ~7ul;
}

static void fill_block(struct storm *s, struct block *b)
{
	HOST_CHECK(b->at);
	b->seed = new_seed(s);
	host_fill(b->at, b->len, b->seed);
}

static void new_block(struct storm *s, struct block *b)
{
	b->len = block_size(s);
	if (chance(s, 3)) {
		b->at = calloc(1, b->len);
		HOST_CHECK(b->at && host_zero(b->at, b->len));
	} else {
		b->at = chance(s, 8) ? aligned_alloc(PAGE, b->len + PAGE - b->len % PAGE)
				     : malloc(b->len);
	}
	fill_block(s, b);
}

static void deed_heap(struct storm *s, struct slot *slot)
{
	struct block *b = &s->block[below(s, BLOCKS)];
	size_t len, kept;

	(void)slot;
	if (!b->at) {
		new_block(s, b);
		return;
	}
	check_block(b);
	if (chance(s, 2)) {
		free(b->at);
		b->at = NULL;
		return;
	}
	len = block_size(s);
	kept = len < b->len ? len : b->len;
	b->at = realloc(b->at, len);
	b->len = len;
	HOST_CHECK(b->at && host_same(b->at, kept, b->seed));
	fill_block(s, b);
}

static void look_at_break(unsigned k)
{
	for (size_t i = 0; i < world->brk[k].pages; i++)
		if (!page_agrees(world->brk[k].at + i * PAGE, &world->brk[k].page[i]))
			wrong("break", world->brk[k].at + i * PAGE, &world->brk[k].page[i]);
}

static void grow_break(struct storm *s)
{
	size_t pages = 1 + below(s, BREAK_PAGES), skew = (uintptr_t)sbrk(0) % PAGE;
	unsigned k = world->breaks;

	if (skew)
		HOST_CHECK(sbrk((intptr_t)(PAGE - skew)) != (void *)-1);
	world->brk[k].at = sbrk((intptr_t)(pages * PAGE));
	HOST_CHECK(world->brk[k].at != (void *)-1);
	world->brk[k].pages = pages;
	world->breaks++;
	for (size_t i = 0; i < pages; i++) {
		world->brk[k].page[i] = fresh;
		if (chance(s, 4))
			continue;
		world->brk[k].page[i].seed = new_seed(s);
		world->brk[k].page[i].content = CONTENT_SEED;
		page_fill(world->brk[k].at + i * PAGE, world->brk[k].page[i].seed);
	}
}

/* Not when malloc has taken more of it since. */
static void shrink_break(void)
{
	unsigned k = world->breaks - 1;
	size_t len = world->brk[k].pages * PAGE;

	look_at_break(k);
	if (sbrk(0) != world->brk[k].at + len)
		return;
	HOST_CHECK(sbrk(-(intptr_t)len) == world->brk[k].at + len);
	world->breaks--;
}

/* malloc_trim() moves the break too. */
static void deed_break(struct storm *s, struct slot *slot)
{
	(void)slot;
	if (!try_lock(&world->break_lock))
		return;
	if (chance(s, 8))
		malloc_trim(below(s, 2) * 4096);
	else if (world->breaks < BREAKS && (!world->breaks || chance(s, 2)))
		grow_break(s);
	else if (chance(s, 2))
		shrink_break();
	else
		look_at_break((unsigned)below(s, world->breaks));
	unlock(&world->break_lock);
}

static void open_ring(struct storm *s)
{
	s->pinned = host_map(PINNED * PAGE);
	s->has_ring = !world->seen && io_ring_open(&s->ring);
	if (s->has_ring && io_ring_pin(&s->ring, s->pinned, PINNED * PAGE)) {
		io_ring_close(&s->ring);
		s->has_ring = false;
	}
	for (size_t i = 0; i < PINNED; i++)
		s->pin[i] = fresh;
}

static void write_pinned(struct storm *s, size_t i)
{
	s->pin[i].seed = new_seed(s);
	s->pin[i].content = CONTENT_SEED;
	page_fill(s->pinned + i * PAGE, s->pin[i].seed);
}

static int ring_page(struct storm *s, uint8_t opcode, size_t i, int fd)
{
	return io_ring_do(&s->ring, (struct io_uring_sqe){.opcode = opcode,
							  .fd = fd,
							  .addr = (uintptr_t)s->pinned + i * PAGE,
							  .len = PAGE});
}

static void deed_ring(struct storm *s, struct slot *slot)
{
	size_t i = below(s, PINNED);

	(void)slot;
	if (!s->has_ring)
		return;
	if (!page_agrees(s->pinned + i * PAGE, &s->pin[i]))
		wrong("pinned", s->pinned + i * PAGE, &s->pin[i]);
	if (chance(s, 3))
		write_pinned(s, i);
	if (chance(s, 2)) {
		HOST_CHECK(ring_page(s, IORING_OP_READ_FIXED, i, s->file) == PAGE);
		s->pin[i].seed = 1;
		s->pin[i].content = CONTENT_SEED;
	} else {
		HOST_CHECK(ring_page(s, IORING_OP_WRITE_FIXED, i, s->pipe[1]) == PAGE);
		HOST_CHECK(read(s->pipe[0], self->bounce, PAGE) == (ssize_t)PAGE);
		if (!page_agrees(self->bounce, &s->pin[i]))
			wrong("written from a pinned buffer", self->bounce, &s->pin[i]);
	}
	if (!chance(s, 64))
		return;
	io_ring_close(&s->ring);
	HOST_CHECK(munmap(s->pinned, PINNED * PAGE) == 0);
	open_ring(s);
}

/* ---- threads and signals --------------------------------------------------------------------- */

/* Runs in the middle of everything, on a stack that gets cold. */
static void on_signal(int number)
{
	size_t at = (world->storm[0].steps * 7 + (uint64_t)number) % (STILL / PAGE) * PAGE;
	int saved = errno;

	if (!host_page_begins(still, at, STILL_SEED))
		HOST_FAIL("a handler found a wrong page at %p", (void *)(still + at));
	if (self)
		self->signals++;
	errno = saved;
}

/* Dies as it would have, but says where. */
static void on_crash(int number, siginfo_t *info, void *context)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "signal %d at %p in pid %d\n", number, info->si_addr,
			 getpid());

	(void)context;
	if (write(2, line, (size_t)n) == n)
		signal(number, SIG_DFL);
	raise(number);
}

static void use_cold_stack(struct storm *s)
{
	stack_t stack = {.ss_sp = host_map(STACK_BYTES), .ss_size = STACK_BYTES};

	(void)s;
	HOST_CHECK(sigaltstack(&stack, NULL) == 0);
}

static void deed_signal(struct storm *s, struct slot *slot)
{
	(void)slot;
	if (world->threads > 1)
		HOST_CHECK(pthread_kill(world->storm[below(s, world->threads)].thread, SIGUSR1) ==
			   0);
	raise(SIGUSR1);
}

static void *look_and_end(void *slot)
{
	look_at_all(slot);
	return slot;
}

static void deed_thread(struct storm *s, struct slot *slot)
{
	pthread_t t;
	void *result;

	(void)s;
	HOST_CHECK(pthread_create(&t, NULL, look_and_end, slot) == 0);
	HOST_CHECK(pthread_join(t, &result) == 0);
	HOST_CHECK(result == slot);
}

/* ---- children -------------------------------------------------------------------------------- */

/* What a child must find, given what its parent had. */
static struct page_model inherited(struct page_model p)
{
	if (p.fate & FATE_ABSENT)
		p.content = CONTENT_GONE;
	else if (p.fate & FATE_WIPED && p.content != CONTENT_GONE)
		p.content = CONTENT_ZERO;
	return p;
}

static void child_looks(const struct slot *slot)
{
	for (size_t i = 0; i < slot->pages; i++) {
		struct page_model p = inherited(slot->page[i]);

		if (p.content == CONTENT_GONE || !(p.prot & PROT_READ) ||
		    page_agrees(page_at(slot, i), &p))
			continue;
		tell_past(slot);
		wrong("child", page_at(slot, i), &p);
	}
}

static bool child_may_write(const struct page_model *p)
{
	return p->content != CONTENT_GONE && !(p->fate & FATE_ABSENT) &&
	       p->prot == (PROT_READ | PROT_WRITE);
}

/* The models are the parent's too: what a child writes follows from the place alone. */
static struct page_model childs(const struct slot *slot, size_t i)
{
	struct page_model p = slot->page[i];

	p.seed = (uint64_t)(uintptr_t)page_at(slot, i) | 1;
	p.content = child_may_write(&p) ? CONTENT_SEED : CONTENT_GONE;
	return p;
}

static void child_writes(const struct slot *slot)
{
	for (size_t i = 0; i < slot->pages; i++) {
		struct page_model p = childs(slot, i);

		if (p.content != CONTENT_GONE)
			page_fill(page_at(slot, i), p.seed);
	}
}

static void child_reads_back(const struct slot *slot, bool grandchild)
{
	for (size_t i = 0; i < slot->pages; i++) {
		struct page_model p = childs(slot, i);

		if (grandchild)
			p = inherited(p);
		if (p.content != CONTENT_GONE && !page_agrees(page_at(slot, i), &p))
			wrong("written by a child", page_at(slot, i), &p);
	}
}

/* By _Fork(): fork() waits for locks of malloc that no thread of this process may ever let go. */
static void child_has_a_child(struct storm *s)
{
	pid_t pid = _Fork();

	HOST_CHECK(pid >= 0);
	if (pid)
		_exit(host_reap(pid));
	for (unsigned i = 0; i < SLOTS; i++)
		child_reads_back(&s->slot[i], true);
	_exit(0);
}

static _Noreturn void be_child(struct storm *s, bool grandchild)
{
	alarm(CHILD_LIMIT);
	for (unsigned i = 0; i < SLOTS; i++)
		child_looks(&s->slot[i]);
	for (unsigned i = 0; i < SLOTS; i++)
		child_writes(&s->slot[i]);
	host_sleep_ms(5);
	for (unsigned i = 0; i < SLOTS; i++)
		child_reads_back(&s->slot[i], false);
	if (grandchild)
		child_has_a_child(s);
	_exit(0);
}

static pid_t fork_somehow(struct storm *s, bool *unseen)
{
	switch (below(s, 8)) {
	case 0:
		return fork_barely();
	case 1:
		return fork_by_number();
	case 2:
		return clone_by_number();
	case 3:
		*unseen = true;
		return (pid_t)bare6(SYS_fork, 0, 0, 0, 0, 0, 0);
	default:
		return fork();
	}
}

/* A child of a fork that the library could not see may crash on memory that was away; no more. */
static void deed_fork(struct storm *s, struct slot *slot)
{
	bool unseen = false, grandchild = chance(s, 4);
	pid_t pid = fork_somehow(s, &unseen);
	int status;

	HOST_CHECK(pid >= 0);
	if (pid == 0)
		be_child(s, grandchild && !unseen);
	status = host_reap(pid);
	EXPECT(s, slot, status == 0 || (unseen && status == 128 + SIGSEGV), status);
}

static void deed_spawn(struct storm *s, struct slot *slot)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	pid_t pid;

	(void)slot;
	if (chance(s, 2)) {
		HOST_CHECK(posix_spawnp(&pid, "true", NULL, NULL, argv, argv + 1) == 0);
	} else {
		pid = vfork();
		if (pid == 0) {
			execvp("true", argv);
			_exit(1);
		}
	}
	HOST_CHECK(host_reap(pid) == 0);
}

/* ---- chance ---------------------------------------------------------------------------------- */

#define DEED(name) #name, deed_##name

static const struct deed {
	unsigned weight;
	bool alone; /* while no other thread does anything */
	const char *name;
	void (*run)(struct storm *, struct slot *);
} deeds[] = {
    {1800, false, DEED(write_one)}, {1800, false, DEED(look_one)},
    {120, false, DEED(write_part)}, {120, false, DEED(look_all)},
    {40, false, DEED(unmap)},	    {30, false, DEED(unmap_part)},
    {30, false, DEED(refill)},	    {40, false, DEED(map_over)},
    {15, false, DEED(map_file)},    {3, false, DEED(shm_over)},
    {60, false, DEED(protect)},	    {30, false, DEED(unprotect)},
    {80, false, DEED(remap)},	    {10, true, DEED(remap_bare)},
    {80, false, DEED(discard)},	    {50, false, DEED(discard_lazily)},
    {60, false, DEED(advise)},	    {20, false, DEED(fate)},
    {6, false, DEED(guard)},	    {8, false, DEED(lock)},
    {100, false, DEED(pipe_out)},   {60, false, DEED(file_in)},
    {20, false, DEED(splice_out)},  {20, false, DEED(direct_io)},
    {40, false, DEED(copy_across)}, {40, false, DEED(forbidden)},
    {300, false, DEED(common)},	    {200, false, DEED(heap)},
    {15, false, DEED(break)},	    {60, false, DEED(ring)},
    {20, false, DEED(signal)},	    {6, false, DEED(thread)},
    {2, false, DEED(fork)},	    {2, false, DEED(spawn)},
};
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

static const struct deed *draw(struct storm *s)
{
	unsigned total = 0;
	uint64_t at;

	for (unsigned i = 0; i < DEEDS; i++)
		total += deeds[i].weight;
	at = below(s, total);
	for (unsigned i = 0;; i++) {
		if (at < deeds[i].weight)
			return &deeds[i];
		at -= deeds[i].weight;
	}
}

static void step(struct storm *s)
{
	struct slot *slot = &s->slot[below(s, SLOTS)];
	const struct deed *deed = draw(s);

	if (deed->alone)
		pthread_rwlock_wrlock(&layout);
	else
		pthread_rwlock_rdlock(&layout);
	if (!slot->pages) {
		map(s, slot);
	} else {
		slot->past[slot->deeds++ % PAST] = deed->name;
		deed->run(s, slot);
	}
	pthread_rwlock_unlock(&layout);
	s->steps++;
	if (chance(s, NAP_ONE_IN))
		host_sleep_ms((long)below(s, 16));
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void fill_file(struct storm *s)
{
	char path[] = "/var/tmp/model.XXXXXX";

	s->file = memfd_create("model", 0);
	HOST_CHECK(s->file >= 0);
	for (size_t i = 0; i < IO_PAGES; i++) {
		page_fill(self->bounce, i + 1);
		HOST_CHECK(write(s->file, self->bounce, PAGE) == (ssize_t)PAGE);
	}
	s->direct = mkstemp(path);
	HOST_CHECK(s->direct >= 0);
	close(s->direct);
	s->direct = world->seen ? -1 : open(path, O_RDWR | O_DIRECT);
	unlink(path);
}

static void *storm(void *arg)
{
	struct storm *s = arg;

	self = s;
	use_cold_stack(s);
	fill_file(s);
	HOST_CHECK(pipe(s->pipe) == 0);
	open_ring(s);
	pthread_barrier_wait(&all_known);
	while (host_now_ms() < world->until)
		for (unsigned i = 0; i < 32; i++)
			step(s);
	for (unsigned i = 0; i < SLOTS; i++)
		look_at_all(&s->slot[i]);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (s->block[i].at)
			check_block(&s->block[i]);
	pthread_barrier_wait(&all_done);
	return NULL;
}

static void prepare(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
	struct sigaction crash = {.sa_sigaction = on_crash,
				  .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER};
	pthread_rwlockattr_t attr;

	HOST_CHECK(sigaction(SIGSEGV, &crash, NULL) == 0);
	HOST_CHECK(sigaction(SIGBUS, &crash, NULL) == 0);
	HOST_CHECK(pthread_rwlockattr_init(&attr) == 0);
	HOST_CHECK(pthread_rwlockattr_setkind_np(
		       &attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
	HOST_CHECK(pthread_rwlock_init(&layout, &attr) == 0);
	HOST_CHECK(pthread_barrier_init(&all_known, NULL, world->threads + 1) == 0);
	HOST_CHECK(pthread_barrier_init(&all_done, NULL, world->threads) == 0);
	HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	still = host_map(STILL);
	host_fill(still, STILL, STILL_SEED);
	commons = host_map(COMMONS * PAGE);
	for (size_t i = 0; i < COMMONS; i++)
		world->common[i] = fresh;
}

int main(void)
{
	uint64_t seed = host_seed(), steps = 0, signals = 0;

	world =
	    mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	HOST_CHECK(world != MAP_FAILED);
	world->threads = (unsigned)host_number("HOST_THREADS", 8);
	world->seen = host_number("HOST_SEEN", 0) != 0;
	HOST_CHECK(world->threads >= 1 && world->threads <= THREADS_MAX);
	prepare();
	world->until = host_deadline();
	for (unsigned i = 0; i < world->threads; i++) {
		struct storm *s = &world->storm[i];

		s->index = i;
		s->random = (seed + i * 0x9e3779b97f4a7c15ull) | 1;
		HOST_CHECK(pthread_create(&s->thread, NULL, storm, s) == 0);
	}
	pthread_barrier_wait(&all_known);
	for (unsigned i = 0; i < world->threads; i++) {
		HOST_CHECK(pthread_join(world->storm[i].thread, NULL) == 0);
		steps += world->storm[i].steps;
		signals += world->storm[i].signals;
	}
	HOST_CHECK(host_same(still, STILL, STILL_SEED));
	fprintf(stderr, "figure: %llu operations, %llu signals\n", (unsigned long long)steps,
		(unsigned long long)signals);
	return 0;
}
