/*
 * bench_codecs [--budget-ms N] [--full-sweep] NAME=FILE... - LZ4, LZ4 HC and zstd by level and
 * block size on the bytes of each file: ratio, speed, and the CPU time that is fair to compare (CPU
 * of the thread). Blocks are packed in order until the file ends or the budget (100 ms) of a cell
 * is spent, at least one; each is unpacked and compared.
 *
 * Prints one JSON object. A block that does not shrink by 5 % counts as saving nothing, as a pager
 * would leave it.
 */
#include <lz4.h>
#include <lz4hc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#define SMALLEST    (1u << 10)
#define LARGEST	    (16u << 20)
#define LEAST_SAVED 5u /* percent */
#define LEN(a)	    (sizeof(a) / sizeof((a)[0]))

/* Packs n bytes into `out` with room for any; 0 when it cannot. Unpacks exactly n bytes. */
typedef size_t pack_fn(const char *in, size_t n, char *out, size_t room, int level);
typedef int unpack_fn(const char *in, size_t packed, char *out, size_t n);

struct codec {
	const char *name;
	pack_fn *pack;
	unpack_fn *unpack;
	int levels[20], full_levels[20]; /* ended by 0; empty full_levels: the same */
};

struct cell {
	uint64_t in, out, saved; /* bytes; `saved` of the blocks worth keeping */
	uint64_t pack_ns, unpack_ns;
	unsigned blocks, kept;
};

static ZSTD_CCtx *zstd_in;
static ZSTD_DCtx *zstd_out;
static char *packed, *back;
static size_t room;
static const char *separator = "";

_Noreturn static void die(const char *why, const char *what)
{
	fprintf(stderr, "bench_codecs: %s%s\n", why, what);
	exit(1);
}

static size_t lz4_pack(const char *in, size_t n, char *out, size_t out_room, int level)
{
	int got = LZ4_compress_fast(in, out, (int)n, (int)out_room, level);

	return got > 0 ? (size_t)got : 0;
}

static size_t lz4hc_pack(const char *in, size_t n, char *out, size_t out_room, int level)
{
	int got = LZ4_compress_HC(in, out, (int)n, (int)out_room, level);

	return got > 0 ? (size_t)got : 0;
}

static int lz4_unpack(const char *in, size_t length, char *out, size_t n)
{
	return LZ4_decompress_safe(in, out, (int)length, (int)n) == (int)n;
}

static size_t zstd_pack(const char *in, size_t n, char *out, size_t out_room, int level)
{
	size_t got = ZSTD_compressCCtx(zstd_in, out, out_room, in, n, level);

	return ZSTD_isError(got) ? 0 : got;
}

static int zstd_unpack(const char *in, size_t length, char *out, size_t n)
{
	return ZSTD_decompressDCtx(zstd_out, out, n, in, length) == n;
}

static const struct codec codecs[] = {
    {"lz4", lz4_pack, lz4_unpack, {1, 2, 4, 8, 16}, {0}},
    {"lz4hc", lz4hc_pack, lz4_unpack, {3, 6, 9, 12}, {0}},
    {"zstd",
     zstd_pack,
     zstd_unpack,
     {1, 3, 6, 9, 19},
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
};

static uint64_t cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void one_block(const struct codec *c, int level, const char *in, size_t n, struct cell *cell)
{
	uint64_t start = cpu(), packed_at;
	size_t length = c->pack(in, n, packed, room, level);

	packed_at = cpu();
	if (!length || !c->unpack(packed, length, back, n) || memcmp(in, back, n) != 0)
		die("a block did not come back as it was: ", c->name);
	cell->unpack_ns += cpu() - packed_at;
	cell->pack_ns += packed_at - start;
	cell->blocks++;
	cell->in += n;
	cell->out += length;
	if (length * 100 <= n * (100 - LEAST_SAVED)) {
		cell->saved += n - length;
		cell->kept++;
	}
}

static struct cell measure(const struct codec *c, int level, const char *data, size_t bytes,
			   size_t block, uint64_t budget)
{
	struct cell cell = {0};

	for (size_t at = 0; at + block <= bytes; at += block) {
		one_block(c, level, data + at, block, &cell);
		if (cell.pack_ns + cell.unpack_ns > budget)
			break;
	}
	return cell;
}

static char *read_file(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	char *data = malloc(2 * (size_t)LARGEST);

	if (!f || !data)
		die("cannot be read: ", path);
	*bytes = fread(data, 1, 2 * (size_t)LARGEST, f);
	fclose(f);
	if (*bytes < SMALLEST)
		die("shorter than a block: ", path);
	return data;
}

static void print_cell(const char *dataset, const struct codec *c, int level, size_t block,
		       const struct cell *cell)
{
	printf("%s\n  {\"dataset\": \"%s\", \"codec\": \"%s\", \"level\": %d, \"block\": %zu, "
	       "\"blocks\": %u, \"kept\": %u, \"bytes_in\": %llu, \"bytes_out\": %llu, "
	       "\"bytes_saved\": %llu, \"pack_ms\": %.6f, \"unpack_ms\": %.6f}",
	       separator, dataset, c->name, level, block, cell->blocks, cell->kept,
	       (unsigned long long)cell->in, (unsigned long long)cell->out,
	       (unsigned long long)cell->saved, (double)cell->pack_ns / 1e6,
	       (double)cell->unpack_ns / 1e6);
	separator = ",";
}

/* Powers of four, or of two in a full sweep. */
static void sweep(const char *dataset, const char *data, size_t bytes, uint64_t budget, int full)
{
	for (size_t i = 0; i < LEN(codecs); i++) {
		const struct codec *c = &codecs[i];
		const int *levels = full && c->full_levels[0] ? c->full_levels : c->levels;

		for (size_t l = 0; l < LEN(c->levels) && levels[l]; l++) {
			for (size_t block = SMALLEST; block <= LARGEST && block <= bytes;
			     block *= full ? 2 : 4) {
				struct cell cell =
				    measure(c, levels[l], data, bytes, block, budget);

				print_cell(dataset, c, levels[l], block, &cell);
			}
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t budget = 100000000u;
	int full = 0, files = 0;

	zstd_in = ZSTD_createCCtx();
	zstd_out = ZSTD_createDCtx();
	room = ZSTD_compressBound(LARGEST) + (size_t)LZ4_compressBound((int)LARGEST);
	packed = malloc(room);
	back = malloc(LARGEST);
	if (!zstd_in || !zstd_out || !packed || !back)
		die("no memory", "");
	memset(packed, 0, room);
	memset(back, 0, LARGEST);
	printf("{\"results\": [");
	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '='), *data;
		size_t bytes;

		if (strcmp(argv[i], "--full-sweep") == 0) {
			full = 1;
		} else if (strcmp(argv[i], "--budget-ms") == 0 && i + 1 < argc) {
			budget = strtoull(argv[++i], NULL, 10) * 1000000u;
		} else if (equals && argv[i][0] != '-') {
			*equals = '\0';
			data = read_file(equals + 1, &bytes);
			sweep(argv[i], data, bytes, budget, full);
			free(data);
			files++;
		} else {
			fprintf(stderr, "usage: bench_codecs [--budget-ms N] [--full-sweep] "
					"NAME=FILE...\n");
			return 2;
		}
	}
	printf("\n]}\n");
	return files ? 0 : 2;
}
