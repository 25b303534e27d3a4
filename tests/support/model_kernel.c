#include "model_kernel.h"

#include "actors.h"
#include "base/sys.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CHUNK_BYTES PC_UNIT
#define SLOTS_MAX   8192u
#define EVENTS_MAX  64u
#define NUDGES	    8u
#define TEXT_MAX    (512u << 10)
#define ABSENT_BYTE 0xd5
#define KINDS	    3u /* mappings of one kind merge where they meet */

struct page {
	bool mapped, registered, dontfork;
	uint8_t prot, kind;
	bool present, zero_page;
	bool protected; /* a write waits, and is reported */
	bool stray;	/* unregistered while a change was pending, so perhaps not what was meant */
	bool given;	/* to children, just so */
	pc_ns pinned;	/* until */
	uint64_t frame; /* the memory that it is in; while it is present */
	uint64_t born;	/* when a mapping came to lie there */
};

/* Who waits for a page. */
struct waiter {
	bool waits, read, woken;
	bool write, wp; /* wp: the page is there, and protected */
	unsigned page;
	uint64_t order;
};

struct event {
	uint8_t kind;
	unsigned from, end, to;
	bool acked;
};

struct futex {
	const uint32_t *word; /* NULL: waits for none */
	bool woken;
};

static struct {
	struct page page[MODEL_PAGES];
	struct waiter waiter[ACTORS_MAX];
	struct event *queue[EVENTS_MAX];
	unsigned queued;
	struct futex futex[ACTORS_MAX];
	uint64_t nudge[NUDGES];
	uint64_t order;
	uint64_t frames;
	uint64_t asked[ACTORS_MAX]; /* when each last asked for pending events, see spoils() */
	unsigned changing;	    /* layout changes whose callers have not run on yet */
	unsigned running;	    /* COPY, ZEROPAGE, MOVE under way: no change may begin */
	unsigned holders; /* discards, and writers to /proc/PID/mem: no mapping may change */
	bool protects;	  /* opened to protect: discards are not reported */
	bool closed, spoilt;
	bool lingers[ACTORS_MAX];
	pc_addr staging, staging_end;
	bool slot_present[SLOTS_MAX], slot_registered[SLOTS_MAX];
	bool slot_laid_by[SLOTS_MAX], slot_sealed[SLOTS_MAX]; /* read-only */
	unsigned laid_by, famine; /* pages laid by; that must still come in */
	bool starving;
	unsigned staging_registered; /* of those slots */
	const struct model_watch *watch;
	struct model_odds odds;
	enum model_law broken;
	struct {
		char text[TEXT_MAX];
		size_t len;
	} maps, smaps;
} model;

static uint8_t bytes[MODEL_PAGES][PC_PAGE] __attribute__((aligned(4096)));

static bool holds(enum model_law law)
{
	return model.broken != law;
}

/* ---- pages and mappings --------------------------------------------------------------------- */

static bool in_space(pc_addr start, pc_addr end)
{
	return start >= MODEL_BASE && start < end && end <= model_addr(MODEL_PAGES);
}

static bool in_staging(pc_addr start, pc_addr end)
{
	return start >= model.staging && start < end && end <= model.staging_end;
}

static unsigned page_of(pc_addr at)
{
	return (unsigned)((at - MODEL_BASE) >> PC_PAGE_SHIFT);
}

static unsigned slot_of(pc_addr at)
{
	return (unsigned)((at - model.staging) >> PC_PAGE_SHIFT);
}

static bool alike(const struct page *a, const struct page *b)
{
	return a->mapped && b->mapped && a->registered == b->registered &&
	       a->dontfork == b->dontfork && a->prot == b->prot && a->kind == b->kind;
}

bool model_is_cut(unsigned first, unsigned end)
{
	const struct page *p = &model.page[first];
	bool cut = false;

	for (unsigned i = first; i < end; i++) {
		const struct page *q = &model.page[i];

		if (!q->mapped || q->prot != p->prot || q->kind != p->kind)
			return false;
		cut |= q->registered != p->registered;
	}
	return cut;
}

static unsigned mapping_end(unsigned page)
{
	const struct page *p = &model.page[page];

	while (page < MODEL_PAGES && alike(p, &model.page[page]))
		page++;
	return page;
}

void model_mapping(unsigned page, unsigned *first, unsigned *end)
{
	*first = page;
	while (*first && alike(&model.page[page], &model.page[*first - 1]))
		--*first;
	*end = mapping_end(page);
}

bool model_spoilt(void)
{
	return model.spoilt;
}

bool model_child_has(unsigned page)
{
	model.spoilt |= model.page[page].given;
	return model.page[page].mapped && !model.page[page].dontfork;
}

bool model_mapped(unsigned page)
{
	return model.page[page].mapped;
}

bool model_present(unsigned page)
{
	return model.page[page].present;
}

const uint8_t *model_peek(unsigned page)
{
	return model.page[page].present ? bytes[page] : NULL;
}

uint8_t *model_poke(unsigned page)
{
	return model.page[page].present ? bytes[page] : NULL;
}

static bool all_mapped(unsigned first, unsigned end)
{
	for (; first < end; first++)
		if (!model.page[first].mapped)
			return false;
	return true;
}

static bool all_kept(unsigned first, unsigned end)
{
	for (; first < end; first++)
		if (!model.page[first].mapped || !model.page[first].dontfork)
			return false;
	return true;
}

static bool any_registered(unsigned first, unsigned end)
{
	for (; first < end; first++)
		if (model.page[first].registered)
			return true;
	return false;
}

static void fill(unsigned page, const void *from)
{
	struct page *p = &model.page[page];

	if (from)
		memcpy(bytes[page], from, PC_PAGE);
	else
		memset(bytes[page], 0, PC_PAGE);
	p->present = true;
	p->zero_page = false;
	p->protected = false;
	p->frame = ++model.frames;
}

/* Its page table entry goes, with all that the entry says. */
static void empty(struct page *p)
{
	p->present = false;
	p->zero_page = false;
	p->protected = false;
	p->pinned = 0;
}

static void clear(unsigned first, unsigned end)
{
	for (; first < end; first++)
		model.page[first] = (struct page){0};
}

/* ---- faults and events ---------------------------------------------------------------------- */

static void wake(unsigned first, unsigned end)
{
	for (unsigned i = 0; i < ACTORS_MAX; i++) {
		struct waiter *w = &model.waiter[i];

		if (w->waits && w->page >= first && w->page < end) {
			w->waits = false;
			w->woken = true;
		}
	}
}

static struct waiter *oldest_fault(void)
{
	struct waiter *oldest = NULL;

	for (unsigned i = 0; i < ACTORS_MAX; i++) {
		struct waiter *w = &model.waiter[i];

		if (w->waits && !w->read && (!oldest || w->order < oldest->order))
			oldest = w;
	}
	return oldest;
}

static bool woken(const void *arg)
{
	return ((const struct waiter *)arg)->woken;
}

static void wait_for_page(unsigned page, bool write, bool wp)
{
	struct waiter *w = &model.waiter[actor_self()];

	*w = (struct waiter){
	    .waits = true, .write = write, .wp = wp, .page = page, .order = ++model.order};
	actor_trace("waits for page %u%s", page, wp ? ", protected" : "");
	actor_wait(woken, w, 0);
}

static bool nothing_runs(const void *arg)
{
	(void)arg;
	return !model.running;
}

static bool nobody_holds(const void *arg)
{
	(void)arg;
	return !model.running && !model.holders;
}

/* What changes mappings waits for whoever relies on them, as for a lock taken for writing. */
static void hold_layout(void)
{
	actor_yield();
	actor_wait(nobody_holds, NULL, 0);
}

static bool acked(const void *arg)
{
	return ((const struct event *)arg)->acked || model.closed;
}

/* Reported and waited for; `changing` was raised with the change itself. */
static void report(uint8_t kind, unsigned from, unsigned end, unsigned to)
{
	struct event e = {.kind = kind, .from = from, .end = end, .to = to};

	/* The change is made and its lock dropped; another thread may report before this one does.
	 */
	actor_yield();
	if (!model.closed) {
		if (model.queued == EVENTS_MAX)
			actor_fail("the model has no room for another event");
		model.queue[model.queued++] = &e;
		actor_wait(acked, &e, 0);
	}
	model.changing--;
}

/* ---- the program's calls -------------------------------------------------------------------- */

/* The change of an unmap; what must be reported afterwards is returned. */
static bool unmap_now(unsigned first, unsigned end)
{
	bool tell = any_registered(first, end) && holds(LAW_REPORT_UNMAP);

	clear(first, end);
	model.watch->unmapped(first, end);
	model.changing += tell;
	return tell;
}

int model_munmap(unsigned first, unsigned end)
{
	bool tell;

	hold_layout();
	if (!model.watch->allowed(first, end))
		return -EPERM;
	tell = unmap_now(first, end);
	actor_trace("munmap [%u, %u)%s", first, end, tell ? ", reported" : "");
	if (tell)
		report(UFFD_EVENT_UNMAP, first, end, 0);
	return 0;
}

int model_mmap(unsigned first, unsigned end, unsigned kind)
{
	bool tell;

	hold_layout();
	if (!model.watch->allowed(first, end))
		return -EPERM;
	tell = unmap_now(first, end);
	for (unsigned i = first; i < end; i++)
		model.page[i] = (struct page){.mapped = true,
					      .prot = MODEL_RW,
					      .kind = (uint8_t)(kind % KINDS),
					      .born = ++model.order};
	model.watch->mapped(first, end);
	actor_trace("mmap [%u, %u)%s", first, end, tell ? ", reported" : "");
	if (tell)
		report(UFFD_EVENT_UNMAP, first, end, 0);
	return 0;
}

/* The page tables of [first, first + pages) become those of [to, ...). */
static void move_pages(unsigned first, unsigned pages, unsigned to)
{
	for (unsigned i = 0; i < pages; i++) {
		struct page *p = &model.page[first + i];

		model.page[to + i] = *p;
		model.page[to + i].born = ++model.order;
		if (p->present)
			memcpy(bytes[to + i], bytes[first + i], PC_PAGE);
		empty(p);
	}
}

static void extend(unsigned at, unsigned end)
{
	const struct page like = model.page[at - 1];

	for (; at < end; at++)
		model.page[at] = (struct page){.mapped = true,
					       .registered = like.registered,
					       .dontfork = like.dontfork,
					       .prot = like.prot,
					       .kind = like.kind,
					       .born = ++model.order};
}

static int may_remap(unsigned first, unsigned end, unsigned to, unsigned pages)
{
	if (!model.watch->allowed(first, end) || !model.watch->allowed(to, to + pages))
		return -EPERM;
	if (to < end && first < to + pages)
		return -EINVAL;
	return model.page[first].mapped && mapping_end(first) >= end ? 0 : -EFAULT;
}

int model_mremap(unsigned first, unsigned end, unsigned to, unsigned pages, bool keep_old)
{
	const unsigned old_pages = end - first;
	bool tell_target, tell_move, tell_old = false;
	int err;

	hold_layout();
	err = may_remap(first, end, to, pages);
	if (err)
		return err;
	tell_target = unmap_now(to, to + pages);
	tell_move = model.page[first].registered && holds(LAW_REPORT_REMAP);
	model.changing += tell_move;
	model.watch->moved(first, to, old_pages);
	move_pages(first, old_pages, to);
	extend(to + old_pages, to + pages);
	model.watch->mapped(to + old_pages, to + pages);
	if (keep_old)
		model.watch->mapped(first, end);
	else
		tell_old = unmap_now(first, end);
	actor_trace("mremap [%u, %u) to [%u, %u)%s%s", first, end, to, to + pages,
		    keep_old ? ", old one kept" : "", tell_move ? ", reported" : "");
	if (tell_target)
		report(UFFD_EVENT_UNMAP, to, to + pages, 0);
	if (tell_move)
		report(UFFD_EVENT_REMAP, first, end, to);
	if (tell_old)
		report(UFFD_EVENT_UNMAP, first, end, 0);
	return 0;
}

int model_grow(unsigned end, unsigned pages)
{
	hold_layout();
	if (!end || !model.page[end - 1].mapped || end + pages > MODEL_PAGES)
		return -ENOMEM;
	if (!model.watch->allowed(end - 1, end + pages))
		return -EPERM;
	for (unsigned i = end; i < end + pages; i++)
		if (model.page[i].mapped)
			return -ENOMEM;
	extend(end, end + pages);
	model.watch->mapped(end, end + pages);
	actor_trace("grew [%u, %u)%s", end, end + pages,
		    model.page[end].registered ? ", registered" : "");
	return 0;
}

static void discard_page(unsigned page)
{
	empty(&model.page[page]);
	model.watch->discarded(page);
}

/* Pages of one mapping, after its report. Others may run between two pages. */
static void discard_run(unsigned first, unsigned end, unsigned *done)
{
	actor_trace("discards [%u, %u)", first, end);
	model.holders++;
	for (unsigned i = first; i < end; i++) {
		discard_page(i);
		*done = i + 1;
		if (actors_chance(model.odds.interrupt))
			actor_yield();
	}
	model.holders--;
}

/*
 * The kernel reports and waits without any lock, and only then looks the mapping up again: what is
 * discarded is whatever lies there by then.
 */
int model_discard(unsigned first, unsigned end, unsigned *done)
{
	while (first < end) {
		unsigned stop;

		actor_yield();
		if (!model.page[first].mapped) {
			first++;
			continue;
		}
		stop = mapping_end(first);
		stop = PC_MIN(end, stop);
		if (model.page[first].registered && !model.protects && holds(LAW_REPORT_REMOVE)) {
			actor_wait(nothing_runs, NULL, 0);
			model.changing++;
			actor_trace("will discard [%u, %u), reported", first, stop);
			report(UFFD_EVENT_REMOVE, first, stop, 0);
			for (uint64_t n = actors_roll(model.odds.gap + 1); n; n--)
				actor_yield();
			if (!model.page[first].mapped)
				return -ENOMEM;
			if (mapping_end(first) < stop)
				stop = mapping_end(first);
		}
		discard_run(first, stop, done);
		first = stop;
	}
	return 0;
}

int model_mprotect(unsigned first, unsigned end, enum model_prot prot)
{
	hold_layout();
	if (!all_mapped(first, end))
		return -ENOMEM;
	for (unsigned i = first; i < end; i++)
		model.page[i].prot = (uint8_t)prot;
	actor_trace("mprotect [%u, %u) %d", first, end, (int)prot);
	return 0;
}

int model_keep(unsigned first, unsigned end, bool on)
{
	hold_layout();
	if (!all_mapped(first, end))
		return -ENOMEM;
	for (unsigned i = first; i < end; i++)
		model.page[i].dontfork = on;
	actor_trace("%s [%u, %u) from children", on ? "keeps" : "no longer keeps", first, end);
	return 0;
}

void model_pin(unsigned page, pc_ns how_long)
{
	struct page *p = &model.page[page];

	if (p->present)
		p->pinned = PC_MAX(p->pinned, actors_now() + how_long);
}

uint64_t model_frame(unsigned page)
{
	return model.page[page].present ? model.page[page].frame : 0;
}

void model_unpin(unsigned page)
{
	model.page[page].pinned = 0;
}

uint64_t model_mem_begin(unsigned page)
{
	const struct page *p = &model.page[page];

	if (!p->mapped || p->prot != MODEL_RW || !p->present || p->protected)
		return 0;
	model.holders++;
	return p->frame;
}

void model_mem_end(void)
{
	model.holders--;
}

uint8_t *model_touch(unsigned page, bool write)
{
	struct page *p = &model.page[page];
	const unsigned need = write ? MODEL_RW : MODEL_READ;

	for (;;) {
		actor_step();
		if (!p->mapped || (p->prot & need) != need)
			return NULL;
		if (p->present && write && p->protected && holds(LAW_PROTECT)) {
			wait_for_page(page, write, true);
			continue;
		}
		if (p->present)
			break;
		if (p->registered) {
			wait_for_page(page, write, false);
			continue;
		}
		model.spoilt |= p->stray;
		fill(page, NULL);
		p->zero_page = !write;
	}
	if (write)
		p->zero_page = false;
	return bytes[page];
}

/* ---- userfaultfd: read ---------------------------------------------------------------------- */

static struct uffd_msg fault_message(struct waiter *w)
{
	struct uffd_msg m = {.event = UFFD_EVENT_PAGEFAULT};

	w->read = true;
	m.arg.pagefault.address = model_addr(w->page) + (w->order % 7) * 8;
	m.arg.pagefault.flags = w->write ? UFFD_PAGEFAULT_FLAG_WRITE : 0;
	m.arg.pagefault.flags |= w->wp ? UFFD_PAGEFAULT_FLAG_WP : 0;
	m.arg.pagefault.feat.ptid = 1000 + (unsigned)(w - model.waiter);
	return m;
}

static struct uffd_msg event_message(const struct event *e)
{
	struct uffd_msg m = {.event = e->kind};

	if (e->kind == UFFD_EVENT_REMAP) {
		m.arg.remap.from = model_addr(e->from);
		m.arg.remap.to = model_addr(e->to);
		m.arg.remap.len = (e->end - e->from) * PC_PAGE;
	} else {
		m.arg.remove.start = model_addr(e->from);
		m.arg.remove.end = model_addr(e->end);
	}
	return m;
}

/* Faults come first, whatever is older. */
static long uffd_read_message(struct uffd_msg *out)
{
	struct waiter *w = oldest_fault();
	struct event *e;

	if (w) {
		actor_trace("reads the fault on page %u", w->page);
		model.lingers[actor_self()] = actors_chance(model.odds.linger);
		*out = fault_message(w);
		return sizeof(*out);
	}
	if (!model.queued)
		return -EAGAIN;
	e = model.queue[0];
	memmove(model.queue, model.queue + 1, --model.queued * sizeof(model.queue[0]));
	actor_trace("reads event %#x of [%u, %u)", e->kind, e->from, e->end);
	*out = event_message(e);
	e->acked = true;
	return sizeof(*out);
}

/* ---- userfaultfd: ioctls -------------------------------------------------------------------- */

static bool refused(void)
{
	return model.changing && holds(LAW_REFUSE_WHILE_CHANGING);
}

/* Between two pages of a long call others run; and it may have to stop early. */
static bool pause_between_pages(void)
{
	if (actors_chance(model.odds.interrupt))
		actor_yield();
	return actors_chance(model.odds.partial);
}

static long set_registered(pc_addr start, pc_addr end, bool on)
{
	bool any = false;

	hold_layout();
	if (in_staging(start, end)) {
		for (unsigned i = slot_of(start); i < slot_of(end); i++)
			model.slot_registered[i] = on;
		model.staging_registered = on ? slot_of(end) - slot_of(start) : 0;
		return 0;
	}
	if (!in_space(start, end))
		actor_fail("registration of memory that is nobody's: %#lx", (long)start);
	for (unsigned i = page_of(start); i < page_of(end); i++) {
		any |= model.page[i].mapped;
		model.page[i].stray = !on && model.changing && model.page[i].registered;
		if (model.page[i].mapped)
			model.page[i].registered = on;
		model.page[i].protected &= on;
	}
	actor_trace("%s [%u, %u)", on ? "registers" : "unregisters", page_of(start), page_of(end));
	if (!on)
		wake(page_of(start), page_of(end));
	return any ? 0 : -EINVAL;
}

static long do_register(struct uffdio_register *r)
{
	if (!(r->mode & UFFDIO_REGISTER_MODE_WP) == model.protects)
		actor_fail("a registration with mode %#lx", (long)r->mode);
	if (actors_chance(model.odds.nomem))
		return -ENOMEM;
	return set_registered(r->range.start, r->range.start + r->range.len, true);
}

/* One mapping, registered, holds all of [first, end). */
static bool one_mapping(unsigned first, unsigned end)
{
	return model.page[first].registered && mapping_end(first) >= end;
}

/* Memory that cannot be moved to is let off: there is no other way to it. */
static bool starving(unsigned page)
{
	/* One more, for the one that may agree with its target mod 2 MiB. */
	model.starving |= model.famine && model.laid_by > model.famine;
	return model.starving && model.page[page].prot == MODEL_RW;
}

static void came_in_laid_by(void)
{
	model.laid_by--;
	if (model.starving && --model.famine == 0)
		model.starving = false;
}

/* Copies page by page as long as it can; the kernel's way of saying how far it came. */
static long fill_pages(unsigned first, unsigned end, const uint8_t *from)
{
	unsigned i = first;
	long err = 0;

	if (refused())
		return -EAGAIN;
	if (!one_mapping(first, end))
		return -ENOENT;
	if (actors_chance(model.odds.nomem) || (from && starving(first)))
		return -ENOMEM;
	model.running++;
	for (; i < end && !err; i++) {
		if (model.page[i].present && holds(LAW_KEEP_PRESENT)) {
			err = -EEXIST;
			break;
		}
		fill(i, from ? from + (size_t)(i - first) * PC_PAGE : NULL);
		model.page[i].zero_page = !from;
		if (i + 1 < end && pause_between_pages())
			err = -EAGAIN;
	}
	model.running--;
	return i > first ? (long)((i - first) * PC_PAGE) : err;
}

static long finish(long moved, uint64_t len, unsigned first, bool wakes)
{
	if (moved < 0)
		return moved;
	if (wakes && holds(LAW_WAKE))
		wake(first, first + (unsigned)(moved / (long)PC_PAGE));
	return (uint64_t)moved == len ? 0 : -EAGAIN;
}

static long do_copy(struct uffdio_copy *c)
{
	unsigned first = page_of(c->dst);

	if (!in_space(c->dst, c->dst + c->len))
		actor_fail("a copy to memory that is nobody's: %#lx", (long)c->dst);
	c->copy = fill_pages(first, page_of(c->dst + c->len), (const void *)c->src);
	actor_trace("copies [%u, %u): %ld", first, page_of(c->dst + c->len), (long)c->copy);
	return finish(c->copy, c->len, first, !(c->mode & UFFDIO_COPY_MODE_DONTWAKE));
}

static long do_zero(struct uffdio_zeropage *z)
{
	unsigned first = page_of(z->range.start), end = page_of(z->range.start + z->range.len);

	if (!z->range.len)
		model.asked[actor_self()] = ++model.order;
	if (refused())
		return -EAGAIN;
	if (!z->range.len)
		return -EINVAL;
	z->zeropage = fill_pages(first, end, NULL);
	actor_trace("zeroes [%u, %u): %ld", first, end, (long)z->zeropage);
	return finish(z->zeropage, z->range.len, first, true);
}

static long move_out_page(unsigned page, pc_addr slot)
{
	struct page *p = &model.page[page];

	if (!p->present)
		return -ENOENT;
	if (model.slot_present[slot_of(slot)])
		return -EEXIST;
	if (p->pinned > actors_now() || actors_chance(model.odds.busy))
		return -EBUSY;
	memcpy((void *)slot, bytes[page], PC_PAGE);
	model.slot_present[slot_of(slot)] = true;
	empty(p);
	return 0;
}

static long move_in_page(unsigned page, pc_addr slot)
{
	if (!model.slot_present[slot_of(slot)])
		return -ENOENT;
	if (model.page[page].present && holds(LAW_KEEP_PRESENT))
		return -EEXIST;
	fill(page, (const void *)slot);
	memset((void *)slot, ABSENT_BYTE, PC_PAGE);
	model.slot_present[slot_of(slot)] = false;
	if (model.slot_laid_by[slot_of(slot)])
		came_in_laid_by();
	model.slot_laid_by[slot_of(slot)] = false;
	return 0;
}

static long lay_by_page(unsigned from, unsigned to)
{
	if (!model.slot_registered[to])
		return -EINVAL;
	if (!model.slot_present[from])
		return -ENOENT;
	if (model.slot_present[to])
		return -EEXIST;
	memcpy((void *)(model.staging + to * PC_PAGE), (void *)(model.staging + from * PC_PAGE),
	       PC_PAGE);
	memset((void *)(model.staging + from * PC_PAGE), ABSENT_BYTE, PC_PAGE);
	model.slot_present[from] = false;
	model.slot_present[to] = model.slot_laid_by[to] = true;
	model.laid_by++;
	return 0;
}

/* From staging to staging. */
static long lay_by(const struct uffdio_move *m)
{
	unsigned from = slot_of(m->src), to = slot_of(m->dst), n = 0;
	long err = refused() ? -EAGAIN : model.slot_sealed[from] ? -EINVAL : 0;

	for (; n < m->len / PC_PAGE && !err; n += !err)
		err = lay_by_page(from + n, to + n);
	return n ? (long)(n * PC_PAGE) : err;
}

/* Both sides lie in one mapping each, alike, writable; the destination is registered. */
static long may_move(const struct uffdio_move *m, bool out)
{
	pc_addr at = out ? m->src : m->dst;
	pc_addr slot = out ? m->dst : m->src;
	unsigned first = page_of(at), end = page_of(at + m->len);

	if (!in_space(at, at + m->len) || !in_staging(slot, slot + m->len))
		actor_fail("a move of memory that is nobody's: %#lx", (long)at);
	if (refused())
		return -EAGAIN;
	if (!model.page[first].mapped)
		return -ENOENT;
	if (mapping_end(first) < end || model.page[first].prot != MODEL_RW)
		return -EINVAL;
	if (model.slot_sealed[slot_of(slot)])
		return -EINVAL;
	if (out ? !model.slot_registered[slot_of(slot)] : !model.page[first].registered)
		return -EINVAL;
	return actors_chance(model.odds.nomem) ? -ENOMEM : 0;
}

static long move_each(const struct uffdio_move *m, bool out)
{
	uint64_t at = 0, counted = 0;
	bool counts = true;
	long err = 0;

	model.running++;
	while (at < m->len && !err) {
		err = out ? move_out_page(page_of(m->src + at), m->dst + at)
			  : move_in_page(page_of(m->dst + at), m->src + at);
		if (err)
			break;
		at += PC_PAGE;
		counts = counts && !actors_chance(model.odds.forgets);
		counted = counts ? at : counted;
		if (at < m->len && pause_between_pages())
			err = -EAGAIN;
	}
	model.running--;
	if (!holds(LAW_MOVE_ALL) && err)
		return (long)m->len;
	return counted ? (long)counted : at ? -EEXIST : err;
}

static long do_move(struct uffdio_move *m)
{
	const bool out = in_staging(m->dst, m->dst + m->len);
	const unsigned first = page_of(out ? m->src : m->dst);
	long err;

	if (out && in_staging(m->src, m->src + m->len)) {
		m->move = lay_by(m);
		return finish(m->move, m->len, 0, false);
	}
	err = may_move(m, out);

	m->move = err ? err : move_each(m, out);
	actor_trace("moves [%u, %u) %s: %ld", first, first + (unsigned)(m->len / PC_PAGE),
		    out ? "out" : "back", (long)m->move);
	return finish(m->move, m->len, first, !out);
}

/* Holes are passed over. Where part of it is not registered, what comes before is done. */
static long protect_each(unsigned first, unsigned end, bool on)
{
	long err = -ENOENT;

	model.running++;
	for (unsigned i = first; i < end; i++) {
		struct page *p = &model.page[i];

		err = !p->mapped ? err : p->registered ? 0 : -ENOENT;
		if (p->mapped && !p->registered)
			break;
		if (p->present)
			p->protected = on;
		if (actors_chance(model.odds.interrupt))
			actor_yield();
	}
	model.running--;
	return err;
}

static long do_protect(const struct uffdio_writeprotect *w)
{
	const pc_addr stop = w->range.start + w->range.len;
	const bool on = w->mode & UFFDIO_WRITEPROTECT_MODE_WP;
	long err = refused() ? -EAGAIN : 0;

	if (!model.protects || !in_space(w->range.start, stop))
		actor_fail("protection of memory that is nobody's: %#lx", (long)w->range.start);
	if (!err && actors_chance(model.odds.nomem))
		err = -ENOMEM;
	if (!err)
		err = protect_each(page_of(w->range.start), page_of(stop), on);
	actor_trace("%s [%u, %u): %ld", on ? "protects" : "unprotects", page_of(w->range.start),
		    page_of(stop), err);
	if (!err && !on && holds(LAW_WAKE))
		wake(page_of(w->range.start), page_of(stop));
	return err;
}

static long do_wake(const struct uffdio_range *r)
{
	if (in_staging(r->start, r->start + r->len))
		return 0;
	actor_trace("wakes page %u", page_of(r->start));
	wake(page_of(r->start), page_of(r->start + r->len));
	return 0;
}

/* ---- other ioctls --------------------------------------------------------------------------- */

static bool is_present(pc_addr at)
{
	return in_staging(at, at + PC_PAGE) ? model.slot_present[slot_of(at)]
					    : model.page[page_of(at)].present;
}

static long pagemap_scan(struct pm_scan_arg *a)
{
	struct page_region *region = (struct page_region *)a->vec;
	uint64_t n = 0;
	pc_addr at;

	if (!in_space(a->start, a->end) && !in_staging(a->start, a->end))
		actor_fail("a scan of memory that is nobody's: %#lx", (long)a->start);
	for (at = a->start; at < a->end; at += PC_PAGE) {
		if (!is_present(at))
			continue;
		if (n && region[n - 1].end == at) {
			region[n - 1].end += PC_PAGE;
			continue;
		}
		if (n == a->vec_len)
			break;
		region[n++] = (struct page_region){at, at + PC_PAGE, PAGE_IS_PRESENT};
	}
	a->walk_end = at;
	return (long)n;
}

static long procmap_query(struct procmap_query *q)
{
	unsigned first, end;

	if (!in_space(q->query_addr, q->query_addr + 1) ||
	    !model.page[page_of(q->query_addr)].mapped)
		return -ENOENT;
	model_mapping(page_of(q->query_addr), &first, &end);
	q->vma_start = model_addr(first);
	q->vma_end = model_addr(end);
	q->vma_flags = 0;
	if (model.page[first].prot & MODEL_READ)
		q->vma_flags |= PROCMAP_QUERY_VMA_READABLE;
	if (model.page[first].prot & MODEL_WRITE)
		q->vma_flags |= PROCMAP_QUERY_VMA_WRITABLE;
	q->inode = 0;
	q->vma_name_size = 0;
	return 0;
}

static long do_ioctl(int fd, unsigned long request, void *arg)
{
	if ((fd == MODEL_UFFD) != (((request >> 8) & 0xff) == UFFDIO))
		actor_fail("ioctl %#lx on descriptor %d", request, fd);
	if (fd == MODEL_UFFD && model.closed)
		actor_fail("the userfaultfd is used after it was closed");
	switch (request) {
	case UFFDIO_REGISTER:
		return do_register(arg);
	case UFFDIO_UNREGISTER: {
		const struct uffdio_range *r = arg;

		return set_registered(r->start, r->start + r->len, false);
	}
	case UFFDIO_COPY:
		return do_copy(arg);
	case UFFDIO_ZEROPAGE:
		return do_zero(arg);
	case UFFDIO_MOVE:
		return do_move(arg);
	case UFFDIO_WRITEPROTECT:
		return do_protect(arg);
	case UFFDIO_WAKE:
		return do_wake(arg);
	case PAGEMAP_SCAN:
		return pagemap_scan(arg);
	case PROCMAP_QUERY:
		return procmap_query(arg);
	}
	actor_fail("ioctl %#lx is not modelled", request);
	return -ENOSYS;
}

/* ---- maps and smaps ------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(char *text, size_t *len, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	*len += (size_t)vsnprintf(text + *len, TEXT_MAX - *len, format, args);
	va_end(args);
	if (*len >= TEXT_MAX)
		actor_fail("the model's maps do not fit");
}

static void describe(char *text, size_t *len, unsigned first, unsigned end, bool flags)
{
	const struct page *p = &model.page[first];

	say(text, len, "%lx-%lx %c%c-p 00000000 00:00 0 \n", (long)model_addr(first),
	    (long)model_addr(end), p->prot & MODEL_READ ? 'r' : '-',
	    p->prot & MODEL_WRITE ? 'w' : '-');
	if (flags)
		say(text, len, "Size: %llu kB\nVmFlags: %s%smr mw me ac sd %s%s\n",
		    (end - first) * PC_PAGE / 1024, p->prot & MODEL_READ ? "rd " : "",
		    p->prot & MODEL_WRITE ? "wr " : "", p->registered ? "um " : "",
		    p->dontfork ? "dc " : "");
}

static size_t list_mappings(char *text, bool flags)
{
	size_t len = 0;

	for (unsigned i = 0; i < MODEL_PAGES;) {
		unsigned end = model.page[i].mapped ? mapping_end(i) : i + 1;

		if (model.page[i].mapped)
			describe(text, &len, i, end, flags);
		i = end;
	}
	return len;
}

static long read_text(char *text, size_t *len, bool flags, void *to, size_t n, uint64_t off)
{
	if (!off)
		*len = list_mappings(text, flags);
	if (off >= *len)
		return 0;
	n = PC_MIN(n, *len - off);
	memcpy(to, text + off, n);
	return (long)n;
}

/* ---- madvise, descriptors, poll ------------------------------------------------------------- */

static long empty_staging(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		if (model.slot_registered[i])
			actor_fail("staging is emptied while it is registered: a deadlock");
		if (model.slot_present[i])
			memset((void *)(model.staging + i * PC_PAGE), ABSENT_BYTE, PC_PAGE);
		model.laid_by -= model.slot_laid_by[i];
		model.slot_present[i] = model.slot_laid_by[i] = false;
	}
	return 0;
}

static long populate(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (!model.page[i].mapped || !model_touch(i, true))
			return -EFAULT;
	return 0;
}

/* Present; of this process alone, which the zero page is not; protected. */
static uint64_t entry_of(pc_addr at)
{
	const struct page *p;

	if (!is_present(at))
		return 0;
	if (in_staging(at, at + PC_PAGE))
		return 1ull << 63;
	p = &model.page[page_of(at)];
	return 1ull << 63 | (uint64_t)!p->zero_page << 56 | (uint64_t)p->protected << 57;
}

/* Of /proc/PID/pagemap. */
static long read_pagemap(uint64_t *entry, size_t n, uint64_t off)
{
	pc_addr at = off / sizeof(*entry) * PC_PAGE;

	if (actors_chance(model.odds.nomem))
		return -ENOMEM;
	for (size_t i = 0; i < n / sizeof(*entry); i++) {
		entry[i] = entry_of(at + i * PC_PAGE);
		if (actors_chance(model.odds.interrupt))
			actor_yield();
	}
	return (long)n;
}

/* A read of /proc/PID/mem sleeps for no userfault: it stops there. */
static bool readable_at_once(unsigned page)
{
	struct page *p = &model.page[page];

	if (!p->mapped || (!p->present && p->registered))
		return false;
	if (!p->present) {
		model.spoilt |= p->stray;
		fill(page, NULL);
		p->zero_page = true;
	}
	return true;
}

static long read_mem(uint8_t *to, size_t n, pc_addr from)
{
	unsigned first = page_of(from), end = page_of(from + n), i = first;

	if (!in_space(from, from + n) || !in_staging((pc_addr)to, (pc_addr)to + n))
		actor_fail("a copy of memory that is nobody's: %#lx", (long)from);
	if (model.slot_sealed[slot_of((pc_addr)to)])
		actor_fail("a copy to sealed staging: %#lx", (long)to);
	model.asked[actor_self()] = UINT64_MAX;
	if (actors_chance(model.odds.nomem))
		return -ENOMEM;
	while (i < end && readable_at_once(i)) {
		memcpy(to + (size_t)(i - first) * PC_PAGE, bytes[i], PC_PAGE);
		model.slot_present[slot_of((pc_addr)to) + i - first] = true;
		i++;
		if (i < end && pause_between_pages())
			break;
	}
	actor_trace("reads [%u, %u) up to %u", first, end, i);
	return i > first ? (long)((i - first) * PC_PAGE) : -EIO;
}

/*
 * A discard by the pager meets what was mapped since it asked whether a change is pending, without
 * telling a hook: see flow/shed.h. Before it asked there is no excuse.
 */
static void spoils(unsigned page)
{
	const struct page *p = &model.page[page];

	model.spoilt |= p->present && p->born > model.asked[actor_self()];
}

/* Of the program's memory, by the pager, who knows what it does. */
static long discard_for_pager(unsigned first, unsigned end)
{
	if (actors_chance(model.odds.nomem))
		return -EAGAIN;
	actor_trace("discards [%u, %u) of the program", first, end);
	model.holders++;
	for (unsigned i = first; i < end; i++) {
		spoils(i);
		empty(&model.page[i]);
		if (actors_chance(model.odds.interrupt))
			actor_yield();
	}
	model.holders--;
	return all_mapped(first, end) ? 0 : -ENOMEM;
}

static long do_madvise(pc_addr start, size_t len, int advice)
{
	pc_addr end = start + len;

	if (advice == MADV_DONTNEED && in_staging(start, end))
		return empty_staging(slot_of(start), slot_of(end));
	if (advice == MADV_DONTNEED && model.protects && in_space(start, end))
		return discard_for_pager(page_of(start), page_of(end));
	if (advice == MADV_POPULATE_WRITE && in_space(start, end))
		return populate(page_of(start), page_of(end));
	/* The pager's own memory, and what children get of it. */
	if (advice == MADV_POPULATE_WRITE || (advice == MADV_WIPEONFORK && in_staging(start, end)))
		return 0;
	if (advice == MADV_DOFORK && in_staging(start, end)) {
		hold_layout();
		return 0;
	}
	if ((advice != MADV_DONTFORK && advice != MADV_DOFORK) || !in_space(start, end))
		actor_fail("madvise %d of %#lx", advice, (long)start);
	hold_layout();
	/* Where nothing changes no mapping is cut, which is what takes memory. */
	if (advice == MADV_DONTFORK && !all_kept(page_of(start), page_of(end)) &&
	    actors_chance(model.odds.nomem))
		return -ENOMEM;
	actor_trace("%s [%u, %u)",
		    advice == MADV_DONTFORK ? "keeps from children" : "gives to children",
		    page_of(start), page_of(end));
	for (unsigned i = page_of(start); i < page_of(end); i++) {
		model.page[i].given = advice == MADV_DOFORK && model.changing;
		if (model.page[i].mapped)
			model.page[i].dontfork = advice == MADV_DONTFORK;
	}
	return all_mapped(page_of(start), page_of(end)) ? 0 : -ENOMEM;
}

static long do_mprotect(pc_addr start, size_t len, int prot)
{
	unsigned first = slot_of(start), end = slot_of(start + len);

	hold_layout();
	if (actors_chance(model.odds.nomem))
		return -ENOMEM;
	actor_trace("%s staging [%u, %u)", prot & PROT_WRITE ? "opens" : "seals", first, end);
	for (unsigned i = first; i < end; i++)
		model.slot_sealed[i] = !(prot & PROT_WRITE);
	return 0;
}

static bool is_nudge(int fd)
{
	return fd >= MODEL_NUDGE && fd < MODEL_NUDGE + (int)NUDGES;
}

static long read_nudge(int fd, void *to)
{
	uint64_t *count = &model.nudge[fd - MODEL_NUDGE];

	if (!*count)
		return -EAGAIN;
	memcpy(to, count, sizeof(*count));
	*count = 0;
	return sizeof(*count);
}

static long do_read(int fd, void *to)
{
	if (fd == MODEL_UFFD)
		return uffd_read_message(to);
	if (!is_nudge(fd))
		actor_fail("descriptor %d is read", fd);
	return read_nudge(fd, to);
}

static long do_write(int fd, const void *from, size_t n)
{
	if (fd == 2) {
		actor_trace("says: %.*s", (int)n - 1, (const char *)from);
		return (long)n;
	}
	if (!is_nudge(fd))
		actor_fail("descriptor %d is written", fd);
	model.nudge[fd - MODEL_NUDGE]++;
	return sizeof(uint64_t);
}

static bool readable(int fd)
{
	if (fd == MODEL_UFFD)
		return oldest_fault() || model.queued;
	return model.nudge[fd - MODEL_NUDGE] != 0;
}

static bool any_readable(const void *arg)
{
	const struct pollfd *fds = arg;

	return readable(fds[0].fd) || readable(fds[1].fd);
}

static long do_poll(struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	pc_ns wait = timeout ? (pc_ns)timeout->tv_sec * PC_SEC + (pc_ns)timeout->tv_nsec : 0;

	/* The log asks whether it may write. */
	if (n == 1) {
		fds[0].revents = POLLOUT;
		return 1;
	}
	actor_wait(any_readable, fds, timeout ? actors_now() + PC_MAX(wait, 1u) : 0);
	fds[0].revents = readable(fds[0].fd) ? POLLIN : 0;
	fds[1].revents = readable(fds[1].fd) ? POLLIN : 0;
	return fds[0].revents || fds[1].revents;
}

/* ---- in place of sys.c ---------------------------------------------------------------------- */

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
long __wrap_sys_futex_wake(uint32_t *word, int waiters);
pc_ns __wrap_sys_monotonic(void);
pc_ns __wrap_sys_thread_cpu(void);

static long serve_call(long nr, long a, long b, long c, long d)
{
	switch (nr) {
	case __NR_ioctl:
		return do_ioctl((int)a, (unsigned long)b, (void *)c);
	case __NR_read:
		return do_read((int)a, (void *)b);
	case __NR_write:
		return do_write((int)a, (const void *)b, (size_t)c);
	case __NR_ppoll:
		return do_poll((struct pollfd *)a, (unsigned)b, (const struct timespec *)c);
	case __NR_madvise:
		return do_madvise((pc_addr)a, (size_t)b, (int)c);
	case __NR_mprotect:
		return do_mprotect((pc_addr)a, (size_t)b, (int)c);
	case __NR_pread64:
		if ((int)a == MODEL_MAPS)
			return read_text(model.maps.text, &model.maps.len, false, (void *)b,
					 (size_t)c, (uint64_t)d);
		if ((int)a == MODEL_SMAPS)
			return read_text(model.smaps.text, &model.smaps.len, true, (void *)b,
					 (size_t)c, (uint64_t)d);
		if ((int)a == MODEL_MAP)
			return read_pagemap((uint64_t *)b, (size_t)c, (uint64_t)d);
		if ((int)a == MODEL_MEM)
			return read_mem((uint8_t *)b, (size_t)c, (pc_addr)d);
		break;
	case __NR_sched_yield:
		return 0;
	case __NR_getpid:
		return 1000;
	}
	actor_fail("system call %ld is not modelled", nr);
	return -ENOSYS;
}

/* The pager's own memory is real: what maps it, at start, goes through. */
static bool is_about_memory(long nr, pc_addr at, size_t len)
{
	return nr == __NR_mmap || nr == __NR_munmap || nr == __NR_prctl ||
	       (nr == __NR_mprotect && !in_staging(at, at + len));
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	/* It lies anywhere: a sanitizer may have what is the pager's part of the address space. */
	if (nr == __NR_mmap)
		d &= ~MAP_FIXED_NOREPLACE;
	if (is_about_memory(nr, (pc_addr)a, (size_t)b))
		return __real_sys_call(nr, a, b, c, d, e, f);
	/* Who asks for its own number meets nobody. */
	if (nr == __NR_gettid)
		return 1000;
	actor_yield();
	ret = serve_call(nr, a, b, c, d);
	actor_yield();
	return ret;
}

static bool futex_woken(const void *arg)
{
	return ((const struct futex *)arg)->woken;
}

long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	struct futex *f = &model.futex[actor_self()];
	bool in_time;

	actor_yield();
	if (*word != value)
		return -EAGAIN;
	*f = (struct futex){.word = word};
	in_time = actor_wait(futex_woken, f, timeout ? actors_now() + timeout : 0);
	f->word = NULL;
	return in_time ? 0 : -ETIMEDOUT;
}

long __wrap_sys_futex_wake(uint32_t *word, int waiters)
{
	int n = 0;

	actor_yield();
	for (unsigned i = 0; i < ACTORS_MAX && n < waiters; i++) {
		struct futex *f = &model.futex[i];

		if (f->word != word || f->woken)
			continue;
		f->woken = true;
		n++;
	}
	actor_yield();
	return n;
}

/* Staging takes pages in. */
static bool something_leaves(const void *arg)
{
	(void)arg;
	return model.staging_registered != 0;
}

/*
 * What a pager does first with a fault that it has read. The page may be filled and in use,
 * discarded or on its way out by the time that it goes on.
 */
pc_ns __wrap_sys_monotonic(void)
{
	bool *lingers = &model.lingers[actor_self()];
	pc_ns until = actors_now() + 1 + actors_roll(PC_MS);

	if (!*lingers)
		return actors_now();
	*lingers = false;
	if (actors_chance(2))
		actor_wait(something_leaves, NULL, until + 10 * PC_MS);
	else
		actor_sleep(until - actors_now());
	return actors_now();
}

/* Background work never costs so much here that its budget ends. */
pc_ns __wrap_sys_thread_cpu(void)
{
	return actors_now() / 64;
}

/* ---- a run ---------------------------------------------------------------------------------- */

void model_begin(void *staging, size_t staging_bytes, const struct model_watch *watch,
		 const struct model_odds *odds, enum model_law broken)
{
	if (staging_bytes / PC_PAGE > SLOTS_MAX)
		actor_fail("staging is larger than the model's");
	memset(model.page, 0, sizeof(model.page));
	memset(model.waiter, 0, sizeof(model.waiter));
	memset(model.futex, 0, sizeof(model.futex));
	memset(model.nudge, 0, sizeof(model.nudge));
	memset(model.slot_present, 0, sizeof(model.slot_present));
	memset(model.slot_registered, 0, sizeof(model.slot_registered));
	memset(model.slot_laid_by, 0, sizeof(model.slot_laid_by));
	memset(model.slot_sealed, 0, sizeof(model.slot_sealed));
	model.laid_by = 0;
	model.famine = odds->famine;
	model.starving = false;
	model.queued = 0;
	model.order = 0;
	model.frames = 0;
	memset(model.asked, 0, sizeof(model.asked));
	model.protects = false;
	model.staging_registered = 0;
	memset(model.lingers, 0, sizeof(model.lingers));
	model.changing = 0;
	model.running = 0;
	model.holders = 0;
	model.closed = false;
	model.spoilt = false;
	model.staging = page_floor((pc_addr)staging);
	model.staging_end = model.staging + staging_bytes;
	model.watch = watch;
	model.odds = *odds;
	model.broken = broken;
}

void model_open_protecting(void)
{
	model.protects = true;
}

void model_close(void)
{
	model.closed = true;
	model.queued = 0;
	for (unsigned i = 0; i < MODEL_PAGES; i++)
		model.page[i].registered = model.page[i].protected = false;
	wake(0, MODEL_PAGES);
}
