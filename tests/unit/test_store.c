/*
 * The store against an array that remembers everything: whatever is put, moved and freed, in
 * whatever order and by whatever thread, an entry is its bytes and the books balance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/types.h"
#include "state/store.h"
#include "support/demand_zero.h"

#define MIB	    (1ull << 20)
#define STORE_BYTES (32 * MIB)
#define RETURNED    0xdd
#define STOCKED	    0xee

static uint64_t seed_of_run;
static unsigned char *space;
static void *table;
static uint64_t given_back; /* bytes of slabs */
static unsigned give_backs; /* calls */

static uint64_t roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice * 0x2545f4914f6cdd1dull;
}

/* Spoils what it gets, so that an entry in it would be noticed. */
static void give_back(void *start, size_t bytes)
{
	assert_int_equal((uintptr_t)start % STORE_SLAB, (uintptr_t)space % STORE_SLAB);
	assert_int_equal(bytes % STORE_SLAB, 0);
	memset(start, RETURNED, bytes);
	given_back += bytes;
	give_backs++;
}

/* Fills with what could be mistaken for entries; as long as `arg`, a count of slabs, lasts. */
static bool stock(void *to, size_t bytes, void *arg)
{
	unsigned *left = arg;

	assert_int_equal(bytes, STORE_SLAB);
	memset(to, STOCKED, *left ? bytes : bytes / 2);
	return *left && (*left)--;
}

static int start_run(void **unused)
{
	const char *seed = getenv("TEST_SEED");

	(void)unused;
	seed_of_run = seed ? strtoull(seed, NULL, 0) : 0x5851f42d4c957f2dull;
	seed_of_run += seed_of_run == 0;
	printf("TEST_SEED=%llu\n", (unsigned long long)seed_of_run);
	return 0;
}

static void start_store(uint64_t bytes)
{
	space = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(space != MAP_FAILED);
	table = calloc(1, store_table_bytes(bytes));
	assert_non_null(table);
	given_back = 0;
	give_backs = 0;
	assert_true(store_start(space, bytes, table, give_back, NULL));
}

static int start(void **unused)
{
	(void)unused;
	start_store(STORE_BYTES);
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	munmap(space, STORE_BYTES);
	free(table);
	return 0;
}

static void fill(unsigned char *bytes, unsigned len, uint64_t key)
{
	uint64_t dice = key * 2 + 1;

	for (unsigned i = 0; i < len; i += 8) {
		uint64_t eight = roll(&dice);

		memcpy(bytes + i, &eight, PC_MIN(len - i, 8));
	}
}

static store_ref put(unsigned len, uint64_t key)
{
	unsigned char bytes[PC_PAGE];

	fill(bytes, len, key);
	return store_put(bytes, len, (uint32_t)key);
}

static bool holds(store_ref ref, unsigned len, uint64_t key)
{
	struct store_bytes got = store_peek(ref, (uint32_t)key);
	unsigned char bytes[PC_PAGE];

	fill(bytes, len, key);
	return got.bytes && got.len == len && memcmp(got.bytes, bytes, len) == 0;
}

static void expect(store_ref ref, unsigned len, uint64_t key)
{
	assert_true(holds(ref, len, key));
}

/* Packed lengths as heaps have them: most of them a few hundred bytes, some up to nearly a page. */
static unsigned roll_length(uint64_t *dice)
{
	switch (roll(dice) % 8) {
	case 0:
		return 27 + (unsigned)(roll(dice) % 100);
	case 1:
	case 2:
	case 3:
		return 127 + (unsigned)(roll(dice) % 500);
	case 4:
	case 5:
		return 400 + (unsigned)(roll(dice) % 800);
	case 6:
		return 1000 + (unsigned)(roll(dice) % 1500);
	default:
		return 2000 + (unsigned)(roll(dice) % 1891);
	}
}

/* --- one entry ------------------------------------------------------------------------------ */

static void test_every_length(void **unused)
{
	(void)unused;
	for (unsigned len = 1; len <= PC_PAGE; len++) {
		store_ref ref = put(len, len);
		struct store_totals t = store_totals();

		assert_true(ref != 0 && ref < 1ull << 40);
		expect(ref, len, len);
		assert_int_equal(t.entries, 1);
		assert_int_equal(t.live, len);
		assert_in_range(t.used, PC_MAX(len + STORE_HEADER, 48), len + STORE_HEADER + 63);
		store_free(ref);
	}
	assert_true(store_valid());
	assert_int_equal(store_totals().used, 0);
}

static void test_rounding_is_small(void **unused)
{
	(void)unused;
	for (unsigned len = 40; len <= PC_PAGE; len++) {
		store_ref ref = put(len, len);
		uint64_t lost = store_totals().used - STORE_HEADER - len;

		assert_in_range(lost, 0, len + 8 <= 1024 ? 15 : len + 8 <= 2048 ? 31 : 63);
		store_free(ref);
	}
}

static void test_any_damage_is_seen(void **unused)
{
	const unsigned len = 100;
	store_ref ref = put(len, 7);
	unsigned char *slot = space + (ref - 1) * 16;

	(void)unused;
	put(len, 8);
	for (unsigned bit = 0; bit < (STORE_HEADER + len) * 8; bit++) {
		slot[bit / 8] ^= 1u << bit % 8;
		assert_null(store_peek(ref, 7).bytes);
		slot[bit / 8] ^= 1u << bit % 8;
	}
	expect(ref, len, 7);
	for (unsigned bit = 0; bit < 32; bit++)
		assert_null(store_peek(ref, 7 ^ 1u << bit).bytes);
}

static void test_garbage_handles(void **unused)
{
	uint64_t dice = seed_of_run;
	store_ref ref, freed;

	(void)unused;
	assert_null(store_peek(0, 1).bytes);
	assert_null(store_peek(1, 1).bytes);
	freed = put(300, 1);
	ref = put(300, 2);
	store_free(freed);
	assert_null(store_peek(freed, 1).bytes);
	for (store_ref other = 0; other < STORE_BYTES / 16 + 100; other++)
		assert_true(other == ref || !store_peek(other, 2).bytes);
	for (unsigned n = 0; n < 100000; n++) {
		store_ref other = roll(&dice) >> roll(&dice) % 64;

		assert_true(other == ref || !store_peek(other, 2).bytes);
	}
	expect(ref, 300, 2);
}

/* Status of a child that frees `ref` `times` times. */
static int free_in_child(store_ref ref, unsigned times)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(open("/dev/null", O_WRONLY), 2);
		while (times--)
			store_free(ref);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void expect_aborted(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_bad_frees_end_the_process(void **unused)
{
	store_ref ref = put(300, 1);

	(void)unused;
	assert_int_equal(free_in_child(ref, 1), 0);
	expect_aborted(free_in_child(ref, 2));
	expect_aborted(free_in_child(0, 1));
	expect_aborted(free_in_child(ref + 1, 1));
	expect_aborted(free_in_child(STORE_BYTES / 16 + 1, 1));
}

/* Neither a length nor the bitmap, the end of a slab's bookkeeping, can change unnoticed. */
static void test_valid_sees_damage(void **unused)
{
	unsigned char *slot = space + (put(300, 1) - 1) * 16;
	unsigned char *bookkeeping = table;
	size_t bytes = store_table_bytes(STORE_SLAB);

	(void)unused;
	assert_true(store_valid());
	slot[5] ^= 0x80;
	assert_false(store_valid());
	slot[5] ^= 0x80;
	for (size_t at = bytes - STORE_SLAB / 48 / 8; at < bytes; at++) {
		bookkeeping[at] ^= 1u << at % 8;
		assert_false(store_valid());
		bookkeeping[at] ^= 1u << at % 8;
	}
	assert_true(store_valid());
}

/* --- room ----------------------------------------------------------------------------------- */

static void test_full_and_back(void **unused)
{
	static store_ref refs[STORE_BYTES / 2048 + 1];
	const unsigned len = 2048 - STORE_HEADER;
	unsigned n = 0;

	(void)unused;
	while ((refs[n] = put(len, n)))
		n++;
	assert_int_equal(n, STORE_BYTES / 2048);
	assert_int_equal(store_totals().mapped, STORE_BYTES);
	assert_int_equal(put(100, 1), 0);
	assert_true(store_valid());

	/* One slot freed serves its class, a whole slab any. */
	store_free(refs[77]);
	assert_int_equal(put(100, 1), 0);
	refs[77] = put(len, 77);
	assert_int_not_equal(refs[77], 0);
	for (unsigned i = 320; i < 352; i++)
		store_free(refs[i]);
	refs[320] = put(100, 320);
	assert_int_not_equal(refs[320], 0);
	expect(refs[320], 100, 320);
	store_free(refs[320]);

	for (unsigned i = 0; i < n; i++) {
		if (i >= 320 && i < 352)
			continue;
		expect(refs[i], len, i);
		store_free(refs[i]);
	}
	assert_int_equal(store_trim(), STORE_BYTES);
	assert_int_equal(given_back, STORE_BYTES);
	assert_int_equal(give_backs, 1);
	assert_int_equal(store_totals().mapped, 0);
	assert_true(store_valid());
}

static void test_only_touched_pages_are_mapped(void **unused)
{
	store_ref refs[100];

	(void)unused;
	for (unsigned i = 0; i < 100; i++) {
		refs[i] = put(100, i); /* slots of 112 bytes */
		assert_int_equal(store_totals().mapped, page_ceil((i + 1) * 112));
	}
	for (unsigned i = 0; i < 100; i++)
		store_free(refs[i]);
	assert_int_equal(store_trim(), page_ceil(100 * 112));
	assert_int_equal(given_back, STORE_SLAB);
	assert_int_equal(store_trim(), 0);
}

/* The slab that was given back serves another class, from its first page on. */
static void test_returned_slab_is_used_again(void **unused)
{
	store_ref ref = put(100, 1);

	(void)unused;
	store_free(ref);
	store_trim();
	ref = put(3000, 2);
	assert_int_equal(ref, 1);
	expect(ref, 3000, 2);
	assert_int_equal(store_totals().mapped, PC_PAGE);
	assert_true(store_valid());
}

#define LONG 3000u

/* Of the class of LONG, with the keys from `key` on. */
static void fill_slabs(unsigned slabs, uint64_t key)
{
	for (unsigned i = 0; i < slabs * (STORE_SLAB / store_room(LONG)); i++)
		assert_true(put(LONG, key + i));
}

/* Whoever packs much finds the memory for it there: what was opened in the last part, and not more. */
static void test_slabs_are_stocked_as_they_are_opened(void **unused)
{
	unsigned left = 100;
	uint64_t mapped;
	store_ref ref;

	(void)unused;
	fill_slabs(8, 0); /* a class with few slabs is not one that will fill them */
	assert_int_equal(store_wants_stock(), 0);
	fill_slabs(3, 1000);
	assert_int_equal(store_wants_stock(), 0);
	fill_slabs(2, 2000);
	assert_int_equal(store_wants_stock(), 2);
	store_stock(2, stock, &left);
	assert_int_equal(left, 98);
	assert_true(store_valid());
	fill_slabs(2, 3000);
	assert_int_equal(store_wants_stock(), 2);
	mapped = store_totals().mapped;
	store_stock(3, stock, &left);
	assert_int_equal(store_totals().mapped, mapped + 3ull * STORE_SLAB);
	ref = put(LONG, 4000);
	assert_int_equal(store_totals().mapped, mapped + 3ull * STORE_SLAB);
	expect(ref, LONG, 4000);
	fill_slabs(1, 5000);
	assert_int_equal(store_wants_stock(), 1); /* two were opened, of which one is there still */
	assert_int_equal(store_trim(), STORE_SLAB);
	assert_true(store_valid());
}

/* For it might touch one page of what would be sixteen; but rather so than not at all. */
static void test_a_small_class_opens_a_slab_without_memory(void **unused)
{
	unsigned left = 1;
	uint64_t mapped;
	store_ref ref = 0;

	(void)unused;
	store_stock(1, stock, &left);
	mapped = store_totals().mapped;
	assert_int_equal(mapped, STORE_SLAB);
	expect(put(100, 1), 100, 1);
	assert_int_equal(store_totals().mapped, mapped + PC_PAGE);
	assert_true(store_valid());
	for (uint64_t n = 0; (ref = put(PC_PAGE, n)); n++)
		expect(ref, PC_PAGE, n);
	assert_int_equal(store_totals().mapped, STORE_BYTES - STORE_SLAB + PC_PAGE);
	assert_true(store_valid());
}

/* What is packed a little at a time is given back before it would be used. */
static void test_a_pass_that_has_just_begun_stocks_nothing(void **unused)
{
	(void)unused;
	fill_slabs(12, 0);
	assert_int_equal(store_wants_stock(), 0);
	store_trim();
	fill_slabs(4, 1000);
	assert_int_equal(store_wants_stock(), 0);
}

static void test_what_could_not_be_filled_is_given_back(void **unused)
{
	unsigned none = 0, left = 1;

	(void)unused;
	store_stock(5, stock, &none);
	assert_int_equal(give_backs, 1);
	assert_int_equal(given_back, STORE_SLAB);
	assert_int_equal(store_totals().mapped, 0);
	assert_true(store_valid());
	store_stock(5, stock, &left);
	assert_int_equal(store_totals().mapped, STORE_SLAB);
	assert_true(store_valid());
	expect(put(100, 1), 100, 1);
}

static void test_little_is_lost(void **unused)
{
	uint64_t dice = seed_of_run;
	struct store_totals t;

	(void)unused;
	for (unsigned n = 0; n < 25000; n++)
		assert_int_not_equal(put(roll_length(&dice), n), 0);
	t = store_totals();
	assert_true(t.used - t.live <= t.used / 10);
	/* Slabs that are not full yet, one for each class, and tails. */
	assert_true(t.mapped - t.used <= t.used / 10);
	assert_true(store_table_bytes(STORE_BYTES) <= STORE_BYTES / 200);
}

/* --- against the model ---------------------------------------------------------------------- */

#define MODEL 8000u

struct model {
	store_ref ref; /* 0: not there */
	unsigned len;
	uint64_t key;
};

static struct model model[MODEL];
static uint64_t keys;

static void model_put(struct model *m, uint64_t *dice)
{
	m->len = roll_length(dice);
	m->key = ++keys;
	m->ref = put(m->len, m->key);
}

static void model_free(struct model *m)
{
	expect(m->ref, m->len, m->key);
	store_free(m->ref);
	m->ref = 0;
}

static void model_compact(uint64_t *dice)
{
	store_compact_begin();
	for (unsigned i = 0; i < MODEL; i++) {
		struct model *m = &model[i];
		store_ref moved = m->ref ? store_compact_move(m->ref) : 0;

		if (moved) {
			/* One in eight: somebody else was faster. */
			bool lost = roll(dice) % 8 == 0;

			expect(moved, m->len, m->key);
			expect(m->ref, m->len, m->key);
			store_free(lost ? moved : m->ref);
			m->ref = lost ? m->ref : moved;
		}
		/* What else happens meanwhile. */
		if (roll(dice) % 64 == 0)
			store_trim();
		if (i == MODEL / 2)
			assert_true(store_valid());
		if (roll(dice) % 4 == 0 && !m->ref)
			model_put(m, dice);
		else if (roll(dice) % 16 == 0 && m->ref)
			model_free(m);
	}
	store_compact_end();
}

static void model_check(void)
{
	struct store_totals t = store_totals();
	uint64_t live = 0, entries = 0;

	for (unsigned i = 0; i < MODEL; i++) {
		if (!model[i].ref)
			continue;
		expect(model[i].ref, model[i].len, model[i].key);
		live += model[i].len;
		entries++;
	}
	assert_int_equal(t.live, live);
	assert_int_equal(t.entries, entries);
	assert_true(t.used <= t.mapped);
	assert_true(store_valid());
}

static void test_against_model(void **unused)
{
	uint64_t dice = seed_of_run;

	(void)unused;
	memset(model, 0, sizeof(model));
	for (unsigned n = 0; n < 400000; n++) {
		/* The share of puts changes, so that the store grows and shrinks. */
		unsigned puts = n / 50000 % 2 ? 30 : 75;
		struct model *m = &model[roll(&dice) % MODEL];

		if (m->ref && roll(&dice) % 100 >= puts)
			model_free(m);
		else if (!m->ref && roll(&dice) % 100 < puts)
			model_put(m, &dice);
		if (n % 20000 == 19999)
			model_compact(&dice);
		if (n % 3000 == 2999) {
			unsigned left = (unsigned)(roll(&dice) % 4);

			store_stock(store_wants_stock(), stock, &left);
		}
		if (n % 7000 == 6999)
			store_trim();
		if (n % 10000 == 9999)
			model_check();
	}
	for (unsigned i = 0; i < MODEL; i++)
		if (model[i].ref)
			model_free(&model[i]);
	store_trim();
	model_check();
	assert_int_equal(store_totals().mapped, 0);
}

static void test_compaction_gains(void **unused)
{
	static store_ref refs[20000];
	uint64_t dice = seed_of_run, before, moves = 0;
	struct store_totals t;

	(void)unused;
	for (unsigned i = 0; i < 20000; i++)
		refs[i] = put(500 + i % 8 * 16, i);
	assert_false(store_wants_compaction(4));
	for (unsigned i = 0; i < 20000; i++) {
		if (roll(&dice) % 2) {
			store_free(refs[i]);
			refs[i] = 0;
		}
	}
	assert_true(store_wants_compaction(4));
	store_trim();
	before = store_totals().mapped;

	store_compact_begin();
	for (unsigned i = 0; i < 20000; i++) {
		store_ref moved = refs[i] ? store_compact_move(refs[i]) : 0;

		if (!moved)
			continue;
		store_free(refs[i]);
		refs[i] = moved;
		moves++;
	}
	store_compact_end();
	assert_true(store_valid());
	store_trim();
	t = store_totals();
	assert_true(t.mapped < before * 6 / 10);
	/* Half of the slabs go, so about half of the entries move. */
	assert_true(moves < t.entries * 6 / 10);
	/* One slab of each of eight classes may have room. */
	assert_true(t.mapped - t.used <= 8 * STORE_SLAB + t.used / 50);
	assert_false(store_wants_compaction(4));
	for (unsigned i = 0; i < 20000; i++)
		if (refs[i])
			expect(refs[i], 500 + i % 8 * 16, i);
}

/* Nothing is marked, so nothing moves; and what cannot shrink does not ask for it for ever. */
static void test_no_gain_no_compaction(void **unused)
{
	store_ref first = 0, ref = 0;

	(void)unused;
	for (unsigned len = 40; len < PC_PAGE; len += 16) {
		for (unsigned i = 0; i < STORE_SLAB / (len + STORE_HEADER); i++) {
			ref = put(len, len);
			first = first ? first : ref;
			if (i)
				store_free(ref);
		}
	}
	assert_false(store_wants_compaction(4));
	assert_int_equal(store_compact_move(first), 0);
	store_compact_begin();
	assert_int_equal(store_compact_move(first), 0);
	store_compact_end();
	assert_true(store_valid());
}

/* --- threads -------------------------------------------------------------------------------- */

/*
 * Each word is a page word in small: a handle or 0. The work thread puts and compacts; the others
 * take handles out, read and free them.
 */
#define WORDS	3000u
#define FREERS	3u
#define PUTS	60000u
#define COMPACT 5000u

static store_ref words[WORDS];
static uint32_t over;

/* cmocka's assertions are for the main thread; so what another saw is kept for it. */
static struct freer {
	pthread_t thread;
	uint64_t dice;
	uint64_t freed, spoilt;
} freers[FREERS];

static unsigned length_at(unsigned word)
{
	return 30 + word * 37 % 1500;
}

static void *freer(void *arg)
{
	struct freer *me = arg;

	while (!load_acquire(&over)) {
		unsigned i = roll(&me->dice) % WORDS;
		store_ref ref = swap_seq(&words[i], 0);

		if (!ref)
			continue;
		me->spoilt += !holds(ref, length_at(i), i);
		store_free(ref);
		me->freed++;
	}
	return NULL;
}

static void compact_words(void)
{
	store_compact_begin();
	for (unsigned i = 0; i < WORDS; i++) {
		store_ref ref = load_acquire(&words[i]);
		store_ref moved = ref ? store_compact_move(ref) : 0;

		if (moved)
			store_free(cas_acq_rel(&words[i], &ref, moved) ? ref : moved);
	}
	store_compact_end();
	store_trim();
}

static void test_frees_by_threads(void **unused)
{
	uint64_t dice = seed_of_run, put_count = 0, free_count = 0;

	(void)unused;
	for (unsigned i = 0; i < FREERS; i++) {
		struct freer *f = &freers[i];

		f->dice = seed_of_run ^ (i + 1);
		assert_int_equal(pthread_create(&f->thread, NULL, freer, f), 0);
	}
	while (put_count < PUTS) {
		unsigned i = roll(&dice) % WORDS;

		if (load_acquire(&words[i]))
			continue;
		store_release(&words[i], put(length_at(i), i));
		if (++put_count % COMPACT == 0)
			compact_words();
	}
	store_release(&over, 1);
	for (unsigned i = 0; i < FREERS; i++) {
		pthread_join(freers[i].thread, NULL);
		assert_int_equal(freers[i].spoilt, 0);
		free_count += freers[i].freed;
	}
	assert_true(store_valid());
	assert_int_equal(store_totals().entries, put_count - free_count);
	for (unsigned i = 0; i < WORDS; i++) {
		if (!words[i])
			continue;
		expect(words[i], length_at(i), i);
		store_free(words[i]);
	}
	store_trim();
	assert_true(store_valid());
	assert_int_equal(store_totals().entries, 0);
	assert_int_equal(store_totals().mapped, 0);
}

/* Of the space one step is memory at first, and of the table all. */
static void test_where_there_is_no_memory_nothing_is_put(void **unused)
{
	const unsigned len = PC_PAGE, slots = STORE_SLAB / store_room(len);
	const uint64_t steps = 3, slabs = PC_UNIT / STORE_SLAB;
	void *bytes = reserved(steps * PC_UNIT), *books = reserved(PC_UNIT);
	uint64_t n = 0;
	store_ref last = 0, ref;

	(void)unused;
	commit_left = 2 * PC_UNIT;
	assert_true(store_start(bytes, steps * PC_UNIT, books, give_back_nothing, commit_some));
	commit_left = PC_UNIT;
	for (; (ref = put(len, n)); n++)
		last = ref;
	assert_int_equal(n, 2 * slabs * slots);
	assert_true(holds(last, len, n - 1));
	assert_true(store_valid());
	commit_left = PC_UNIT;
	assert_true(put(len, n));
	commit_left = 0;
	assert_false(store_start(bytes, PC_UNIT, books, give_back_nothing, commit_some));
}

/* A table of which the first step alone is memory: handles beyond what that has are none. */
static void test_a_handle_beyond_the_table_is_none(void **unused)
{
	const uint64_t max = 64ull << 30;
	void *books = reserved(store_table_bytes(max));
	store_ref ref;

	(void)unused;
	assert_true(store_table_bytes(max) > 4 * PC_UNIT);
	commit_left = 2 * PC_UNIT;
	assert_true(store_start(reserved(max), max, books, give_back_nothing, commit_some));
	ref = put(100, 1);
	assert_true(holds(ref, 100, 1));
	for (uint64_t at = 1; at < max / 16; at += PC_UNIT / 16)
		assert_null(store_peek(at, 2).bytes);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_every_length),
	    STORE_TEST(test_rounding_is_small),
	    STORE_TEST(test_any_damage_is_seen),
	    STORE_TEST(test_garbage_handles),
	    STORE_TEST(test_bad_frees_end_the_process),
	    STORE_TEST(test_valid_sees_damage),
	    STORE_TEST(test_full_and_back),
	    STORE_TEST(test_only_touched_pages_are_mapped),
	    STORE_TEST(test_returned_slab_is_used_again),
	    STORE_TEST(test_slabs_are_stocked_as_they_are_opened),
	    STORE_TEST(test_a_small_class_opens_a_slab_without_memory),
	    STORE_TEST(test_a_pass_that_has_just_begun_stocks_nothing),
	    STORE_TEST(test_what_could_not_be_filled_is_given_back),
	    STORE_TEST(test_little_is_lost),
	    STORE_TEST(test_against_model),
	    STORE_TEST(test_compaction_gains),
	    STORE_TEST(test_no_gain_no_compaction),
	    STORE_TEST(test_frees_by_threads),
	    STORE_TEST(test_where_there_is_no_memory_nothing_is_put),
	    STORE_TEST(test_a_handle_beyond_the_table_is_none),
	};

	return cmocka_run_group_tests_name("store", tests, start_run, NULL);
}
