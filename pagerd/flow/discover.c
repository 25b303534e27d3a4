#include "flow/discover.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/exclude.h"
#include "flow/forkless.h"
#include "flow/mapped.h"
#include "flow/world.h"
#include "kernel/task.h"
#include "kernel/vma.h"
#include "state/range.h"
#include "state/thread.h"

#include <errno.h>
#include <sys/mman.h>

#define AREAS_MAX  16384u
#define TEXT_BYTES 65536u
#define SMAPS_REST 30u		  /* smaps may take one part in so many of the time */
#define REFUSED_REST 300u	  /* where that is only for what was refused before, */
#define REFUSED_MIN  (10 * PC_SEC) /* and not before */
#define STACK_MAX  (256ull << 20) /* more than that is not all stack: only control blocks stay out */
#define OWN_MAX	   80u
#define MARK_AT_ONCE 64u /* units */
#define STRAY_WALKS 3u /* one that finds, one that finds no more, and one for what moves */

#define FLAGS_FINE                                                                                 \
	(VMA_FLAG(rd) | VMA_FLAG(wr) | VMA_FLAG(mr) | VMA_FLAG(mw) | VMA_FLAG(me) | VMA_FLAG(ac) | \
	 VMA_FLAG(nr) | VMA_FLAG(sd) | VMA_FLAG(hg) | VMA_FLAG(nh) | VMA_FLAG(um) | VMA_FLAG(uw) | \
	 VMA_FLAG(dc))

/* The library's own file: its .data and .bss hold the pager's tables. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static struct {
	struct span_set areas; /* the result */
	struct span_set known; /* mappings whose flags have been seen and are fine */
	struct span_set refused; /* the same, and are not */
	struct span_set fresh; /* under construction; what it has no room for is left out */
	struct span_set unfit; /* the same, of what is refused */
	char *text;
	char *witness;	  /* never touched: its soft-dirty bit is that of its mapping */
	pc_ns smaps_at;	  /* not before */
	pc_ns refused_until;
	uint64_t unknown; /* bytes met in this walk whose flags have not been seen */
	bool strays;	  /* the walk gives back what forkless_lost() tells of */
	bool threads_ok;
	bool soft_dirty; /* the kernel has it: it was seen, and does not go */
	bool cleared;	 /* the program has cleared such bits */
	uint32_t walk;
	unsigned own_count;
	int own[OWN_MAX];
} disco;

static bool set_start(struct span_set *s, const char *use)
{
	s->span = pool_map(AREAS_MAX * sizeof(*s->span), use);
	s->max = AREAS_MAX;
	s->count = 0;
	return s->span != NULL;
}

int discover_start(void)
{
	if (disco.text)
		return 0;
	if (!set_start(&disco.areas, "areas") || !set_start(&disco.known, "known") ||
	    !set_start(&disco.refused, "refused") || !set_start(&disco.fresh, "fresh") ||
	    !set_start(&disco.unfit, "unfit"))
		return -ENOMEM;
	disco.witness = pool_map(PC_PAGE, "witness");
	disco.text = disco.witness ? pool_map(TEXT_BYTES, "maps") : NULL;
	return disco.text ? 0 : -ENOMEM;
}

void discover_forget(void)
{
	span_clear(&disco.known);
	span_clear(&disco.refused);
	span_clear(&disco.areas);
	disco.smaps_at = 0;
	disco.own_count = 0;
}

void discover_own_thread(int tid)
{
	PC_ASSERT(disco.own_count < OWN_MAX);
	disco.own[disco.own_count++] = tid;
}

const struct span_set *discover_areas(void)
{
	return &disco.areas;
}

bool discover_threads_ok(void)
{
	return disco.threads_ok;
}

/* ---- the predicate -------------------------------------------------------------------------- */

static bool plain_anonymous(const struct vma *v)
{
	return vma_private(v) && v->read && v->write && !v->exec && v->end <= PC_ADDR_MAX;
}

static bool flags_fine(const struct vma *v)
{
	return !(v->flags & ~FLAGS_FINE) && !v->pkey;
}

bool discover_manageable(const struct vma *v)
{
	return plain_anonymous(v) && v->have_flags && flags_fine(v);
}

static bool ours(const struct vma *v)
{
	return pool_owns(v->start, v->end) ||
	       span_overlaps(v->start, v->end, (pc_addr)__ehdr_start, page_ceil((pc_addr)_end));
}

/* Where it begins to be no thread's. */
static pc_addr start_of(const struct vma *v)
{
	pc_addr top = thread_top(v->start, v->end);

	return top - v->start <= STACK_MAX ? top : v->start;
}

/* ---- the walks ------------------------------------------------------------------------------ */

/* On what is registered, MADV_DONTFORK may be the pager's own; elsewhere it is the program's. */
static bool kept_from_children(const struct vma *v)
{
	return v->flags & VMA_FLAG(dc) && !(v->flags & VMA_FLAG(um));
}

static bool knows_some(pc_addr start, pc_addr end)
{
	for (pc_addr at = unit_floor(start); at < end; at += PC_UNIT) {
		const struct unit *u = range_find(at);

		if (u && unit_any_registered(u))
			return true;
	}
	return false;
}

/* Nothing is known to have changed since smaps was read. */
static bool still_there(const struct vma *v)
{
	struct vma now;

	return !uffd_pending(&world.uffd) && !knows_some(v->start, v->end) &&
	       !world.mapping_at(world.maps, v->start, &now) && now.start == v->start &&
	       now.end == v->end;
}

/*
 * Whole, or not at all: the flag cuts mappings. What came there meanwhile, told by an event, may be a
 * guarded mapping with pages away: it has its guard back before anything else is done.
 */
static bool give_stray(const struct vma *v)
{
	if (!still_there(v) || !forkless_give(v->start, v->end))
		return false;
	if (!uffd_pending(&world.uffd))
		return true;
	sys_madvise(v->start, v->end - v->start, MADV_DONTFORK);
	return false;
}

/* What was given, or could not be, has the next walk look again. */
static void mend_stray(const struct vma *v)
{
	if (!kept_from_children(v) || !vma_private(v) || ours(v) || forkless_hits(v->start, v->end))
		return;
	gate_enter(&world.gate, GATE_WORK);
	if (give_stray(v))
		COUNT(0, strays_given);
	gate_leave(&world.gate, GATE_WORK);
	forkless_lose();
}

/* False: it is the program's to keep, and there is no room to note that. */
static bool note_kept(const struct vma *v)
{
	return disco.strays || !kept_from_children(v) || forkless_add(v->start, v->end);
}

/*
 * A mapping is born with the flag, and loses it when the program begins to track what is written. From
 * then on pagemap has to tell that of each page, and of one that is away it tells nothing.
 */
static bool tracked(const struct vma *v)
{
	return disco.soft_dirty && !(v->flags & VMA_FLAG(sd));
}

static bool note_known(const struct vma *v, void *arg)
{
	(void)arg;
	disco.soft_dirty |= v->flags & VMA_FLAG(sd);
	if (disco.strays)
		mend_stray(v);
	if (discover_manageable(v) && !tracked(v) && note_kept(v))
		span_add(&disco.fresh, v->start, v->end);
	else if (plain_anonymous(v))
		span_add(&disco.unfit, v->start, v->end);
	return true;
}

/* Of a mapping that may be managed, what may be discarded: see flow/mapped.h. */
static void add_mapped(pc_addr start, pc_addr end)
{
	pc_addr stop = end;

	for (; start < end && mapped_piece(&start, &stop); start = stop, stop = end)
		span_add(&disco.fresh, start, stop);
}

static void add_area(enum vma_kind kind, pc_addr start, pc_addr end)
{
	if (start >= end)
		return;
	if (world.way == WAY_MOVE)
		span_add(&disco.fresh, start, end);
	else if (kind == VMA_ANON)
		add_mapped(start, end);
}

static bool note_area(const struct vma *v, void *arg)
{
	const struct pc_span home = thread_home();
	pc_addr start;

	(void)arg;
	if (!plain_anonymous(v) || ours(v) || disco.cleared)
		return true;
	if (!span_hits(&disco.known, v->start, v->end)) {
		if (!span_hits(&disco.refused, v->start, v->end))
			disco.unknown += v->end - v->start;
		return true;
	}
	start = start_of(v);
	if (!span_overlaps(start, v->end, home.start, home.end)) {
		add_area(v->kind, start, v->end);
		return true;
	}
	add_area(v->kind, start, home.start);
	add_area(v->kind, home.end, v->end);
	return true;
}

static void swap_sets(struct span_set *a, struct span_set *b)
{
	struct span_set t = *a;

	*a = *b;
	*b = t;
}

static int walk(int fd, bool smaps, vma_fn *fn)
{
	span_clear(&disco.fresh);
	span_clear(&disco.unfit);
	disco.unknown = 0;
	return vma_walk(fd, smaps, disco.text, TEXT_BYTES, fn, NULL);
}

/* Reads all flags. Its length in time decides when it may be done again. */
static int learn_flags(pc_ns now)
{
	pc_ns start = sys_thread_cpu(), took;
	int err;

	disco.strays = forkless_lost();
	if (disco.strays)
		forkless_seek();
	err = walk(world.smaps, true, note_known);
	if (err && disco.strays)
		forkless_lose();
	took = sys_thread_cpu() - start;
	disco.smaps_at = now + took * SMAPS_REST;
	disco.refused_until = now + PC_MAX(took * REFUSED_REST, REFUSED_MIN);
	if (err)
		return err;
	swap_sets(&disco.known, &disco.fresh);
	swap_sets(&disco.refused, &disco.unfit);
	return 0;
}

int discover_strays(pc_ns now, bool must)
{
	int err = 0;

	for (unsigned i = 0; i < STRAY_WALKS && !err && forkless_lost(); i++) {
		if (!must && now < disco.smaps_at)
			break;
		err = learn_flags(now);
	}
	return err;
}

/*
 * Who has cleared the bits once will again, of what is mapped by then. What is away was not written to
 * since, and what comes home shows the bit: nothing more need be done than to take no more.
 */
static void look_for_trackers(void)
{
	int dirtied = pagemap_dirtied(&world.pagemap, (pc_addr)disco.witness);

	if (dirtied > 0)
		disco.soft_dirty = true;
	disco.cleared = disco.soft_dirty && !dirtied;
}

static int find_areas(void)
{
	int err;

	look_for_trackers();
	err = walk(world.maps, false, note_area);
	if (err)
		return err;
	swap_sets(&disco.areas, &disco.fresh);
	return 0;
}

/* Inside the gate, since pagers add units too, with the gate closed. */
static void mark_some(pc_addr start, pc_addr end, pc_ns now)
{
	gate_enter(&world.gate, GATE_WORK);
	for (pc_addr at = start; at < end; at += PC_UNIT) {
		struct unit *u = range_ensure(at);

		if (!u)
			continue;
		/* Nobody has watched it yet: its age begins now. */
		if (!u->seen)
			heat_warm(&u->heat, now);
		u->seen = disco.walk;
	}
	gate_leave(&world.gate, GATE_WORK);
}

/* Who closes the gate does not wait for a whole area: what was marked has its units, which stay. */
static void mark_area(const struct pc_span *s, pc_ns now)
{
	for (pc_addr at = unit_floor(s->start); at < s->end; at += MARK_AT_ONCE * PC_UNIT)
		mark_some(at, PC_MIN(s->end, at + MARK_AT_ONCE * PC_UNIT), now);
}

/* Units of memory that is still there are marked; the others may be freed. */
static void mark_units(pc_ns now)
{
	disco.walk++;
	for (uint32_t i = 0; i < disco.areas.count; i++)
		mark_area(&disco.areas.span[i], now);
}

static bool is_dead(const struct unit *u)
{
	return u && u->seen != disco.walk && !load_relaxed(&u->away) && !unit_any_registered(u);
}

static void free_dead_units(void)
{
	uint32_t dead = 0;

	for (uint32_t i = 0; i < range_limit(); i++)
		dead += is_dead(range_at(i));
	if (!dead)
		return;
	gate_close(&world.gate);
	for (uint32_t i = 0; i < range_limit(); i++)
		if (is_dead(range_at(i)))
			range_free(range_at(i));
	gate_open(&world.gate);
}

/* ---- threads -------------------------------------------------------------------------------- */

static bool own_thread(int tid)
{
	for (unsigned i = 0; i < disco.own_count; i++)
		if (disco.own[i] == tid)
			return true;
	return false;
}

/* Nothing of it is written to any more, or nothing ever was. */
static bool has_no_block(int tid)
{
	return task_is_zombie(tid) || task_is_kernel_made(tid);
}

static bool note_thread(int tid, void *arg)
{
	bool *ok = arg;
	int64_t head;

	if (own_thread(tid) || thread_known(tid))
		return true;
	head = task_robust_list(tid);
	if (head > 0)
		thread_add(tid, (pc_addr)head, (pc_addr)head);
	else if (head != -ESRCH && !has_no_block(tid))
		*ok = false;
	return true;
}

static bool find_living(int tid, void *arg)
{
	int *living = arg;

	if (!own_thread(tid) && !task_is_zombie(tid) && !task_is_kernel_made(tid))
		*living = tid;
	return !*living;
}

bool discover_deserted(void)
{
	int living = 0;

	return !task_each(find_living, &living) && !living;
}

int discover_living(void)
{
	int living = 0;

	return task_each(find_living, &living) ? 0 : living;
}

static void find_threads(void)
{
	bool ok = true;

	thread_prune(task_alive);
	disco.threads_ok = !task_each(note_thread, &ok) && ok;
}

int discover_walk(pc_ns now)
{
	int err;

	COUNT(0, discover_walks);
	find_threads();
	/* Flags are lifted, and other memory comes to lie there: nothing tells of either. */
	if (now >= disco.refused_until)
		span_clear(&disco.refused);
	err = find_areas();
	if (!err && now >= disco.smaps_at &&
	    (disco.unknown >= PC_UNIT / 32 || forkless_lost())) {
		err = learn_flags(now);
		if (!err)
			err = find_areas();
	}
	if (err)
		return err;
	exclude_prune();
	mark_units(now);
	free_dead_units();
	SET(bytes_managed, span_bytes(&disco.areas));
	return 0;
}
