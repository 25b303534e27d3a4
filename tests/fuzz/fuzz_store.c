/*
 * The input is a list of operations on a small store, four bytes each; an array remembers what
 * should be there. Damage is done to the store's bytes too: it must be seen, or be harmless.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/types.h"
#include "state/store.h"
#include "fuzz.h"

#define STORE_BYTES (16 * STORE_SLAB)
#define ENTRIES	    256u

struct operation {
	uint8_t verb;
	uint8_t which; /* of the entries */
	uint16_t number;
};

enum verb { PUT, FREE, PEEK, GARBAGE, DAMAGE, TRIM, COMPACT, VALID, VERBS };

static struct {
	store_ref ref;
	unsigned len;
} entry[ENTRIES];

static unsigned char space[STORE_BYTES] __attribute__((aligned(4096)));
static uint64_t table[STORE_BYTES / 200 / 8];

static void give_back(void *start, size_t bytes)
{
	memset(start, 0xdd, bytes);
}

static void fill(unsigned char *bytes, unsigned len, unsigned key)
{
	for (unsigned i = 0; i < len; i++)
		bytes[i] = (unsigned char)(key + i * (key | 1) + (i >> 8));
}

static bool holds(store_ref ref, unsigned which)
{
	struct store_bytes got = store_peek(ref, which);
	unsigned char bytes[PC_PAGE];

	fill(bytes, entry[which].len, which);
	return got.bytes && got.len == entry[which].len && !memcmp(got.bytes, bytes, got.len);
}

static void put(unsigned which, unsigned number)
{
	unsigned char bytes[PC_PAGE];

	if (entry[which].ref)
		return;
	entry[which].len = 1 + number % (unsigned)PC_PAGE;
	fill(bytes, entry[which].len, which);
	entry[which].ref = store_put(bytes, entry[which].len, which);
	PC_ASSERT(!entry[which].ref || holds(entry[which].ref, which));
}

static void drop(unsigned which)
{
	if (!entry[which].ref)
		return;
	PC_ASSERT(holds(entry[which].ref, which));
	store_free(entry[which].ref);
	PC_ASSERT(!store_peek(entry[which].ref, which).bytes);
	entry[which].ref = 0;
}

/* A handle that belongs to another seed, or to nobody. */
static void peek_garbage(unsigned which, unsigned number)
{
	store_ref ref = (store_ref)number << (which & 31);

	if (ref != entry[which].ref)
		PC_ASSERT(!store_peek(ref, which).bytes);
}

/* One bit of an entry, its header included, changes and changes back. */
static void damage(unsigned which, unsigned number)
{
	unsigned char *slot;
	unsigned at;

	if (!entry[which].ref)
		return;
	slot = space + (entry[which].ref - 1) * 16;
	at = number / 8 % (STORE_HEADER + entry[which].len);
	slot[at] ^= 1u << number % 8;
	PC_ASSERT(!store_peek(entry[which].ref, which).bytes);
	slot[at] ^= 1u << number % 8;
}

/* `number` says who loses the race for the page word. */
static void compact(unsigned number)
{
	store_compact_begin();
	for (unsigned which = 0; which < ENTRIES; which++) {
		store_ref old = entry[which].ref;
		store_ref moved = old ? store_compact_move(old) : 0;
		bool lost = number >> which % 16 & 1;

		if (!moved)
			continue;
		PC_ASSERT(holds(moved, which));
		PC_ASSERT(holds(old, which));
		store_free(lost ? moved : old);
		entry[which].ref = lost ? old : moved;
	}
	store_compact_end();
}

static void run(struct operation op)
{
	switch ((enum verb)(op.verb % VERBS)) {
	case PUT:
		put(op.which, op.number);
		break;
	case FREE:
		drop(op.which);
		break;
	case PEEK:
		PC_ASSERT(!entry[op.which].ref || holds(entry[op.which].ref, op.which));
		break;
	case GARBAGE:
		peek_garbage(op.which, op.number);
		break;
	case DAMAGE:
		damage(op.which, op.number);
		break;
	case TRIM:
		store_trim();
		break;
	case COMPACT:
		compact(op.number);
		PC_ASSERT(store_valid());
		break;
	case VALID:
		PC_ASSERT(store_totals().mapped >= store_totals().used);
		PC_ASSERT(store_valid());
		break;
	case VERBS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct operation op;

	PC_ASSERT(store_table_bytes(STORE_BYTES) <= sizeof(table));
	memset(table, 0, sizeof(table));
	memset(entry, 0, sizeof(entry));
	PC_ASSERT(store_start(space, STORE_BYTES, table, give_back, NULL));
	for (; size >= sizeof(op); size -= sizeof(op), data += sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		run(op);
	}
	for (unsigned which = 0; which < ENTRIES; which++)
		drop(which);
	store_trim();
	PC_ASSERT(store_totals().mapped == 0);
	PC_ASSERT(store_valid());
	return 0;
}
