#include "packed.h"

#include <string.h>

#include "predicomp/predicomp.h"
#include "state/codec.h"
#include "state/entry.h"
#include "state/page.h"
#include "state/range.h"

#define LIBRARY_VERSION                                                                            \
	((unsigned)PREDICOMP_VERSION_MAJOR << 16 | (unsigned)PREDICOMP_VERSION_MINOR << 8 |        \
	 (unsigned)PREDICOMP_VERSION_PATCH)

/* ---- where the tables are ------------------------------------------------------------------ */

static bool is_segment(const struct pc_segment *s)
{
	return s->magic == PC_SEGMENT_MAGIC && s->version == PC_SEGMENT_VERSION && s->ready == 1;
}

static bool find_segment(struct packed *p)
{
	const struct core *c = p->core;

	for (size_t i = 0; i < c->loads; i++)
		if (core_read(c, c->load[i].start, &p->segment, sizeof(p->segment)) &&
		    is_segment(&p->segment) &&
		    (!p->segment.tables.self || p->segment.tables.self == c->load[i].start))
			return true;
	return false;
}

static int check_version(const struct packed *p)
{
	const unsigned v = p->segment.library_version;

	if (v != LIBRARY_VERSION)
		return complain(
		    STATUS_VERSION,
		    "%s was left by version %u.%u.%u of the library; the command of that "
		    "version can read it",
		    p->core->path, v >> 16, v >> 8 & 0xff, v & 0xff);
	if (p->segment.tables.unit_bytes != sizeof(struct unit))
		return complain(
		    STATUS_VERSION,
		    "%s was left by another build of the library: its units have %u bytes, "
		    "not %zu",
		    p->core->path, p->segment.tables.unit_bytes, sizeof(struct unit));
	return STATUS_OK;
}

int packed_open(struct packed *p, const struct core *core)
{
	struct unit first;
	int err;

	*p = (struct packed){.core = core};
	if (!find_segment(p))
		return complain(
		    STATUS_NO,
		    "%s has no segment of the library: the process did not run under it, "
		    "or its coredump_filter leaves out shared memory (bit 1)",
		    core->path);
	if (!p->segment.tables.self)
		return complain(STATUS_NO,
				"%s: nothing was managed in this process, so nothing is missing",
				core->path);
	err = check_version(p);
	if (err != STATUS_OK)
		return err;
	if (!core_read(core, p->segment.tables.units, &first, sizeof(first)))
		return complain(
		    STATUS_NO,
		    "%s does not have the library's tables: its coredump_filter leaves out "
		    "private memory (bit 0)",
		    core->path);
	return STATUS_OK;
}

/* ---- the bytes of a page ------------------------------------------------------------------- */

static bool unpack_stored(const struct packed *p, page_word w, void *page)
{
	const struct pc_tables *t = &p->segment.tables;
	const uint64_t ref = page_ref(w);
	union {
		struct entry entry;
		unsigned char bytes[sizeof(struct entry) + PC_PAGE];
	} e;
	uint64_t room;
	unsigned len;

	if (!ref || entry_offset(ref) >= t->store_bytes)
		return false;
	room = PC_MIN(t->store_bytes - entry_offset(ref), sizeof(e));
	memset(&e, 0, sizeof(e));
	if (!core_read(p->core, t->store + entry_offset(ref), &e, room))
		return false;
	len = entry_check(&e.entry, (unsigned)room, page_tag(w));
	return len && codec_unpack(e.entry.bytes, len, page) == 0;
}

static bool read_staged(const struct packed *p, page_word w, void *page)
{
	const struct pc_tables *t = &p->segment.tables;
	const uint64_t offset = (uint64_t)page_slot(w) * PC_PAGE;

	return offset < t->staging_bytes && core_read(p->core, t->staging + offset, page, PC_PAGE);
}

static enum packed_kind bytes_of(const struct packed *p, page_word w, void *page)
{
	switch (page_state(w)) {
	case PAGE_SAME:
		codec_fill(page, page_same(w));
		return page_same_valid(w) ? PACKED_SAME : PACKED_WRONG;
	case PAGE_PACKED:
		return unpack_stored(p, w, page) ? PACKED_STORED : PACKED_WRONG;
	case PAGE_STAGED:
		return read_staged(p, w, page) ? PACKED_STAGED : PACKED_WRONG;
	case PAGE_LEAVING:
	case PAGE_RETURNING:
		return PACKED_MOVING;
	default:
		return PACKED_WRONG;
	}
}

/* ---- all of them --------------------------------------------------------------------------- */

static bool is_home(page_word w)
{
	return page_state(w) == PAGE_RESIDENT || page_state(w) == PAGE_REMOVING;
}

/* `away`: a bit for each page, the second note of it. */
static void each_of_group(const struct packed *p, pc_addr base, const page_word *word,
			  uint64_t away, packed_fn *fn, void *arg)
{
	uint64_t page[PC_PAGE / sizeof(uint64_t)];

	for (unsigned i = 0; i < UNIT_GROUP; i++) {
		enum packed_kind kind;

		if (is_home(word[i]) && !(away >> i & 1))
			continue;
		kind = bytes_of(p, word[i], page);
		fn(arg, base + i * PC_PAGE, kind, kind < PACKED_MOVING ? page : NULL);
	}
}

static void each_of_unit(const struct packed *p, const struct unit *u, packed_fn *fn, void *arg)
{
	page_word word[UNIT_GROUP];

	for (unsigned i = 0; i < UNIT_MAP_WORDS; i++) {
		pc_addr base = u->base + (pc_addr)i * UNIT_GROUP * PC_PAGE;

		if (!u->words[i])
			continue;
		if (core_read(p->core, (pc_addr)u->words[i], word, sizeof(word)))
			each_of_group(p, base, word, u->elsewhere[i], fn, arg);
		else
			fn(arg, base, PACKED_WRONG, NULL);
	}
}

void packed_each(const struct packed *p, packed_fn *fn, void *arg)
{
	const struct pc_tables *t = &p->segment.tables;
	struct unit u;

	for (uint32_t i = 0; i < t->unit_max; i++) {
		if (!core_read(p->core, t->units + (uint64_t)i * sizeof(u), &u, sizeof(u)))
			return;
		if (u.live)
			each_of_unit(p, &u, fn, arg);
	}
}
