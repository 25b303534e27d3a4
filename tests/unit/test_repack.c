/*
 * What stays packed is packed again: the same bytes in less room, whatever becomes of the page between
 * the copy of its entry and the swing of its word, and nothing that does not unpack to the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/stats.h"
#include "flow/repack.h"
#include "flow/world.h"
#include "state/codec.h"
#include "state/store.h"
#include "support/demand_zero.h"

#define START	    0x7d0000000000ull
#define UNITS	    4u
#define PAGES	    REPACK_GROUP
#define STORE_BYTES (1ull << 20)
#define AGE	    PC_SEC
#define LONG	    (100 * PC_SEC) /* is what the unit has stayed packed */

static struct repack repack;
static struct packer packer;
static struct unit *unit;
static uint8_t page[PAGES][PC_PAGE];
static struct {
	void (*meanwhile)(void); /* after the copy, before the swing */
	bool garble;
} played;

unsigned __real_codec_pack_dense(struct codec_dense_state *s, const void *from, void *out, unsigned room);
unsigned __wrap_codec_pack_dense(struct codec_dense_state *s, const void *from, void *out, unsigned room);

unsigned __wrap_codec_pack_dense(struct codec_dense_state *s, const void *from, void *out, unsigned room)
{
	unsigned len = __real_codec_pack_dense(s, from, out, room);

	if (played.meanwhile)
		played.meanwhile();
	if (played.garble && len)
		((uint8_t *)out)[len / 2] ^= 1;
	return len;
}

/* Records as a heap has them: many short matches, and longer ones further off. */
static void fill(uint8_t *at, unsigned seed)
{
	unsigned n = 0;

	for (unsigned i = 0; n < PC_PAGE - 64; i++)
		n += (unsigned)snprintf((char *)at + n, 64, "{id:%u,name:'user%u',tags:[%u,%u]}", i + seed,
					(i + seed) * 7919 % 997, i * i % 31, seed * i % 127);
	memset(at + n, (int)seed, PC_PAGE - n);
}

static page_word word(unsigned i)
{
	return unit_peek(unit, i);
}

static void pack(unsigned i)
{
	uint8_t out[PC_PAGE];
	unsigned len;
	uint32_t same, tag = pack_tag(&packer);
	page_word w;

	assert_int_equal(codec_pack(&packer.lz4, page[i], out, PC_PAGE, &len, &same), CODEC_PACKED);
	w = page_make_packed(store_put(out, len, tag), tag);
	assert_int_not_equal(page_ref(w), 0);
	unit_count(unit, i, page_make(PAGE_RESIDENT, 0), w);
	page_store(unit_word(unit, i), w);
}

static struct store_bytes entry(unsigned i)
{
	return store_peek(page_ref(word(i)), page_tag(word(i)));
}

static void assert_unpacks(unsigned i)
{
	uint8_t got[PC_PAGE];
	struct store_bytes e = entry(i);

	assert_non_null(e.bytes);
	assert_int_equal(codec_unpack(e.bytes, e.len, got), 0);
	assert_memory_equal(got, page[i], PC_PAGE);
}

/* As a pager does that brings it home. */
static void bring_home(unsigned i)
{
	page_word was = word(i);

	assert_true(page_swing(unit_word(unit, i), was, page_make(PAGE_RETURNING, 0)));
	store_free(page_ref(was));
	unit_count(unit, i, was, page_make(PAGE_RESIDENT, 0));
	page_store(unit_word(unit, i), page_make(PAGE_RESIDENT, 0));
}

static int begin(void **state)
{
	(void)state;
	assert_true(range_start(demand_zero(range_table_bytes(UNITS)), UNITS, NULL));
	assert_true(store_start(demand_zero(STORE_BYTES), STORE_BYTES,
				demand_zero(store_table_bytes(STORE_BYTES)), give_back_nothing,
				NULL));
	gate_reset(&world.gate, GATE_PAGER0 + 1);
	world.cold_age = AGE;
	world.everything = false;
	memset(&played, 0, sizeof(played));
	pack_start(&packer);
	repack_start(&repack);
	unit = range_ensure(START);
	unit_set_registered(unit, 0, PAGES, true);
	unit_words(unit, 0, PAGES);
	heat_packed(&unit->heat, AGE, AGE);
	for (unsigned i = 0; i < PAGES; i++) {
		fill(page[i], i);
		pack(i);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	repack_rest(&repack);
	return store_valid() && range_valid() ? 0 : -1;
}

static struct repack_gain go(void)
{
	struct repack_gain gain = {0};

	assert_true(repack_group(&repack, &packer, START, 0, &gain));
	return gain;
}

static void the_same_bytes_take_less_room(void **state)
{
	uint64_t before = store_totals().used;
	struct repack_gain gain = go();

	(void)state;
	assert_int_equal(gain.before, before);
	assert_int_equal(gain.after, store_totals().used);
	assert_true(gain.after < gain.before - gain.before / 16);
	assert_false(repack_is_poor(&gain));
	assert_int_equal(store_totals().entries, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		assert_unpacks(i);
}

static void what_is_dense_is_left(void **state)
{
	page_word was;

	(void)state;
	go();
	was = word(0);
	assert_true(entry(0).dense);
	assert_int_equal(go().before, 0);
	assert_int_equal(word(0), was);
}

static void first_goes_home(void)
{
	if (page_state(word(0)) == PAGE_PACKED)
		bring_home(0);
}

static void a_page_that_went_home_meanwhile_stays_there(void **state)
{
	(void)state;
	played.meanwhile = first_goes_home;
	go();
	assert_int_equal(word(0), page_make(PAGE_RESIDENT, 0));
	assert_int_equal(store_totals().entries, PAGES - 1);
	assert_unpacks(1);
}

/* The program writes to it, and it leaves again: its old bytes must not come back. */
static void first_changes(void)
{
	if (page[0][0] == 1)
		return;
	bring_home(0);
	fill(page[0], 77);
	page[0][0] = 1;
	pack(0);
}

static void a_page_that_changed_meanwhile_keeps_its_new_bytes(void **state)
{
	(void)state;
	played.meanwhile = first_changes;
	go();
	assert_unpacks(0);
	assert_int_equal(store_totals().entries, PAGES);
}

static void all_go_home_and_the_unit_with_them(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (page_state(word(i)) == PAGE_PACKED)
			bring_home(i);
	if (!unit->live)
		return;
	unit_set_registered(unit, 0, PAGES, false);
	gate_close(&world.gate);
	range_free(unit);
	gate_open(&world.gate);
}

static void a_unit_that_went_meanwhile_is_no_harm(void **state)
{
	(void)state;
	played.meanwhile = all_go_home_and_the_unit_with_them;
	go();
	assert_int_equal(store_totals().entries, 0);
	repack_done(START);
	assert_null(range_find(START));
}

static void what_does_not_unpack_to_the_same_is_dropped(void **state)
{
	uint64_t failed = stats_get(PC_V_verify_failed);
	page_word was = word(0);

	(void)state;
	played.garble = true;
	go();
	assert_int_equal(stats_get(PC_V_verify_failed) - failed, PAGES);
	assert_int_equal(word(0), was);
	assert_unpacks(0);
	assert_int_equal(store_totals().entries, PAGES);
}

/* A wild write: who wants the page will be told. */
static void what_fails_its_check_is_left(void **state)
{
	page_word was = word(0);

	(void)state;
	((uint8_t *)(uintptr_t)entry(0).bytes)[3] ^= 1;
	go();
	assert_int_equal(word(0), was);
	assert_null(entry(0).bytes);
	assert_true(entry(1).dense);
}

static void a_full_store_stays_as_it_is(void **state)
{
	struct repack_gain gain = {0};
	uint8_t bytes[PC_PAGE] = {1};
	unsigned put = 0;

	(void)state;
	for (unsigned len = 64; len <= PC_PAGE; len += 16)
		while (store_put(bytes, len, 0))
			put++;
	assert_true(put > 0);
	assert_false(repack_group(&repack, &packer, START, 0, &gain));
	for (unsigned i = 0; i < PAGES; i++)
		assert_unpacks(i);
}

static void noise_is_poor(void **state)
{
	struct repack_gain gain = {16384, 16384 - 16384 / 64};

	(void)state;
	assert_true(repack_is_poor(&gain));
	gain.after = 16384 - 16384 / 16;
	assert_false(repack_is_poor(&gain));
	gain = (struct repack_gain){1024, 1024};
	assert_false(repack_is_poor(&gain));
}

static void what_has_stayed_is_due_once(void **state)
{
	(void)state;
	assert_true(repack_due(unit, LONG));
	assert_false(repack_due(unit, 2 * AGE));
	heat_warm(&unit->heat, LONG - AGE);
	assert_false(repack_due(unit, LONG));
	assert_true(repack_due(unit, 2 * LONG));
	repack_done(START);
	assert_false(repack_due(unit, 2 * LONG));
	heat_packed(&unit->heat, 2 * LONG, AGE);
	assert_true(repack_due(unit, 3 * LONG));
	world.everything = true;
	assert_true(repack_due(unit, 2 * LONG));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_same_bytes_take_less_room),
	    CASE(what_is_dense_is_left),
	    CASE(a_page_that_went_home_meanwhile_stays_there),
	    CASE(a_page_that_changed_meanwhile_keeps_its_new_bytes),
	    CASE(a_unit_that_went_meanwhile_is_no_harm),
	    CASE(what_does_not_unpack_to_the_same_is_dropped),
	    CASE(what_fails_its_check_is_left),
	    CASE(a_full_store_stays_as_it_is),
	    CASE(noise_is_poor),
	    CASE(what_has_stayed_is_due_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
