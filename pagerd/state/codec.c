#include "state/codec.h"

#include "base/atomic.h"
#include "base/mem.h"

#include <cpuid.h>
#include <errno.h>

#define LZ4_STATIC_LINKING_ONLY
#define LZ4_HC_STATIC_LINKING_ONLY
#include <lz4.h>
#include <lz4hc.h>

_Static_assert(sizeof(LZ4_stream_t) <= sizeof(struct codec_state), "LZ4's state has grown");
_Static_assert(sizeof(LZ4_streamHC_t) <= sizeof(struct codec_dense_state), "LZ4 HC's state has grown");

#define ACCELERATION 1
/*
 * Of a heap's pages 3 leaves a seventh of the gain behind for a fifth of the time, and 9 has an eighth
 * more for twice the time.
 */
#define DENSE_LEVEL  4
#define STRIDE	     4u /* vectors compared between two branches */

/* Sixteen bytes at any address, whatever they are: every x86-64 CPU has registers for them. */
typedef uint64_t vec __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t word_at(const unsigned char *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

/* True if the page is one 32-bit word repeated. Most pages that are not end in the first stride. */
static bool is_same(const void *page, uint32_t *word)
{
	uint64_t first = word_at(page);
	const vec expected = {first, first};
	const vec *end = (const vec *)page + PC_PAGE / sizeof(vec);

	if ((uint32_t)first != first >> 32)
		return false;
	for (const vec *at = page; at < end; at += STRIDE) {
		vec differs = {0};

		for (unsigned i = 0; i < STRIDE; i++)
			differs |= at[i] ^ expected;
		if (differs[0] | differs[1])
			return false;
	}
	*word = (uint32_t)first;
	return true;
}

void codec_start(struct codec_state *s)
{
	LZ4_initStream(s->lz4, sizeof(s->lz4));
}

enum codec_kind codec_pack(struct codec_state *s, const void *page, void *out, unsigned keep_below,
			   unsigned *len, uint32_t *word)
{
	int room = (int)PC_MIN(keep_below, PC_PAGE);
	int packed;

	if (is_same(page, word))
		return CODEC_SAME;
	packed = LZ4_compress_fast_extState_fastReset(s->lz4, page, out, (int)PC_PAGE, room,
						      ACCELERATION);
	if (packed <= 0) {
		/* LZ4 leaves the state of a failed call undefined. */
		codec_start(s);
		return CODEC_POOR;
	}
	*len = (unsigned)packed;
	return CODEC_PACKED;
}

void codec_start_dense(struct codec_dense_state *s)
{
	LZ4_initStreamHC(s->lz4, sizeof(s->lz4));
}

unsigned codec_pack_dense(struct codec_dense_state *s, const void *page, void *out, unsigned room)
{
	/* What fails leaves a mark in the state, and the next call begins anew. */
	int packed = LZ4_compress_HC_extStateHC_fastReset(s->lz4, page, out, (int)PC_PAGE, (int)room,
							  DENSE_LEVEL);

	return packed > 0 ? (unsigned)packed : 0;
}

int codec_unpack(const void *in, unsigned len, void *page)
{
	if (len > PC_PAGE)
		return -EIO;
	if (LZ4_decompress_safe(in, page, (int)len, (int)PC_PAGE) != (int)PC_PAGE)
		return -EIO;
	return 0;
}

void codec_fill(void *page, uint32_t word)
{
	uint64_t twice = (uint64_t)word << 32 | word;
	const vec filling = {twice, twice};
	vec *end = (vec *)page + PC_PAGE / sizeof(vec);

	for (vec *at = page; at < end; at++)
		*at = filling;
}

unsigned codec_keep_below(unsigned min_savings_percent)
{
	return (unsigned)PC_PAGE * (100 - PC_MIN(min_savings_percent, 100)) / 100;
}

/* CRC32C (reflected polynomial 0x82f63b78) of the sixteen nibbles. */
static const uint32_t crc_of_nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

/* For CPUs from before 2008, so small rather than fast. */
uint32_t codec_crc_portable(uint32_t seed, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint32_t crc = ~seed;

	for (; n; n--) {
		crc ^= *at++;
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
	}
	return ~crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc_by_cpu(uint32_t seed, const unsigned char *at,
							     size_t n)
{
	uint64_t wide = (uint32_t)~seed;
	uint32_t crc;

	for (; n >= 8; n -= 8, at += 8)
		wide = __builtin_ia32_crc32di(wide, word_at(at));
	crc = (uint32_t)wide;
	for (; n; n--)
		crc = __builtin_ia32_crc32qi(crc, *at++);
	return ~crc;
}

enum { CRC_UNKNOWN, CRC_PORTABLE, CRC_CPU };
static unsigned crc_way; /* written by whoever comes first, always with the same value */

static unsigned learn_crc_way(void)
{
	unsigned a, b, c = 0, d;
	unsigned way;

	way = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) ? CRC_CPU : CRC_PORTABLE;
	store_relaxed(&crc_way, way);
	return way;
}

static bool crc_by_cpu_works(void)
{
	unsigned way = load_relaxed(&crc_way);

	if (way == CRC_UNKNOWN)
		way = learn_crc_way();
	return way == CRC_CPU;
}

uint32_t codec_crc(uint32_t seed, const void *bytes, size_t n)
{
	if (crc_by_cpu_works())
		return crc_by_cpu(seed, bytes, n);
	return codec_crc_portable(seed, bytes, n);
}

/* Each sum is continued by `strand` bytes, a multiple of 8; the strands follow each other. */
__attribute__((target("sse4.2"))) static void strands_by_cpu(uint32_t sum[3],
							     const unsigned char *at, size_t strand)
{
	uint64_t a = (uint32_t)~sum[0], b = (uint32_t)~sum[1], c = (uint32_t)~sum[2];

	for (const unsigned char *end = at + strand; at < end; at += 8) {
		a = __builtin_ia32_crc32di(a, word_at(at));
		b = __builtin_ia32_crc32di(b, word_at(at + strand));
		c = __builtin_ia32_crc32di(c, word_at(at + 2 * strand));
	}
	sum[0] = ~(uint32_t)a;
	sum[1] = ~(uint32_t)b;
	sum[2] = ~(uint32_t)c;
}

uint32_t codec_sum(uint32_t seed, const void *bytes, size_t n)
{
	const size_t strand = n / 24 * 8;
	const unsigned char *at = bytes;
	uint32_t sum[3] = {seed, 0, 0};
	unsigned char others[8];

	if (crc_by_cpu_works())
		strands_by_cpu(sum, at, strand);
	else
		for (unsigned i = 0; i < 3; i++)
			sum[i] = codec_crc_portable(sum[i], at + i * strand, strand);
	for (unsigned i = 0; i < sizeof(others); i++)
		others[i] = (unsigned char)(sum[1 + i / 4] >> i % 4 * 8);
	sum[0] = codec_crc(sum[0], at + 3 * strand, n - 3 * strand);
	return codec_crc(sum[0], others, sizeof(others));
}
