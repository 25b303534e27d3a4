/*
 * bench_codec_store [--json] - what packing a page, keeping it and getting it back costs on one
 * CPU, without the kernel: the median of RUNS passes over PAGES pages, in nanoseconds per page.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/types.h"
#include "state/codec.h"
#include "state/store.h"
#include "timing.h"

#define PAGES	      1024u
#define RUNS	      31u
#define STORE_BYTES   (64ull << 20)
#define SAVE_AT_LEAST 5u /* percent, the pager's default */

enum step { PACK, UNPACK, PUT, PEEK_FREE, STEPS };
static const char *const step_name[STEPS] = {"pack", "unpack", "put", "peek_free"};

typedef void fill_fn(unsigned char *page, uint64_t *dice);

struct result {
	bool packs;		/* all pages were PACKED */
	bool same;		/* all were SAME */
	double packed_bytes;	/* mean */
	uint64_t median[STEPS]; /* ns per pass */
};

struct packed {
	enum codec_kind kind;
	unsigned len;
	uint32_t word;
	store_ref ref;
	unsigned char bytes[PC_PAGE];
};

static unsigned char page[PAGES][PC_PAGE] __attribute__((aligned(4096)));
static unsigned char back[PC_PAGE] __attribute__((aligned(4096)));
static struct packed packed[PAGES];
static unsigned order[PAGES]; /* faults come in no order */
static struct codec_state codec;

static uint64_t roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice * 0x2545f4914f6cdd1dull;
}

_Noreturn static void die(const char *why)
{
	fprintf(stderr, "bench_codec_store: %s\n", why);
	exit(1);
}

static void *map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("no memory");
	return at;
}

/* --- kinds of pages --------------------------------------------------------------------------- */

static void fill_zero(unsigned char *to, uint64_t *dice)
{
	(void)dice;
	memset(to, 0, PC_PAGE);
}

static void fill_text(unsigned char *to, uint64_t *dice)
{
	char record[160];
	size_t n;

	for (size_t used = 0; used < PC_PAGE; used += n) {
		n = (size_t)snprintf(record, sizeof(record),
				     "{\"id\":%" PRIu64 ",\"user\":\"user-%" PRIu64
				     "\",\"active\":true,\"score\":%" PRIu64
				     ",\"tags\":[\"alpha\",\"beta\"]}",
				     roll(dice) % 1000000, roll(dice) % 5000, roll(dice) % 100);
		n = PC_MIN(n, PC_PAGE - used);
		memcpy(to + used, record, n);
	}
}

/* Objects of 48 bytes as an allocator lays them out: size, two pointers, counts, nothing. */
static void fill_heap(unsigned char *to, uint64_t *dice)
{
	const uint64_t heap = 0x7f5a40000000ull;
	uint64_t near = roll(dice) % 65536 * 4096;

	memset(to, 0, PC_PAGE);
	for (size_t at = 0; at + 48 <= PC_PAGE; at += 48) {
		uint64_t object[] = {
		    0x31, heap + near + at + 48, heap + roll(dice) % 4096 * 48, roll(dice) % 256, 0,
		    1};

		memcpy(to + at, object, sizeof(object));
	}
}

static void fill_random(unsigned char *to, uint64_t *dice)
{
	for (size_t at = 0; at < PC_PAGE; at += 8) {
		uint64_t word = roll(dice);

		memcpy(to + at, &word, sizeof(word));
	}
}

static const struct kind {
	const char *name;
	fill_fn *fill;
} kinds[] = {
    {"zero", fill_zero},
    {"text", fill_text},
    {"heap", fill_heap},
    {"random", fill_random},
};

/* --- steps ------------------------------------------------------------------------------------ */

static void pack_all(void)
{
	unsigned keep_below = codec_keep_below(SAVE_AT_LEAST);

	for (unsigned i = 0; i < PAGES; i++) {
		struct packed *p = &packed[i];

		p->kind = codec_pack(&codec, page[i], p->bytes, keep_below, &p->len, &p->word);
	}
}

static void unpack_all(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		const struct packed *p = &packed[order[i]];

		if (p->kind == CODEC_SAME)
			codec_fill(back, p->word);
		else if (p->kind == CODEC_PACKED && codec_unpack(p->bytes, p->len, back))
			die("a page does not unpack");
	}
}

static void put_all(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		struct packed *p = &packed[i];

		if (p->kind != CODEC_PACKED)
			continue;
		p->ref = store_put(p->bytes, p->len, i);
		if (!p->ref)
			die("the store is full");
	}
}

static void peek_free_all(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		const struct packed *p = &packed[order[i]];

		if (p->kind != CODEC_PACKED)
			continue;
		if (!store_peek(p->ref, order[i]).bytes)
			die("an entry is damaged");
		store_free(p->ref);
	}
}

static void (*const step_all[STEPS])(void) = {pack_all, unpack_all, put_all, peek_free_all};

/* --- measuring -------------------------------------------------------------------------------- */

static void check_round_trips(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		const struct packed *p = &packed[i];

		if (p->kind == CODEC_POOR)
			continue;
		if (p->kind == CODEC_SAME)
			codec_fill(back, p->word);
		else if (codec_unpack(p->bytes, p->len, back))
			die("a page does not unpack");
		if (memcmp(back, page[i], PC_PAGE) != 0)
			die("a page came back different");
	}
}

static struct result measure(fill_fn *fill, uint64_t *dice)
{
	uint64_t ns[STEPS][RUNS];
	struct result r = {.packs = true, .same = true};

	for (unsigned i = 0; i < PAGES; i++)
		fill(page[i], dice);
	for (unsigned run = 0; run < RUNS; run++) {
		for (unsigned step = 0; step < STEPS; step++) {
			uint64_t start = now();

			step_all[step]();
			ns[step][run] = now() - start;
		}
	}
	check_round_trips();

	for (unsigned step = 0; step < STEPS; step++) {
		qsort(ns[step], RUNS, sizeof(ns[step][0]), by_value);
		r.median[step] = ns[step][RUNS / 2];
	}
	for (unsigned i = 0; i < PAGES; i++) {
		r.same &= packed[i].kind == CODEC_SAME;
		r.packs &= packed[i].kind == CODEC_PACKED;
		r.packed_bytes += packed[i].kind == CODEC_PACKED ? packed[i].len : 0;
	}
	r.packed_bytes /= PAGES;
	return r;
}

/* A page that is the same all over is never put; one that does not pack, not unpacked either. */
static bool applies(const struct result *r, enum step step)
{
	return step == PACK || r->packs || (r->same && step == UNPACK);
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_row(const char *name, const struct result *r)
{
	printf("%-8s", name);
	if (r->packs)
		printf(" %12.0f", r->packed_bytes);
	else
		printf(" %12s", r->same ? "same" : "poor");
	for (unsigned step = 0; step < STEPS; step++) {
		if (applies(r, step))
			printf(" %10.0f", (double)r->median[step] / PAGES);
		else
			printf(" %10s", "-");
	}
	putchar('\n');
}

static void print_heading(void)
{
	printf("ns per page, median of %u passes over %u pages\n%-8s %12s", RUNS, PAGES, "page",
	       "packed bytes");
	for (unsigned step = 0; step < STEPS; step++)
		printf(" %10s", step_name[step]);
	putchar('\n');
}

static void print_object(const char *name, const struct result *r)
{
	printf("    {\"page\": \"%s\", \"kind\": \"%s\", \"packed_bytes\": %.1f", name,
	       r->packs	 ? "packed"
	       : r->same ? "same"
			 : "poor",
	       r->packed_bytes);
	for (unsigned step = 0; step < STEPS; step++)
		if (applies(r, step))
			printf(", \"%s\": %.1f", step_name[step], (double)r->median[step] / PAGES);
	putchar('}');
}

static void print_table(const struct result *results)
{
	print_heading();
	for (size_t i = 0; i < PC_ARRAY_LEN(kinds); i++)
		print_row(kinds[i].name, &results[i]);
}

static void print_json(const struct result *results)
{
	printf("{\n  \"unit\": \"ns/page\", \"pages\": %u, \"passes\": %u,\n  \"results\": [\n",
	       PAGES, RUNS);
	for (size_t i = 0; i < PC_ARRAY_LEN(kinds); i++) {
		print_object(kinds[i].name, &results[i]);
		puts(i + 1 < PC_ARRAY_LEN(kinds) ? "," : "");
	}
	puts("  ]\n}");
}

static void give_back(void *start, size_t bytes)
{
	madvise(start, bytes, MADV_DONTNEED);
}

static void shuffle(uint64_t *dice)
{
	for (unsigned i = 0; i < PAGES; i++)
		order[i] = i;
	for (unsigned i = PAGES - 1; i > 0; i--) {
		unsigned j = roll(dice) % (i + 1), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
}

int main(int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	struct result results[PC_ARRAY_LEN(kinds)];
	uint64_t dice = 88172645463325252ull;

	if (argc > 1 && !json) {
		fputs("usage: bench_codec_store [--json]\n", stderr);
		return 2;
	}
	if (!store_start(map(STORE_BYTES), STORE_BYTES, map(store_table_bytes(STORE_BYTES)),
			 give_back, NULL))
		return 1;
	codec_start(&codec);
	shuffle(&dice);
	for (size_t i = 0; i < PC_ARRAY_LEN(kinds); i++)
		results[i] = measure(kinds[i].fill, &dice);
	if (json)
		print_json(results);
	else
		print_table(results);
	return 0;
}
