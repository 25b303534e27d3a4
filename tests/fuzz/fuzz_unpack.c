/*
 * Two promises of the codec. Any bytes given to codec_unpack() as a packed page: an answer, and no
 * access outside (AddressSanitizer watches exact allocations). The same bytes taken as a page:
 * packed, if they pack, into what unpacks to them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "state/codec.h"
#include "fuzz.h"

static struct codec_state state;
static bool started;

static void *exactly(size_t bytes)
{
	void *at = malloc(bytes);

	PC_ASSERT(at || !bytes);
	return at;
}

static void unpack_hostile(const uint8_t *data, size_t size)
{
	unsigned char *in = exactly(size), *page = exactly(PC_PAGE);

	memcpy(in, data, size);
	codec_unpack(in, (unsigned)size, page);
	free(in);
	free(page);
}

static void round_trip(const uint8_t *data, size_t size)
{
	unsigned char *page = exactly(PC_PAGE), *packed = exactly(PC_PAGE),
		      *back = exactly(PC_PAGE);
	unsigned len = 0;
	uint32_t word = 0;

	/* Short inputs are repeated: pages that pack are the interesting ones. */
	for (size_t at = 0; at < PC_PAGE; at++)
		page[at] = data[at % size];
	switch (codec_pack(&state, page, packed, codec_keep_below(5), &len, &word)) {
	case CODEC_SAME:
		codec_fill(back, word);
		PC_ASSERT(memcmp(page, back, PC_PAGE) == 0);
		break;
	case CODEC_PACKED:
		PC_ASSERT(len >= 1 && len <= codec_keep_below(5));
		PC_ASSERT(codec_unpack(packed, len, back) == 0);
		PC_ASSERT(memcmp(page, back, PC_PAGE) == 0);
		break;
	case CODEC_POOR:
		break;
	}
	free(page);
	free(packed);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (!started)
		codec_start(&state);
	started = true;
	unpack_hostile(data, size);
	round_trip(data, size);
	return 0;
}
