#include "flow/pack.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/donate.h"
#include "flow/reserve.h"
#include "flow/seal.h"
#include "state/range.h"
#include "state/store.h"

#include <sys/mman.h>

#define SHARD        0u
#define VERIFY_EVERY 256u
#define WASTE	     4u /* one part in so many of the store may be free */
#define WASTE_STILL  32u
#define POOR_BACKOFF 8u /* cold ages, doubled for each time in a row */

void pack_start(struct packer *p)
{
	codec_start(&p->lz4);
	p->count = 0;
	p->tag = 0;
	p->sampled = 0;
}

uint32_t pack_tag(struct packer *p)
{
	p->tag = (p->tag + 1) & ((1u << PAGE_TAG_BITS) - 1);
	return p->tag;
}

/* ---- publishing ---------------------------------------------------------------------------- */

static void count_published(const struct packed_page *g)
{
	COUNT(SHARD, compress_success);
	COUNT(SHARD, pages_evicted);
	ADD(SHARD, pages_stored, 1);
	ADD(SHARD, pages_staged, -1);
	ADD(SHARD, compress_bytes_packed_in, PC_PAGE);
	if (g->kind == CODEC_SAME) {
		COUNT(SHARD, compress_same);
		ADD(SHARD, pages_same, 1);
	} else {
		ADD(SHARD, compress_bytes_out, g->len);
	}
}

/* The word for a packed page; 0 when the store is full. */
static page_word packed_word(struct packer *p, unsigned i)
{
	const struct packed_page *g = &p->group[i];
	uint32_t tag;
	store_ref ref;

	if (g->kind == CODEC_SAME)
		return page_make_same(g->word);
	tag = pack_tag(p);
	ref = store_put(p->out[i], g->len, tag);
	return ref ? page_make_packed(ref, tag) : 0;
}

static void publish_one(struct packer *p, unsigned i, pc_ns now)
{
	const uint32_t slot = p->group[i].slot;
	const page_word staged = page_make(PAGE_STAGED, slot);
	pc_addr owner = staging_owner(slot);
	struct unit *u = owner ? range_find(owner) : NULL;
	page_word w;

	if (!u || unit_peek(u, page_in_unit(owner)) != staged) {
		COUNT(SHARD, compress_skips_wanted);
		return;
	}
	w = packed_word(p, i);
	if (!w) {
		COUNT(SHARD, compress_skips_full);
		p->poor++;
		return;
	}
	if (!page_swing(unit_word(u, page_in_unit(owner)), staged, w)) {
		COUNT(SHARD, compress_skips_wanted);
		if (page_state(w) == PAGE_PACKED)
			store_free(page_ref(w));
		return;
	}
	staging_release(slot);
	UNIT_COUNT(u, packed);
	unit_count(u, page_in_unit(owner), staged, w);
	heat_packed(&u->heat, now, world.cold_age);
	count_published(&p->group[i]);
}

static void publish(struct packer *p, pc_ns now)
{
	gate_enter(&world.gate, GATE_WORK);
	for (unsigned i = 0; i < p->count; i++)
		publish_one(p, i, now);
	gate_leave(&world.gate, GATE_WORK);
	p->count = 0;
}

/* ---- packing ------------------------------------------------------------------------------- */

static bool to_be_verified(struct packer *p)
{
	if (options.verify == VERIFY_OFF)
		return false;
	if (options.verify == VERIFY_SAMPLE && ++p->sampled < VERIFY_EVERY)
		return false;
	p->sampled = 0;
	return true;
}

/* From before its page is moved home until its slot is released the word says RETURNING. */
static bool still_staged(uint32_t slot)
{
	struct unit *u;
	pc_addr owner;
	bool staged;

	gate_enter(&world.gate, GATE_WORK);
	owner = staging_owner(slot);
	u = owner ? range_find(owner) : NULL;
	staged = u && unit_peek(u, page_in_unit(owner)) == page_make(PAGE_STAGED, slot);
	gate_leave(&world.gate, GATE_WORK);
	return staged;
}

bool pack_agrees(struct packer *p, const void *packed, unsigned len, const void *page)
{
	return !codec_unpack(packed, len, p->check) && !memcmp(p->check, page, PC_PAGE);
}

/* A page that went home meanwhile took its frame along: what was read then means nothing. */
static bool verified(struct packer *p, unsigned i, const void *page)
{
	COUNT(SHARD, verify_pages);
	if (pack_agrees(p, p->out[i], p->group[i].len, page))
		return true;
	if (!still_staged(p->group[i].slot))
		return false;
	COUNT(SHARD, verify_failed);
	log_line(LOG_ERROR, "a packed page did not unpack to what it was; it stays unpacked", "slot",
		 p->group[i].slot, NULL, 0);
	return false;
}

static void pack_slot(struct packer *p, uint32_t slot)
{
	struct packed_page *g = &p->group[p->count];
	const void *page = (const void *)staging_slot_addr(slot);
	pc_ns start = clock_now();

	COUNT(SHARD, compress_attempts);
	ADD(SHARD, compress_bytes_in, PC_PAGE);
	g->slot = slot;
	g->kind = codec_pack(&p->lz4, page, p->out[p->count], world.keep_below, &g->len, &g->word);
	OBSERVE(SHARD, pack, clock_since(start));
	if (g->kind == CODEC_PACKED && to_be_verified(p) && !verified(p, p->count, page))
		g->kind = CODEC_POOR;
	if (g->kind == CODEC_POOR) {
		COUNT(SHARD, compress_skips_poor);
		p->poor++;
		return;
	}
	p->count++;
}

static void pack_slots(struct packer *p, struct chunk *c, pc_ns now)
{
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		uint32_t slot = staging_slot(c, i);

		if (!staging_owner(slot))
			continue;
		pack_slot(p, slot);
		if (p->count == PACK_GROUP)
			publish(p, now);
	}
	publish(p, now);
}

/* ---- what stays ---------------------------------------------------------------------------- */

static void mark_poor(struct unit *u, pc_addr owner)
{
	unsigned page = page_in_unit(owner);

	if (!unit_registered(u, page))
		return;
	page_swing(unit_word(u, page), page_make(PAGE_RESIDENT, 0), page_make(PAGE_RESIDENT, 0) | PAGE_POOR);
}

static void poor_backoff(struct unit *u, pc_ns now)
{
	u->heat.poor_until = now + (PC_MAX(world.cold_age, PC_SEC) * POOR_BACKOFF
				    << PC_MIN(u->heat.poor_tries, HEAT_MAX_BACKOFF));
	u->heat.poor_tries++;
}

bool pack_return_chunk(struct restorer *r, struct chunk *c)
{
	for (unsigned i = 0; i < PC_UNIT_PAGES && load_relaxed(&c->live); i++) {
		struct unit *u;
		pc_addr owner;

		gate_enter(&world.gate, r->slot);
		owner = staging_owner(staging_slot(c, i));
		u = owner ? range_find(owner) : NULL;
		if (u)
			restore_staged(r, u);
		gate_leave(&world.gate, r->slot);
	}
	if (load_relaxed(&c->live))
		return false;
	/* Else it stays read-only, and is not filled by who locks all memory. */
	if (reserve_wants() && seal_break(c))
		reserve_fill(c);
	donate_frames(c);
	/* Not registered by now, so this raises no event. */
	if (pool_empty((void *)staging_chunk_addr(c), PC_UNIT))
		pc_fatal("staging cannot be emptied", staging_chunk_addr(c), 0);
	staging_free(c);
	return true;
}

/* The slots that would not pack go home, and are remembered as such. */
static bool return_poor(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now)
{
	pc_addr owner[PC_UNIT_PAGES];
	bool freed;

	for (unsigned i = 0; i < PC_UNIT_PAGES; i++)
		owner[i] = p->poor ? staging_owner(staging_slot(c, i)) : 0;
	freed = pack_return_chunk(r, c);
	gate_enter(&world.gate, r->slot);
	for (unsigned i = 0; i < PC_UNIT_PAGES && p->poor; i++) {
		struct unit *u = owner[i] ? range_find(owner[i]) : NULL;

		if (u)
			mark_poor(u, owner[i]);
		if (u && u->heat.poor_until <= now)
			poor_backoff(u, now);
	}
	gate_leave(&world.gate, r->slot);
	return freed;
}

bool pack_chunk(struct packer *p, struct restorer *r, struct chunk *c, pc_ns now)
{
	pc_ns cpu = sys_thread_cpu();
	unsigned pages = load_relaxed(&c->live);
	bool freed;

	store_release(&c->state, CHUNK_PACKING);
	p->poor = 0;
	pack_slots(p, c, now);
	freed = return_poor(p, r, c, now);
	if (pages)
		stats_observe_n(SHARD, PC_H_pack_cpu, (sys_thread_cpu() - cpu) / pages, pages);
	return freed;
}

/* ---- compaction ---------------------------------------------------------------------------- */

/* Swung while the old entry is still ours to read: a restorer that won the word frees it. */
bool pack_replace(page_word *word, page_word was, page_word now)
{
	bool won = page_swing(word, was, now);

	store_free(page_ref(won ? was : now));
	return won;
}

static void compact_unit(struct unit *u)
{
	for (unsigned i = 0; i < PC_UNIT_PAGES; i++) {
		page_word w = unit_peek(u, i);
		store_ref to;

		if (page_state(w) != PAGE_PACKED)
			continue;
		to = store_compact_move(page_ref(w));
		if (to && pack_replace(unit_word(u, i), w, page_make_packed(to, page_tag(w))))
			COUNT(SHARD, compact_moved);
	}
}

static void compact_next_unit(struct packer *p)
{
	struct unit *u = range_at(p->compact_next);

	gate_enter(&world.gate, GATE_WORK);
	if (u && load_relaxed(&u->away))
		compact_unit(u);
	gate_leave(&world.gate, GATE_WORK);
	p->compact_next = p->compact_next + 1 < range_limit() ? p->compact_next + 1 : 0;
}

void pack_compact(struct packer *p, bool tight, bool (*go_on)(void *), void *arg)
{
	bool more = store_wants_compaction(tight ? WASTE_STILL : WASTE);

	if (more) {
		store_compact_begin();
		for (uint32_t seen = 0; more && seen < range_limit(); seen++) {
			compact_next_unit(p);
			more = go_on(arg);
		}
		store_compact_end();
		COUNT(SHARD, compactions);
	}
	store_trim();
}
