/*
 * Any bytes as maps or smaps, in any pieces. The first byte chooses the file and how it is cut; the
 * same text must give the same mappings and the same answer however it arrives.
 */
#include "kernel/vma.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

struct digest {
	uint64_t hash;
	uint64_t left; /* mappings until the callback ends the walk */
};

static void mix(struct digest *d, uint64_t v)
{
	d->hash = (d->hash ^ v) * 0x9e3779b97f4a7c15ull;
	d->hash ^= d->hash >> 29;
}

static bool see(const struct vma *v, void *arg)
{
	struct digest *d = arg;

	if (v->start >= v->end || v->kind > VMA_OTHER)
		abort();
	if (!v->have_flags && v->flags)
		abort();
	if ((v->kind == VMA_FILE) != (v->inode != 0))
		abort();
	mix(d, v->start);
	mix(d, v->end);
	mix(d, (uint64_t)v->read | v->write << 1 | v->exec << 2 | v->shared << 3);
	mix(d, v->kind);
	mix(d, v->inode);
	mix(d, v->flags);
	mix(d, v->rss ^ v->anon << 1 ^ v->swap << 2 ^ v->thp << 3);
	mix(d, v->pkey);
	return --d->left != 0;
}

/* A copy of its very size shows the sanitizer any read past the end. */
static int feed(struct vma_parser *p, const uint8_t *text, size_t n)
{
	char *piece = malloc(n ? n : 1);
	int err;

	memcpy(piece, text, n);
	err = vma_parser_feed(p, piece, n);
	free(piece);
	return err;
}

/* Lengths come from a small generator, so that one seed byte gives many cuts. */
static size_t next_piece(uint32_t *seed, size_t most)
{
	*seed = *seed * 1664525 + 1013904223;
	return PC_MIN(most, 1 + (*seed >> 16) % 70);
}

static int walk(bool smaps, uint8_t cut, const uint8_t *text, size_t n, struct digest *d)
{
	struct vma_parser p;
	uint32_t seed = cut;
	int err = 0;

	vma_parser_begin(&p, smaps, see, d);
	while (n && !err) {
		size_t piece = cut ? next_piece(&seed, n) : n;

		err = feed(&p, text, piece);
		text += piece;
		n -= piece;
	}
	if (!err)
		err = vma_parser_end(&p);
	mix(d, (uint64_t)err);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 1)
		return 0;
	const uint64_t most = data[0] & 2 ? 3 : UINT64_MAX;
	const bool smaps = data[0] & 1;
	struct digest whole = {.left = most}, pieces = {.left = most};
	int err = walk(smaps, 0, data + 1, n - 1, &whole);

	if (walk(smaps, (uint8_t)(1 + data[0] / 4), data + 1, n - 1, &pieces) != err)
		abort();
	if (whole.hash != pieces.hash)
		abort();
	return 0;
}
