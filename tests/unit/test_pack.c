/*
 * What waits in staging is packed: published is only what unpacks to the page again, and what does not,
 * or would take no less room, goes home as it is. Going home is played: the frame is looked at instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/options.h"
#include "base/stats.h"
#include "flow/donate.h"
#include "flow/pack.h"
#include "flow/seal.h"
#include "flow/world.h"
#include "state/codec.h"
#include "state/range.h"
#include "state/staging.h"
#include "state/store.h"
#include "support/demand_zero.h"

#define START	    0x7d0000000000ull
#define UNITS	    4u
#define PAGES	    PC_UNIT_PAGES
#define STORE_BYTES (4ull << 20)
#define EVERY	    256u /* of how many pages one is checked by VERIFY=sample */

static struct packer packer;
static struct restorer restorer;
static struct unit *unit;
static struct chunk *chunk;
static uint8_t page[PAGES][PC_PAGE];
static struct {
	void (*meanwhile)(void); /* after the packing, before the check */
	bool garble;
	unsigned home;
	unsigned donations; /* of a chunk whose first frame was still there */
} played;

enum codec_kind __real_codec_pack(struct codec_state *s, const void *from, void *out,
				  unsigned keep_below, unsigned *len, uint32_t *word);
enum codec_kind __wrap_codec_pack(struct codec_state *s, const void *from, void *out,
				  unsigned keep_below, unsigned *len, uint32_t *word);
enum restore_result __wrap_restore_staged(struct restorer *r, struct unit *u);
bool __wrap_store_wants_compaction(unsigned part);
void __wrap_donate_frames(struct chunk *c);

enum codec_kind __wrap_codec_pack(struct codec_state *s, const void *from, void *out,
				  unsigned keep_below, unsigned *len, uint32_t *word)
{
	enum codec_kind kind = __real_codec_pack(s, from, out, keep_below, len, word);

	/* LZ4 ends with a few bytes as they are, so this is always another page. */
	if (played.garble && kind == CODEC_PACKED)
		((uint8_t *)out)[*len - 1] ^= 1;
	if (played.meanwhile)
		played.meanwhile();
	return kind;
}

static page_word word(unsigned i)
{
	return unit_peek(unit, i);
}

static void *frame(unsigned i)
{
	return (void *)staging_slot_addr(page_slot(word(i)));
}

static void set_word(unsigned i, page_word w)
{
	unit_count(unit, i, word(i), w);
	page_store(unit_word(unit, i), w);
}

static void bring_home(unsigned i)
{
	uint32_t slot = page_slot(word(i));

	assert_memory_equal(frame(i), page[i], PC_PAGE);
	set_word(i, page_make(PAGE_RESIDENT, 0));
	staging_release(slot);
	played.home++;
}

enum restore_result __wrap_restore_staged(struct restorer *r, struct unit *u)
{
	(void)r;
	assert_ptr_equal(u, unit);
	for (unsigned i = 0; i < PAGES; i++)
		if (page_state(word(i)) == PAGE_STAGED)
			bring_home(i);
	return RESTORE_DONE;
}

bool __wrap_store_wants_compaction(unsigned part)
{
	(void)part;
	return true;
}

/* What it may take are frames that nobody reads any more, and that are still there. */
void __wrap_donate_frames(struct chunk *c)
{
	assert_ptr_equal(c, chunk);
	assert_int_equal(c->live, 0);
	played.donations += !memcmp((void *)staging_chunk_addr(c), page[0], PC_PAGE);
}

static void fill(uint8_t *at, unsigned seed)
{
	uint32_t *w = (void *)at;

	for (unsigned i = 0; i < PC_PAGE / 4; i++)
		w[i] = i % 4 ? 0 : (seed * PC_PAGE + i) * 2654435761u;
}

static void stage(unsigned i)
{
	uint32_t slot = staging_slot(chunk, i);

	fill(page[i], i);
	memcpy((void *)staging_slot_addr(slot), page[i], PC_PAGE);
	set_word(i, page_make(PAGE_STAGED, slot));
	staging_hold(slot, START + i * PC_PAGE);
}

static int begin(void **state)
{
	(void)state;
	assert_true(range_start(demand_zero(range_table_bytes(UNITS)), UNITS, NULL));
	assert_true(staging_start(demand_zero(staging_space_bytes(1)),
				  demand_zero(staging_table_bytes(1)), 1, NULL));
	assert_true(store_start(demand_zero(STORE_BYTES), STORE_BYTES,
				demand_zero(store_table_bytes(STORE_BYTES)), give_back_nothing,
				NULL));
	gate_reset(&world.gate, GATE_PAGER0 + 1);
	world.cold_age = PC_SEC;
	world.keep_below = codec_keep_below(10);
	world.way = WAY_MADVISE; /* no reserve, which would take the frames */
	options.verify = VERIFY_ALWAYS;
	memset(&played, 0, sizeof(played));
	restorer.slot = GATE_PAGER0;
	pack_start(&packer);
	unit = range_ensure(START);
	unit_set_registered(unit, 0, PAGES, true);
	unit_words(unit, 0, PAGES);
	chunk = staging_open();
	return unit && chunk ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return store_valid() && range_valid() ? 0 : -1;
}

static uint64_t checked(uint64_t *failed)
{
	*failed = stats_get(PC_V_verify_failed);
	return stats_get(PC_V_verify_pages);
}

static void assert_packed(unsigned i)
{
	uint8_t got[PC_PAGE];
	struct store_bytes e;

	assert_int_equal(page_state(word(i)), PAGE_PACKED);
	e = store_peek(page_ref(word(i)), page_tag(word(i)));
	assert_non_null(e.bytes);
	assert_int_equal(codec_unpack(e.bytes, e.len, got), 0);
	assert_memory_equal(got, page[i], PC_PAGE);
}

/* Pages from 0 on wait; how many of them are checked, and how many failed that. */
static uint64_t pack(unsigned pages, uint64_t *failed)
{
	uint64_t failed_before, before;

	for (unsigned i = 0; i < pages; i++)
		stage(i);
	before = checked(&failed_before);
	assert_true(pack_chunk(&packer, &restorer, chunk, PC_SEC));
	before = checked(failed) - before;
	*failed -= failed_before;
	return before;
}

static void what_unpacks_to_the_same_is_published(void **state)
{
	uint64_t failed;

	(void)state;
	assert_int_equal(pack(40, &failed), 40);
	assert_int_equal(failed, 0);
	assert_int_equal(played.home, 0);
	assert_int_equal(store_totals().entries, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_packed(i);
}

static void what_does_not_unpack_to_the_same_goes_home(void **state)
{
	uint64_t failed;

	(void)state;
	played.garble = true;
	assert_int_equal(pack(40, &failed), 40);
	assert_int_equal(failed, 40);
	assert_int_equal(played.home, 40);
	assert_int_equal(store_totals().entries, 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(word(i), page_make(PAGE_RESIDENT, 0) | PAGE_POOR);
}

/* Its frame goes along, and what is read in its place is zeros. */
static void the_first_goes_home(void)
{
	void *at = frame(0);

	if (page_state(word(0)) != PAGE_STAGED)
		return;
	bring_home(0);
	memset(at, 0, PC_PAGE);
}

static void what_went_home_meanwhile_has_not_failed(void **state)
{
	uint64_t failed;

	(void)state;
	played.meanwhile = the_first_goes_home;
	assert_int_equal(pack(4, &failed), 4);
	assert_int_equal(failed, 0);
	assert_int_equal(page_state(word(0)), PAGE_RESIDENT);
	for (unsigned i = 1; i < 4; i++)
		assert_packed(i);
}

static void a_sample_is_checked(void **state)
{
	uint64_t failed;

	(void)state;
	options.verify = VERIFY_SAMPLE;
	assert_int_equal(pack(PAGES, &failed), PAGES / EVERY);
	assert_int_equal(failed, 0);
}

static void a_sample_that_fails_goes_home(void **state)
{
	uint64_t failed;

	(void)state;
	options.verify = VERIFY_SAMPLE;
	packer.sampled = EVERY - 2;
	played.garble = true;
	assert_int_equal(pack(3, &failed), 1);
	assert_int_equal(failed, 1);
	assert_int_equal(page_state(word(1)), PAGE_RESIDENT);
	assert_int_equal(page_state(word(0)), PAGE_PACKED);
}

static void nothing_is_checked_where_it_is_off(void **state)
{
	uint64_t failed;

	(void)state;
	options.verify = VERIFY_OFF;
	assert_int_equal(pack(PAGES, &failed), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

static bool count_steps(void *steps)
{
	return --*(unsigned *)steps > 0;
}

/* However large the store is, whoever waits is answered after each unit, and no unit is left out. */
static void compaction_ends_when_it_is_told_to_and_goes_on_there(void **state)
{
	unsigned steps = 1;

	(void)state;
	for (unsigned i = 1; i < UNITS; i++)
		assert_non_null(range_ensure(START + i * PC_UNIT));
	for (unsigned i = 0; i < 2 * UNITS; i++, steps = 1) {
		assert_int_equal(packer.compact_next, i % UNITS);
		pack_compact(&packer, false, count_steps, &steps);
		assert_int_equal(steps, 0);
	}
	steps = 100;
	pack_compact(&packer, false, count_steps, &steps);
	assert_int_equal(steps, 100 - UNITS);
}

/* What would be filled if the program locked all its memory (state/staging.h, base/commit.h). */
static void what_is_done_with_stays_read_only(void **state)
{
	(void)state;
	stage(0);
	seal_chunk(chunk);
	assert_true(pack_chunk(&packer, &restorer, chunk, PC_SEC));
	assert_int_equal(chunk->state, CHUNK_FREE);
	assert_true(chunk->sealed && !chunk->opened);
	assert_ptr_equal(staging_open(), chunk);
	assert_true(seal_break(chunk));
}

static void frames_of_what_is_packed_are_donated(void **state)
{
	(void)state;
	stage(0);
	assert_true(pack_chunk(&packer, &restorer, chunk, PC_SEC));
	assert_int_equal(played.donations, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_unpacks_to_the_same_is_published),
	    CASE(what_does_not_unpack_to_the_same_goes_home),
	    CASE(what_went_home_meanwhile_has_not_failed),
	    CASE(a_sample_is_checked),
	    CASE(a_sample_that_fails_goes_home),
	    CASE(nothing_is_checked_where_it_is_off),
	    CASE(what_is_done_with_stays_read_only),
	    CASE(frames_of_what_is_packed_are_donated),
	    CASE(compaction_ends_when_it_is_told_to_and_goes_on_there),
	};

	log_set_level(LOG_OFF); /* what fails its check is told */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
