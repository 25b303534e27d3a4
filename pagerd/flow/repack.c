#include "flow/repack.h"

#include "base/mem.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "flow/world.h"
#include "state/codec.h"
#include "state/store.h"

#define SHARD	   0u
#define STAYED	   8u /* cold ages */
#define STAYED_MIN (400 * PC_MS)
#define GAIN_PART  32u	  /* at least one part in so many, or the unit is left */
#define GAIN_SEEN  16384u /* bytes in the store, before that is judged */

struct repack_room {
	struct codec_dense_state lz4;
	uint8_t old[PC_PAGE], page[PC_PAGE], out[PC_PAGE];
};

/* A page that is packed, and its entry. */
struct packed {
	page_word word;
	unsigned len; /* 0: there is nothing to do */
};

void repack_start(struct repack *r)
{
	r->next = 0;
}

static bool ready(struct repack *r)
{
	if (r->room)
		return true;
	r->room = pool_map(sizeof(*r->room), "repack");
	if (r->room)
		codec_start_dense(&r->room->lz4);
	return r->room != NULL;
}

bool repack_due(const struct unit *u, pc_ns now)
{
	const struct heat *h = &u->heat;
	pc_ns since = PC_MAX(h->packed_at, h->warm_at);
	pc_ns age = world.everything ? 0 : PC_MAX(world.cold_age * STAYED, STAYED_MIN);

	if (h->denser || !h->packed_at || load_relaxed(&u->away) <= load_relaxed(&u->staged))
		return false;
	return now >= since && now - since >= age;
}

/* Inside the gate. What fails its check is left to who will want the page. */
static struct packed copy_entry(struct repack *r, const struct unit *u, unsigned page)
{
	struct packed p = {.word = unit_peek(u, page)};
	struct store_bytes e;

	if (page_state(p.word) != PAGE_PACKED)
		return p;
	e = store_peek(page_ref(p.word), page_tag(p.word));
	if (!e.bytes || e.dense)
		return p;
	memcpy(r->room->old, e.bytes, e.len);
	p.len = e.len;
	return p;
}

/* Length in room->out; 0 if that takes no less room in the store. */
static unsigned pack_denser(struct repack_room *m, struct packer *p, unsigned old_len)
{
	unsigned len;

	if (codec_unpack(m->old, old_len, m->page))
		return 0;
	len = codec_pack_dense(&m->lz4, m->page, m->out, old_len - 1);
	if (!len || store_room(len) >= store_room(old_len))
		return 0;
	COUNT(SHARD, verify_pages);
	if (pack_agrees(p, m->out, len, m->page))
		return len;
	COUNT(SHARD, verify_failed);
	return 0;
}

/* The page may be elsewhere by now, and its unit gone. False when the store is full. */
static bool replace_entry(struct repack *r, struct packer *p, pc_addr at, page_word was, unsigned len)
{
	const uint32_t tag = pack_tag(p);
	store_ref ref = store_put_dense(r->room->out, len, tag);
	struct unit *u = range_find(at);
	unsigned page = page_in_unit(at);

	if (!ref)
		return false;
	if (!u || unit_peek(u, page) != was) {
		store_free(ref);
	} else if (pack_replace(unit_word(u, page), was, page_make_packed(ref, tag))) {
		r->gained = true;
		COUNT(SHARD, repacked);
	}
	return true;
}

static struct packed copy_packed(struct repack *r, pc_addr at)
{
	struct packed p = {0};
	const struct unit *u;

	gate_enter(&world.gate, GATE_WORK);
	u = range_find(at);
	if (u)
		p = copy_entry(r, u, page_in_unit(at));
	gate_leave(&world.gate, GATE_WORK);
	return p;
}

static bool repack_page(struct repack *r, struct packer *p, pc_addr at, struct repack_gain *gain)
{
	struct packed old = copy_packed(r, at);
	unsigned len;
	bool ok;

	if (!old.len)
		return true;
	len = pack_denser(r->room, p, old.len);
	gain->before += store_room(old.len);
	gain->after += store_room(len ? len : old.len);
	if (!len)
		return true;
	gate_enter(&world.gate, GATE_WORK);
	ok = replace_entry(r, p, at, old.word, len);
	gate_leave(&world.gate, GATE_WORK);
	return ok;
}

bool repack_group(struct repack *r, struct packer *p, pc_addr base, unsigned first,
		  struct repack_gain *gain)
{
	pc_ns cpu = sys_thread_cpu();
	bool ok = ready(r);

	for (unsigned i = first; ok && i < first + REPACK_GROUP; i++)
		ok = repack_page(r, p, base + (pc_addr)i * PC_PAGE, gain);
	ADD(SHARD, repack_cpu, sys_thread_cpu() - cpu);
	return ok;
}

bool repack_is_poor(const struct repack_gain *gain)
{
	return gain->before >= GAIN_SEEN && gain->before - gain->after < gain->before / GAIN_PART;
}

void repack_done(pc_addr base)
{
	struct unit *u;

	gate_enter(&world.gate, GATE_WORK);
	u = range_find(base);
	if (u)
		u->heat.denser = true;
	gate_leave(&world.gate, GATE_WORK);
}

bool repack_rest(struct repack *r)
{
	bool gained = r->gained;

	if (r->room)
		pool_unmap(r->room);
	r->room = NULL;
	r->gained = false;
	return gained;
}
