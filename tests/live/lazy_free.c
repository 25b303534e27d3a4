/*
 * The first write to a page that was given up with MADV_FREE takes it back, which the kernel notes in
 * the entry of its page table. So the entry may change in the instant in which the pager moves the
 * page, and the kernel has to look again: Linux 6.18 then says of what it has moved that it has not
 * (flow/move.h). Each thread uses new memory again and again, for a pager learns of what is given up
 * in memory that it has met.
 */
#include "host.h"

#include <pthread.h>

#define USERS  2
#define PAGES  512ul
#define STRIDE 2ul /* neighbours would be moved together, with one look at the first of them */

static uint64_t deadline;

static void wait_a_little(uint64_t *dice)
{
	for (volatile unsigned n = (host_random(dice) >> 20) % 1000; n; n--)
		;
}

/* Downwards, while the pager takes upwards, so that they meet. */
static void use_once(uint64_t round, uint64_t *dice)
{
	char *at = host_map(PAGES * PAGE);
	unsigned pace = (host_random(dice) >> 20) % 400;

	for (size_t page = 0; page < PAGES; page += STRIDE)
		at[page * PAGE] = 1;
	HOST_CHECK(madvise(at, PAGES * PAGE, MADV_FREE) == 0);
	wait_a_little(dice);
	for (size_t page = PAGES; page > 0; page -= STRIDE) {
		*(volatile uint64_t *)(at + (page - STRIDE) * PAGE) = round + page;
		for (volatile unsigned n = pace; n; n--)
			;
	}
	host_sleep_ms(1);
	for (size_t page = PAGES; page > 0; page -= STRIDE)
		HOST_CHECK(*(volatile uint64_t *)(at + (page - STRIDE) * PAGE) == round + page);
	HOST_CHECK(munmap(at, PAGES * PAGE) == 0);
}

static void *use(void *arg)
{
	uint64_t dice = *(uint64_t *)arg, round = 1;

	while (host_now_ms() < deadline)
		use_once(round++ << 20, &dice);
	return NULL;
}

int main(void)
{
	uint64_t seed[USERS];
	pthread_t user[USERS];
	void *kept;

	seed[0] = host_seed();
	kept = host_cold(MIB, seed[0]);
	deadline = host_deadline();
	for (unsigned i = 0; i < USERS; i++) {
		seed[i] = seed[0] + 2 * i;
		HOST_CHECK(pthread_create(&user[i], NULL, use, &seed[i]) == 0);
	}
	for (unsigned i = 0; i < USERS; i++)
		HOST_CHECK(pthread_join(user[i], NULL) == 0);
	HOST_CHECK(host_same(kept, MIB, seed[0]));
	return 0;
}
