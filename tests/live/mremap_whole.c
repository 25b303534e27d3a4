/* A mapping that was made as one can be resized and moved as one, whatever part of it is packed. */
#include "host.h"

#define LEN (16 * MIB)

/* The second quarter is in use, the rest is not. */
static void *partly_cold(uint64_t seed)
{
	char *at = host_cold(LEN, seed);

	for (size_t i = LEN / 4; i < LEN / 2; i += PAGE)
		HOST_CHECK(host_page_begins(at, i, seed));
	return at;
}

static void grow_in_place_or_move(void)
{
	char *at = partly_cold(1);

	at = mremap(at, LEN, 2 * LEN, MREMAP_MAYMOVE);
	HOST_CHECK(at != MAP_FAILED);
	HOST_CHECK(host_same(at, LEN, 1));
	HOST_CHECK(host_zero(at + LEN, LEN));
	HOST_CHECK(munmap(at, 2 * LEN) == 0);
}

static void move(void)
{
	char *at = partly_cold(2), *room = host_map(LEN);

	HOST_CHECK(mremap(at, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
	HOST_CHECK(host_same(room, LEN, 2));
	HOST_CHECK(munmap(room, LEN) == 0);
}

static void shrink(void)
{
	char *at = partly_cold(3);

	HOST_CHECK(mremap(at, LEN, LEN / 2, 0) == at);
	HOST_CHECK(host_same(at, LEN / 2, 3));
	HOST_CHECK(munmap(at, LEN / 2) == 0);
}

static void leave_the_old_one_empty(void)
{
	char *at = partly_cold(4), *moved;

	moved = mremap(at, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	HOST_CHECK(moved != MAP_FAILED);
	HOST_CHECK(host_zero(at, LEN));
	HOST_CHECK(host_same(moved, LEN, 4));
	HOST_CHECK(munmap(at, LEN) == 0);
	HOST_CHECK(munmap(moved, LEN) == 0);
}

/* What was only read has no anon_vma yet: cut, its parts would never be one mapping again. */
static void grow_what_was_only_read(void)
{
	char *at = host_map(LEN);

	HOST_CHECK(host_zero(at + LEN / 4, LEN / 4));
	host_nap();
	host_fill(at + LEN / 2, LEN / 2, 6);
	HOST_CHECK(host_zero(at, LEN / 2));
	at[LEN / 4] = 1;
	at = mremap(at, LEN, 2 * LEN, MREMAP_MAYMOVE);
	HOST_CHECK(at != MAP_FAILED);
	HOST_CHECK(at[LEN / 4] == 1);
	HOST_CHECK(host_same(at + LEN / 2, LEN / 2, 6));
	HOST_CHECK(munmap(at, 2 * LEN) == 0);
}

static void grow_by_realloc(void)
{
	char *at = malloc(LEN);

	HOST_CHECK(at);
	host_fill(at, LEN, 5);
	host_nap();
	for (size_t len = LEN; len < 4 * LEN; len += LEN / 2) {
		at = realloc(at, len + LEN / 2);
		HOST_CHECK(at);
		HOST_CHECK(host_same(at, len, 5));
		host_fill(at, len + LEN / 2, 5);
		host_nap();
	}
	free(at);
}

int main(void)
{
	grow_in_place_or_move();
	move();
	shrink();
	leave_the_old_one_empty();
	grow_what_was_only_read();
	grow_by_realloc();
	return 0;
}
