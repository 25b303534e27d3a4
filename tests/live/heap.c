/* malloc, calloc, realloc and free over memory that comes and goes; every block is remembered. */
#include "host.h"

#define SLOTS 3000

static struct {
	uint64_t *at;
	size_t len; /* bytes, a multiple of 8 */
	uint64_t seed;
} slots[SLOTS];

static size_t some_size(uint64_t r)
{
	return (r % 16 ? r >> 8 & 0x1ff8 : r >> 8 & 0x7fff8) + 8;
}

static void empty(unsigned i)
{
	HOST_CHECK(host_same(slots[i].at, slots[i].len, slots[i].seed));
	free(slots[i].at);
	slots[i].at = NULL;
}

static void fill(unsigned i, uint64_t *random)
{
	uint64_t r = host_random(random);

	slots[i].len = some_size(r);
	slots[i].seed = r;
	slots[i].at = r & 1 ? malloc(slots[i].len) : calloc(1, slots[i].len);
	HOST_CHECK(slots[i].at);
	HOST_CHECK(r & 1 || host_zero(slots[i].at, slots[i].len));
	host_fill(slots[i].at, slots[i].len, r);
}

static void resize(unsigned i, uint64_t *random)
{
	size_t len = some_size(host_random(random));
	size_t kept = len < slots[i].len ? len : slots[i].len;

	slots[i].at = realloc(slots[i].at, len);
	HOST_CHECK(slots[i].at);
	HOST_CHECK(host_same(slots[i].at, kept, slots[i].seed));
	slots[i].len = len;
	host_fill(slots[i].at, len, slots[i].seed);
}

static void churn(unsigned i, uint64_t *random)
{
	if (!slots[i].at)
		fill(i, random);
	else if (host_random(random) % 2)
		empty(i);
	else
		resize(i, random);
}

int main(void)
{
	uint64_t random = host_seed();

	for (unsigned i = 0; i < SLOTS; i++)
		fill(i, &random);
	for (unsigned round = 0; round < 8; round++) {
		host_nap();
		for (unsigned n = 0; n < SLOTS; n++)
			churn(host_random(&random) % SLOTS, &random);
	}
	host_nap();
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].at)
			empty(i);
	return 0;
}
