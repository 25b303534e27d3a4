/* Every page comes back as it was; nothing else is ever taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include <sys/mman.h>

#include "state/codec.h"

#define ALL_OF_IT ((unsigned)PC_PAGE)

static struct codec_state state;
static uint64_t dice;

static uint64_t roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice * 0x2545f4914f6cdd1dull;
}

/* A page between two that fault, so that any access outside ends the test. */
static unsigned char *guarded_page(void)
{
	unsigned char *at = mmap(NULL, 3 * PC_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	assert_int_equal(mprotect(at + PC_PAGE, PC_PAGE, PROT_READ | PROT_WRITE), 0);
	return at + PC_PAGE;
}

static void guarded_free(unsigned char *page)
{
	munmap(page - PC_PAGE, 3 * PC_PAGE);
}

typedef void fill_fn(unsigned char *page);

static void fill_text(unsigned char *page)
{
	char line[96];
	size_t n;

	for (size_t used = 0; used < PC_PAGE; used += n) {
		n = (size_t)snprintf(line, sizeof(line),
				     "{\"id\":%u,\"name\":\"user%u\",\"on\":true},",
				     (unsigned)(roll() % 100000), (unsigned)(roll() % 1000));
		n = PC_MIN(n, PC_PAGE - used);
		memcpy(page + used, line, n);
	}
}

static void fill_heap(unsigned char *page)
{
	for (size_t at = 0; at < PC_PAGE; at += 8) {
		uint64_t word = roll() % 3 ? roll() % 64 : 0x7f0000000000ull + roll() % 4096 * 16;

		memcpy(page + at, &word, sizeof(word));
	}
}

static void fill_sparse(unsigned char *page)
{
	memset(page, 0, PC_PAGE);
	for (unsigned n = 1 + roll() % 20; n; n--)
		page[roll() % PC_PAGE] |= 1 + roll() % 255;
}

static void fill_random(unsigned char *page)
{
	for (size_t at = 0; at < PC_PAGE; at++)
		page[at] = (unsigned char)(roll() >> 32);
}

static void fill_runs(unsigned char *page)
{
	size_t at = 0;

	while (at < PC_PAGE) {
		size_t n = 1 + roll() % 700;

		n = PC_MIN(n, PC_PAGE - at);
		memset(page + at, (int)(roll() % 256), n);
		at += n;
	}
}

static fill_fn *const fills[] = {fill_text, fill_heap, fill_sparse, fill_random, fill_runs};

static int start(void **unused)
{
	const char *seed = getenv("TEST_SEED");

	(void)unused;
	dice = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15ull;
	printf("TEST_SEED=%llu\n", (unsigned long long)dice);
	dice += dice == 0;
	codec_start(&state);
	return 0;
}

static void expect_round_trip(const unsigned char *page, unsigned char *packed, unsigned char *back)
{
	unsigned len = 0;
	uint32_t word = 0;

	memset(back, 0xee, PC_PAGE);
	switch (codec_pack(&state, page, packed, ALL_OF_IT, &len, &word)) {
	case CODEC_SAME:
		codec_fill(back, word);
		break;
	case CODEC_PACKED:
		assert_in_range(len, 1, PC_PAGE);
		assert_int_equal(codec_unpack(packed, len, back), 0);
		break;
	case CODEC_POOR:
		return;
	}
	assert_memory_equal(page, back, PC_PAGE);
}

static void test_round_trip(void **unused)
{
	unsigned char *page = guarded_page(), *packed = guarded_page(), *back = guarded_page();

	(void)unused;
	for (unsigned n = 0; n < 3000; n++) {
		fills[n % PC_ARRAY_LEN(fills)](page);
		expect_round_trip(page, packed, back);
	}
	guarded_free(page);
	guarded_free(packed);
	guarded_free(back);
}

static void test_kinds(void **unused)
{
	unsigned char page[PC_PAGE], out[PC_PAGE];
	unsigned len;
	uint32_t word;

	(void)unused;
	fill_text(page);
	assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_PACKED);
	assert_in_range(len, 100, PC_PAGE / 2);
	fill_random(page);
	assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_POOR);
	/* A failed call must not spoil the next one. */
	fill_text(page);
	assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_PACKED);
}

static void test_same(void **unused)
{
	static const uint32_t words[] = {0, 0xffffffff, 0x01010101, 0xdeadbeef};
	unsigned char page[PC_PAGE], out[PC_PAGE];
	unsigned len;
	uint32_t word;

	(void)unused;
	for (size_t i = 0; i < PC_ARRAY_LEN(words); i++) {
		codec_fill(page, words[i]);
		for (size_t at = 0; at < PC_PAGE; at += 4)
			assert_memory_equal(page + at, &words[i], 4);
		word = ~words[i];
		assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_SAME);
		assert_int_equal(word, words[i]);
	}
}

static void test_one_bit_is_not_same(void **unused)
{
	unsigned char page[PC_PAGE], out[PC_PAGE], back[PC_PAGE];
	unsigned len;
	uint32_t word;

	(void)unused;
	codec_fill(page, 0x12345678);
	for (size_t at = 0; at < PC_PAGE; at++) {
		page[at] ^= 1u << at % 8;
		assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word),
				 CODEC_PACKED);
		assert_int_equal(codec_unpack(out, len, back), 0);
		assert_memory_equal(page, back, PC_PAGE);
		page[at] ^= 1u << at % 8;
	}
}

static void test_keep_below(void **unused)
{
	unsigned char page[PC_PAGE], out[PC_PAGE];
	unsigned len, again;
	uint32_t word;

	(void)unused;
	assert_int_equal(codec_keep_below(0), 4096);
	assert_int_equal(codec_keep_below(5), 3891);
	assert_int_equal(codec_keep_below(100), 0);
	assert_int_equal(codec_keep_below(250), 0);

	fill_heap(page);
	assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_PACKED);
	for (unsigned keep = 0; keep < len; keep++) {
		memset(out, 0x5a, sizeof(out));
		assert_int_equal(codec_pack(&state, page, out, keep, &again, &word), CODEC_POOR);
		for (unsigned at = keep; at < PC_PAGE; at++)
			assert_int_equal(out[at], 0x5a);
	}
	/* LZ4 may give up a few bytes early, but not where there is room for all it could emit. */
	assert_int_equal(codec_pack(&state, page, out, len + 16, &again, &word), CODEC_PACKED);
	assert_int_equal(again, len);
}

static void test_wrong_length_is_refused(void **unused)
{
	unsigned char page[PC_PAGE], out[PC_PAGE], back[PC_PAGE];
	unsigned len;
	uint32_t word;

	(void)unused;
	fill_text(page);
	assert_int_equal(codec_pack(&state, page, out, ALL_OF_IT, &len, &word), CODEC_PACKED);
	for (unsigned shorter = 0; shorter < len; shorter++)
		assert_int_equal(codec_unpack(out, shorter, back), -EIO);
	for (unsigned longer = len + 1; longer <= PC_PAGE; longer++)
		assert_int_equal(codec_unpack(out, longer, back), -EIO);
	assert_int_equal(codec_unpack(out, ALL_OF_IT + 1, back), -EIO);
	assert_int_equal(codec_unpack(out, UINT32_MAX, back), -EIO);
}

/* Packed bytes that end where a page ends, damaged at random: no access outside, any answer. */
static void test_damage_stays_inside(void **unused)
{
	unsigned char page[PC_PAGE], out[PC_PAGE];
	unsigned char *in = guarded_page(), *back = guarded_page();
	unsigned len, refused = 0;
	uint32_t word;

	(void)unused;
	for (unsigned n = 0; n < 20000; n++) {
		fills[n % 3](page);
		if (codec_pack(&state, page, out, ALL_OF_IT, &len, &word) != CODEC_PACKED)
			continue;
		for (unsigned hits = 1 + roll() % 4; hits; hits--)
			out[roll() % len] ^= 1u << roll() % 8;
		memcpy(in + PC_PAGE - len, out, len);
		refused += codec_unpack(in + PC_PAGE - len, len, back) == -EIO;
	}
	assert_in_range(refused, 1, 20000);
	guarded_free(in);
	guarded_free(back);
}

static void test_crc_vectors(void **unused)
{
	unsigned char bytes[32];

	(void)unused;
	/* RFC 3720 B.4, and the customary check value */
	assert_int_equal(codec_crc(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(codec_crc(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(codec_crc(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(codec_crc(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(codec_crc(0x1234, bytes, 0), 0x1234);
}

static void test_crc_portable_and_continued(void **unused)
{
	unsigned char bytes[PC_PAGE];

	(void)unused;
	fill_random(bytes);
	for (unsigned n = 0; n < 2000; n++) {
		size_t from = roll() % 64, len = roll() % (PC_PAGE - 64);
		size_t cut = len ? roll() % len : 0;
		uint32_t seed = (uint32_t)roll();
		uint32_t whole = codec_crc(seed, bytes + from, len);
		uint32_t part = codec_crc(seed, bytes + from, cut);

		assert_int_equal(codec_crc_portable(seed, bytes + from, len), whole);
		assert_int_equal(codec_crc(part, bytes + from + cut, len - cut), whole);
	}
}

/* As the header says it, one strand after the other. */
static uint32_t sum_as_defined(uint32_t seed, const unsigned char *at, size_t n)
{
	const size_t strand = n / 24 * 8;
	const uint32_t others[2] = {
	    codec_crc_portable(0, at + strand, strand),
	    codec_crc_portable(0, at + 2 * strand, strand),
	};

	seed = codec_crc_portable(seed, at, strand);
	seed = codec_crc_portable(seed, at + 3 * strand, n - 3 * strand);
	return codec_crc_portable(seed, others, sizeof(others));
}

static void test_sum_is_as_defined(void **unused)
{
	unsigned char bytes[PC_PAGE];

	(void)unused;
	fill_random(bytes);
	for (size_t n = 0; n <= PC_PAGE - 64; n += n < 100 ? 1 : 1 + roll() % 64) {
		const unsigned char *at = bytes + roll() % 64;
		uint32_t seed = (uint32_t)roll();

		assert_int_equal(codec_sum(seed, at, n), sum_as_defined(seed, at, n));
	}
}

static void test_sum_notices_any_bit_and_any_swap(void **unused)
{
	unsigned char bytes[PC_PAGE], swapped[PC_PAGE];
	const size_t len = 1400, strand = len / 24 * 8;
	uint32_t right;

	(void)unused;
	fill_random(bytes);
	right = codec_sum(7, bytes, len);
	assert_int_not_equal(codec_sum(8, bytes, len), right);
	assert_int_not_equal(codec_sum(7, bytes, len - 1), right);
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= 1u << bit % 8;
		assert_int_not_equal(codec_sum(7, bytes, len), right);
		bytes[bit / 8] ^= 1u << bit % 8;
	}
	for (unsigned i = 0; i < 3; i++) {
		unsigned other = (i + 1) % 3;

		memcpy(swapped, bytes, len);
		memcpy(swapped + i * strand, bytes + other * strand, strand);
		memcpy(swapped + other * strand, bytes + i * strand, strand);
		assert_int_not_equal(codec_sum(7, swapped, len), right);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_one_bit_is_not_same),
	    cmocka_unit_test(test_keep_below),
	    cmocka_unit_test(test_wrong_length_is_refused),
	    cmocka_unit_test(test_damage_stays_inside),
	    cmocka_unit_test(test_crc_vectors),
	    cmocka_unit_test(test_crc_portable_and_continued),
	    cmocka_unit_test(test_sum_is_as_defined),
	    cmocka_unit_test(test_sum_notices_any_bit_and_any_swap),
	};

	return cmocka_run_group_tests_name("codec", tests, start, NULL);
}
