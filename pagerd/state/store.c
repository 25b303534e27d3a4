#include "state/store.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/mem.h"
#include "state/entry.h"

#define GRAIN	       ENTRY_GRAIN /* every slot size is a multiple */
#define SLOT_MIN       48u
#define SLAB_WORDS     ((STORE_SLAB / SLOT_MIN + 63) / 64)
#define COMPACT_MIN    (1u << 20)
#define STEADY	       8u /* slabs of a class that may have one more whole: an eighth at most is unused */
#define CACHE_LINE     64u
#define PREFETCH_BYTES 512u /* from there on the CPU sees the stream by itself */

/* Slot sizes: three runs of classes, each of `count` sizes from `first` up by `step`. */
#define RUN1_FIRST 48u
#define RUN1_STEP  16u
#define RUN1_COUNT 62u /* to 1024 */
#define RUN2_FIRST 1056u
#define RUN2_STEP  32u
#define RUN2_COUNT 32u /* to 2048 */
#define RUN3_FIRST 2112u
#define RUN3_STEP  64u
#define RUN3_COUNT 33u /* to 4160 */
#define CLASSES	   (RUN1_COUNT + RUN2_COUNT + RUN3_COUNT)

enum slab_state { SLAB_FRESH, SLAB_PARTIAL, SLAB_FULL, SLAB_MARKED, SLAB_EMPTY, SLAB_RETURNED };

/*
 * Lists link slabs by index + 1, so that a zeroed table is a valid one. Only `used`, `queued`,
 * `next_freed` and `taken` are ever written by a thread other than the work thread; the class and
 * the slot size change only while the slab has no entry.
 */
struct slab {
	uint32_t used;	     /* slots taken */
	uint32_t queued;     /* 1 while on store.freed; who makes it 1 pushes */
	uint32_t next_freed; /* link of store.freed */
	uint32_t next, prev; /* links of the list of its state */
	uint16_t slot_bytes; /* 0: never used */
	uint16_t slots;
	uint8_t class;
	uint8_t state;		    /* enum slab_state */
	uint8_t touched;	    /* pages from the start that may be resident */
	uint64_t taken[SLAB_WORDS]; /* bit set: slot in use, or beyond the last slot */
};

_Static_assert(sizeof(struct slab) * 200 <= STORE_SLAB, "tables are more than 0.5 % of the store");

struct class
{
	uint64_t entries;
	uint64_t live;	  /* packed bytes of them */
	uint32_t partial; /* list of PARTIAL slabs */
	uint32_t slabs;	  /* PARTIAL, FULL and MARKED */
};

_Static_assert(sizeof(struct entry) == STORE_HEADER, "slots are laid out by STORE_HEADER");

struct place {
	struct slab *slab; /* NULL: nowhere */
	unsigned slot;
};

/* Written hardly ever; by the work thread; by everybody: a cache line, or more, for each. */
static struct store {
	unsigned char *space;
	struct slab *slab;
	store_give_back_fn *give_back;
	uint32_t slabs; /* that fit in the space */
	uint32_t known; /* of those, the first that have a place in the table in memory */

	uint32_t fresh __attribute__((aligned(64))); /* the first FRESH slab */
	struct commit bytes, books;
	uint32_t empty, returned, marked;	     /* lists */
	uint64_t mapped;
	uint64_t idle; /* the part of `mapped` in EMPTY slabs */
	uint32_t spent, spent_before; /* slabs that steady classes opened: in this part, the last */

	uint32_t freed __attribute__((aligned(64))); /* slabs to look at, pushed by who frees */
	struct class class[CLASSES];
} store;

/* --- sizes --------------------------------------------------------------------------------- */

static unsigned slot_bytes_of(unsigned class)
{
	if (class < RUN1_COUNT)
		return RUN1_FIRST + class * RUN1_STEP;
	class -= RUN1_COUNT;
	if (class < RUN2_COUNT)
		return RUN2_FIRST + class * RUN2_STEP;
	class -= RUN2_COUNT;
	return RUN3_FIRST + class * RUN3_STEP;
}

/* The smallest class whose slots hold `bytes`. */
static unsigned class_of(unsigned bytes)
{
	if (bytes <= RUN1_FIRST)
		return 0;
	if (bytes <= RUN2_FIRST - RUN2_STEP)
		return (bytes - RUN1_FIRST + RUN1_STEP - 1) / RUN1_STEP;
	if (bytes <= RUN3_FIRST - RUN3_STEP)
		return RUN1_COUNT + (bytes - RUN2_FIRST + RUN2_STEP - 1) / RUN2_STEP;
	return RUN1_COUNT + RUN2_COUNT + (bytes - RUN3_FIRST + RUN3_STEP - 1) / RUN3_STEP;
}

static unsigned slots_of(unsigned class)
{
	return STORE_SLAB / slot_bytes_of(class);
}

size_t store_table_bytes(uint64_t max_bytes)
{
	return max_bytes / STORE_SLAB * sizeof(struct slab);
}

/* --- places -------------------------------------------------------------------------------- */

static struct slab *slab_at(uint32_t link)
{
	return &store.slab[link - 1];
}

static uint32_t link_of(const struct slab *s)
{
	return (uint32_t)(s - store.slab) + 1;
}

static struct entry *entry_at(struct place p)
{
	uint64_t slab_start = (uint64_t)(link_of(p.slab) - 1) * STORE_SLAB;

	return (struct entry *)(store.space + slab_start + p.slot * p.slab->slot_bytes);
}

static store_ref ref_of(struct place p)
{
	return (uint64_t)((unsigned char *)entry_at(p) - store.space) / GRAIN + 1;
}

static uint64_t bit_of(struct place p)
{
	return 1ull << p.slot % 64;
}

/* Where `ref` leads, if it is the handle of an entry. Believes nothing that it is given. */
static struct place locate(store_ref ref)
{
	const struct place nowhere = {0};
	struct place p;
	unsigned within;

	if (ref - 1 >= (uint64_t)load_relaxed(&store.known) * (STORE_SLAB / GRAIN))
		return nowhere;
	p.slab = &store.slab[(ref - 1) / (STORE_SLAB / GRAIN)];
	within = (ref - 1) % (STORE_SLAB / GRAIN) * GRAIN;
	if (!p.slab->slot_bytes || within % p.slab->slot_bytes)
		return nowhere;
	p.slot = within / p.slab->slot_bytes;
	if (p.slot >= p.slab->slots)
		return nowhere;
	/* Pairs with or_acq_rel in occupy(). */
	if (!(load_acquire(&p.slab->taken[p.slot / 64]) & bit_of(p)))
		return nowhere;
	return p;
}

/* --- states, by the work thread -------------------------------------------------------------- */

static uint32_t *list_of(const struct slab *s)
{
	switch ((enum slab_state)s->state) {
	case SLAB_PARTIAL:
		return &store.class[s->class].partial;
	case SLAB_MARKED:
		return &store.marked;
	case SLAB_EMPTY:
		return &store.empty;
	case SLAB_RETURNED:
		return &store.returned;
	case SLAB_FRESH:
	case SLAB_FULL:
		return NULL;
	}
	return NULL;
}

static void list_add(uint32_t *list, struct slab *s)
{
	s->prev = 0;
	s->next = *list;
	if (*list)
		slab_at(*list)->prev = link_of(s);
	*list = link_of(s);
}

static void list_remove(uint32_t *list, struct slab *s)
{
	if (s->prev)
		slab_at(s->prev)->next = s->next;
	else
		*list = s->next;
	if (s->next)
		slab_at(s->next)->prev = s->prev;
}

static void become(struct slab *s, enum slab_state state)
{
	uint32_t *list = list_of(s);

	if (list)
		list_remove(list, s);
	s->state = state;
	list = list_of(s);
	if (list)
		list_add(list, s);
}

static uint64_t touched_bytes(const struct slab *s)
{
	return (uint64_t)s->touched * PC_PAGE;
}

static void become_empty(struct slab *s)
{
	become(s, SLAB_EMPTY);
	store.class[s->class].slabs--;
	store.idle += touched_bytes(s);
}

/* Puts the slab where its number of entries says that it belongs. */
static void settle(struct slab *s)
{
	uint32_t used = load_acquire(&s->used); /* pairs with sub_acq_rel in store_free() */

	if (s->state != SLAB_PARTIAL && s->state != SLAB_FULL)
		return;
	if (used == 0)
		become_empty(s);
	else if (used < s->slots && s->state == SLAB_FULL)
		become(s, SLAB_PARTIAL);
}

static void take_in_freed(void)
{
	uint32_t link = swap_acquire(&store.freed, 0); /* pairs with cas_acq_rel in announce() */

	while (link) {
		struct slab *s = slab_at(link);

		link = s->next_freed;
		/* From here on s may be pushed again. What was freed before is in s->used already.
		 */
		and_acq_rel(&s->queued, 0);
		settle(s);
	}
}

/* Every slot is free, but those that the slab is too small for are taken for ever. */
static void lay_out(struct slab *s, unsigned class)
{
	s->class = class;
	s->slot_bytes = slot_bytes_of(class);
	s->slots = slots_of(class);
	for (unsigned w = 0; w < SLAB_WORDS; w++) {
		unsigned below = w * 64;
		unsigned here = s->slots > below ? PC_MIN(s->slots - below, 64) : 0;

		store_relaxed(&s->taken[w], here < 64 ? ~0ull << here : 0);
	}
}

static void note_known(void)
{
	const uint64_t in_memory = (store.books.done - (pc_addr)store.slab) / sizeof(struct slab);

	store_relaxed(&store.known, (uint32_t)PC_MIN(store.slabs, in_memory));
}

static bool memory_for(uint32_t slabs)
{
	if (!commit_to(&store.books, &store.slab[slabs]) ||
	    !commit_to(&store.bytes, store.space + (uint64_t)slabs * STORE_SLAB))
		return false;
	if (slabs > store.known)
		note_known();
	return true;
}

/* One that has no memory; NULL when there is none left. */
static struct slab *bare_slab(void)
{
	if (store.returned)
		return slab_at(store.returned);
	if (store.fresh < store.slabs && memory_for(store.fresh + 1))
		return slab_at(++store.fresh);
	return NULL;
}

/* A slab without entries becomes the first one of `class`. NULL when there is none left. */
static struct slab *open_slab(unsigned class)
{
	const bool steady = store.class[class].slabs >= STEADY;
	struct slab *s = steady && store.empty ? NULL : bare_slab();

	if (!s && store.empty) {
		s = slab_at(store.empty);
		store.idle -= touched_bytes(s);
	}
	if (!s)
		return NULL;
	store.spent += steady;
	lay_out(s, class);
	become(s, SLAB_PARTIAL);
	store.class[class].slabs++;
	return s;
}

static struct slab *partial_slab(unsigned class)
{
	if (!store.class[class].partial)
		take_in_freed();
	return store.class[class].partial ? slab_at(store.class[class].partial) : NULL;
}

/* --- put, peek, free ------------------------------------------------------------------------- */

/* The lowest free slot; a PARTIAL slab has one, since frees clear the bit before they count it. */
static unsigned free_slot(const struct slab *s)
{
	for (unsigned w = 0; w < SLAB_WORDS; w++) {
		uint64_t taken = load_acquire(&s->taken[w]); /* pairs with and_acq_rel in free */

		if (~taken)
			return w * 64 + (unsigned)__builtin_ctzll(~taken);
	}
	pc_fatal("store: a slab with room has none", link_of(s) - 1, s->used);
}

static void touch(struct place p)
{
	unsigned end = (p.slot + 1) * p.slab->slot_bytes;
	unsigned pages = (end + (unsigned)PC_PAGE - 1) >> PC_PAGE_SHIFT;

	if (pages <= p.slab->touched)
		return;
	store_relaxed(&store.mapped, store.mapped + (pages - p.slab->touched) * PC_PAGE);
	p.slab->touched = pages;
}

/* The entry at `p` is written: from here on it exists. */
static store_ref occupy(struct place p, unsigned len)
{
	struct slab *s = p.slab;
	struct class *c = &store.class[s->class];

	touch(p);
	add_relaxed(&c->entries, 1);
	add_relaxed(&c->live, len);
	or_acq_rel(&s->taken[p.slot / 64], bit_of(p)); /* pairs with load_acquire in locate() */
	if (add_acq_rel(&s->used, 1) + 1 == s->slots)
		become(s, SLAB_FULL);
	return ref_of(p);
}

static store_ref put(const void *bytes, unsigned len, uint32_t seed, bool dense)
{
	unsigned class = class_of(STORE_HEADER + len);
	struct entry *e;
	struct place p;

	PC_ASSERT(len >= 1);
	PC_ASSERT(len <= PC_PAGE);
	p.slab = partial_slab(class);
	if (!p.slab)
		p.slab = open_slab(class);
	if (!p.slab)
		return 0;
	p.slot = free_slot(p.slab);
	e = entry_at(p);
	e->len = len;
	e->dense = dense;
	memcpy(e->bytes, bytes, len);
	e->crc = entry_crc(e, len, seed);
	return occupy(p, len);
}

store_ref store_put(const void *bytes, unsigned len, uint32_t seed)
{
	return put(bytes, len, seed, false);
}

store_ref store_put_dense(const void *bytes, unsigned len, uint32_t seed)
{
	return put(bytes, len, seed, true);
}

unsigned store_room(unsigned len)
{
	return slot_bytes_of(class_of(STORE_HEADER + len));
}

struct store_bytes store_peek(store_ref ref, uint32_t seed)
{
	const struct store_bytes bad = {0};
	struct place p = locate(ref);
	const struct entry *e;
	unsigned len;

	if (!p.slab)
		return bad;
	e = entry_at(p);
	len = entry_check(e, p.slab->slot_bytes, seed);
	if (!len)
		return bad;
	return (struct store_bytes){.bytes = e->bytes, .len = len, .dense = e->dense};
}

void store_prefetch(store_ref ref)
{
	/* A prefetch reads nothing: a wrong handle is as harmless as a right one. */
	const unsigned char *at = store.space + entry_offset(ref);

	__builtin_prefetch(&store.slab[(ref - 1) / (STORE_SLAB / GRAIN)]);
	for (unsigned i = 0; i < PREFETCH_BYTES; i += CACHE_LINE)
		__builtin_prefetch(at + i);
}

/* The slab has room again, or no entry any more: tells the work thread, once. */
static void announce(struct slab *s)
{
	uint32_t head;

	if (or_acq_rel(&s->queued, 1))
		return;
	head = load_relaxed(&store.freed);
	do {
		s->next_freed = head;
	} while (!cas_acq_rel(&store.freed, &head, link_of(s)));
}

void store_free(store_ref ref)
{
	struct place p = locate(ref);
	struct class *c;
	unsigned len, slots;
	uint64_t taken;
	uint32_t used;

	PC_ASSERT(p.slab);
	/* Read before the bit is cleared: then the slot, and in the end the slab, is another's. */
	len = entry_at(p)->len;
	PC_ASSERT(entry_fits(len, p.slab->slot_bytes));
	slots = p.slab->slots;
	c = &store.class[p.slab->class];

	taken = and_acq_rel(&p.slab->taken[p.slot / 64], ~bit_of(p));
	PC_ASSERT(taken & bit_of(p));
	sub_acq_rel(&c->live, len);
	sub_acq_rel(&c->entries, 1);
	used = sub_acq_rel(&p.slab->used, 1);
	if (used == slots || used == 1)
		announce(p.slab);
}

/* --- stock ----------------------------------------------------------------------------------- */

uint32_t store_wants_stock(void)
{
	const uint32_t wanted = PC_MIN(store.spent, store.spent_before);
	const uint64_t there = store.idle / STORE_SLAB;

	store.spent_before = store.spent;
	store.spent = 0;
	return wanted > there ? wanted - (uint32_t)there : 0;
}

static bool stock_one(store_fill_fn *fill, void *arg)
{
	struct slab *s = bare_slab();
	unsigned char *start;
	bool filled;

	if (!s)
		return false;
	start = store.space + (uint64_t)(link_of(s) - 1) * STORE_SLAB;
	filled = fill(start, STORE_SLAB, arg);
	if (!filled)
		store.give_back(start, STORE_SLAB);
	s->touched = filled ? STORE_SLAB / PC_PAGE : 0;
	become(s, filled ? SLAB_EMPTY : SLAB_RETURNED);
	store.idle += touched_bytes(s);
	store_relaxed(&store.mapped, store.mapped + touched_bytes(s));
	return filled;
}

void store_stock(uint32_t slabs, store_fill_fn *fill, void *arg)
{
	while (slabs && stock_one(fill, arg))
		slabs--;
}

/* --- giving back ------------------------------------------------------------------------------ */

static bool is_empty(uint32_t index)
{
	return index < store.fresh && store.slab[index].state == SLAB_EMPTY;
}

/* Gives back the slab at `index` and its EMPTY neighbours in one call. */
static uint64_t give_back_run(uint32_t index)
{
	uint32_t start = index, end;
	uint64_t bytes = 0;

	while (start > 0 && is_empty(start - 1))
		start--;
	for (end = start; is_empty(end); end++) {
		struct slab *s = &store.slab[end];

		bytes += touched_bytes(s);
		s->touched = 0;
		become(s, SLAB_RETURNED);
	}
	store.give_back(store.space + (uint64_t)start * STORE_SLAB,
			(size_t)(end - start) * STORE_SLAB);
	return bytes;
}

uint64_t store_trim(void)
{
	uint64_t bytes = 0;

	take_in_freed();
	store.spent = store.spent_before = 0;
	while (store.empty)
		bytes += give_back_run(store.empty - 1);
	store.idle -= bytes;
	store_relaxed(&store.mapped, store.mapped - bytes);
	return bytes;
}

/* --- compaction ------------------------------------------------------------------------------- */

/* Slabs that `class` would not need if its others were full. */
static uint32_t surplus_slabs(unsigned class)
{
	const struct class *c = &store.class[class];
	uint64_t slots = slots_of(class);
	uint64_t needed = (load_relaxed(&c->entries) + slots - 1) / slots;

	return c->slabs - (uint32_t)needed;
}

bool store_wants_compaction(unsigned part)
{
	uint64_t touched, unused, gain = 0;

	take_in_freed();
	touched = store.mapped - store.idle;
	unused = touched - store_totals().used;
	for (unsigned class = 0; class < CLASSES; class ++)
		gain += (uint64_t)surplus_slabs(class) * STORE_SLAB;
	return unused > touched / part && gain >= COMPACT_MIN;
}

/*
 * Any choice of `surplus` slabs would fit into the rest; the sparsest cost the fewest copies, to a
 * quarter of a slab.
 */
static void mark_class(unsigned class)
{
	uint32_t surplus = surplus_slabs(class);

	for (unsigned quarter = 1; quarter <= 4; quarter++) {
		uint32_t link = store.class[class].partial;

		while (link && surplus) {
			struct slab *s = slab_at(link);

			link = s->next;
			if (load_relaxed(&s->used) * 4 > s->slots * quarter)
				continue;
			become(s, SLAB_MARKED);
			surplus--;
		}
	}
}

void store_compact_begin(void)
{
	take_in_freed();
	for (unsigned class = 0; class < CLASSES; class ++)
		mark_class(class);
}

store_ref store_compact_move(store_ref ref)
{
	struct place from = locate(ref), to;
	unsigned len;

	if (!from.slab || from.slab->state != SLAB_MARKED)
		return 0;
	to.slab = partial_slab(from.slab->class);
	if (!to.slab)
		return 0;
	/* Freed meanwhile or not, the bytes stay: nothing is put into a marked slab. */
	len = entry_at(from)->len;
	PC_ASSERT(entry_fits(len, from.slab->slot_bytes));
	to.slot = free_slot(to.slab);
	memcpy(entry_at(to), entry_at(from), STORE_HEADER + len);
	return occupy(to, len);
}

void store_compact_end(void)
{
	while (store.marked) {
		struct slab *s = slab_at(store.marked);

		become(s, SLAB_PARTIAL);
		settle(s);
	}
}

/* --- the whole -------------------------------------------------------------------------------- */

bool store_start(void *space, uint64_t max_bytes, void *table, store_give_back_fn *give_back,
		 commit_fn *commit)
{
	store = (struct store){
	    .space = space,
	    .slab = table,
	    .slabs = (uint32_t)(max_bytes / STORE_SLAB),
	    .give_back = give_back,
	};
	if (!commit_start(&store.books, table, store_table_bytes(max_bytes), commit) ||
	    !commit_start(&store.bytes, space, max_bytes, commit))
		return false;
	note_known();
	return true;
}

struct store_totals store_totals(void)
{
	struct store_totals t = {.mapped = load_relaxed(&store.mapped)};

	for (unsigned class = 0; class < CLASSES; class ++) {
		uint64_t entries = load_relaxed(&store.class[class].entries);

		t.entries += entries;
		t.used += entries * slot_bytes_of(class);
		t.live += load_relaxed(&store.class[class].live);
	}
	return t;
}

/* What store_valid() counts, to compare it with what the store believes. */
struct census {
	struct class class[CLASSES];
	uint32_t in_state[SLAB_RETURNED + 1];
	uint64_t mapped, idle;
};

static bool slots_valid(const struct slab *s, struct census *n)
{
	unsigned used = 0, end = 0;

	if (!s->slot_bytes) /* stocked, and not opened yet */
		return !load_relaxed(&s->used);
	for (unsigned slot = 0; slot < SLAB_WORDS * 64; slot++) {
		struct place p = {.slab = &store.slab[link_of(s) - 1], .slot = slot};
		bool taken = load_relaxed(&s->taken[slot / 64]) & bit_of(p);

		if (slot >= s->slots && !taken)
			return false;
		if (slot >= s->slots || !taken)
			continue;
		if (!entry_fits(entry_at(p)->len, s->slot_bytes))
			return false;
		n->class[s->class].entries++;
		n->class[s->class].live += entry_at(p)->len;
		end = (slot + 1) * s->slot_bytes;
		used++;
	}
	return used == load_relaxed(&s->used) && end <= touched_bytes(s);
}

static bool state_valid(const struct slab *s)
{
	uint32_t used = load_relaxed(&s->used);
	bool queued = load_relaxed(&s->queued);

	switch ((enum slab_state)s->state) {
	case SLAB_PARTIAL:
		return used < s->slots && (used > 0 || queued);
	case SLAB_FULL:
		return used == s->slots || queued;
	case SLAB_MARKED:
		return true;
	case SLAB_EMPTY:
		return used == 0;
	case SLAB_RETURNED:
		return used == 0 && s->touched == 0;
	case SLAB_FRESH:
		return false;
	}
	return false;
}

/* Slabs of `state` on the list at `link`, or a number that no list has when it is broken. */
static uint32_t list_length(uint32_t link, enum slab_state state)
{
	uint32_t prev = 0, n = 0;

	for (; link; link = slab_at(link)->next) {
		if (slab_at(link)->prev != prev || slab_at(link)->state != state)
			return UINT32_MAX;
		prev = link;
		n++;
	}
	return n;
}

static bool classes_valid(const struct census *n)
{
	uint32_t partial = 0;

	for (unsigned class = 0; class < CLASSES; class ++) {
		const struct class *is = &store.class[class];
		const struct class *counted = &n->class[class];

		if (is->entries != counted->entries || is->live != counted->live)
			return false;
		if (is->slabs != counted->slabs)
			return false;
		partial += list_length(is->partial, SLAB_PARTIAL);
	}
	return partial == n->in_state[SLAB_PARTIAL];
}

bool store_valid(void)
{
	struct census n = {0};

	for (uint32_t index = 0; index < store.fresh; index++) {
		const struct slab *s = &store.slab[index];

		if (!slots_valid(s, &n) || !state_valid(s))
			return false;
		n.in_state[s->state]++;
		n.mapped += touched_bytes(s);
		if (s->state == SLAB_EMPTY)
			n.idle += touched_bytes(s);
		else if (s->state != SLAB_RETURNED)
			n.class[s->class].slabs++;
	}
	return classes_valid(&n) && n.mapped == store.mapped && n.idle == store.idle &&
	       list_length(store.marked, SLAB_MARKED) == n.in_state[SLAB_MARKED] &&
	       list_length(store.empty, SLAB_EMPTY) == n.in_state[SLAB_EMPTY] &&
	       list_length(store.returned, SLAB_RETURNED) == n.in_state[SLAB_RETURNED];
}
