/*
 * Packed memory that is replaced without an event: by a shared segment that is attached over it, and
 * by guard pages. What is there afterwards is what the program put there, and where it put nothing
 * there are zeros, also after it has turned cold again.
 */
#include "host.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define LEN   (4 * MIB)
#define FIRST MIB /* of what is replaced */
#define PART  (2 * MIB)
/* Pages: half of so many are used, and half are not. USED come home with one that is touched. */
#define EVERY 8
#define USED  4

static void check_rest(char *memory, uint64_t seed)
{
	HOST_CHECK(host_same(memory, FIRST, seed));
	for (size_t at = FIRST + PART; at < LEN; at += PAGE)
		HOST_CHECK(host_page_begins(memory, at, seed));
}

/* Some is home when it is replaced, and some is not. More touches would bring home all of it. */
static void touch(char *at)
{
	*(volatile char *)at;
	*(volatile char *)(at + EVERY * PAGE);
}

/*
 * New memory, used where the old one was home, with holes where it was not: these are zeros however
 * often the memory around them leaves.
 */
static void check_new(char *at)
{
	for (size_t i = 0; i < PART; i += EVERY * PAGE)
		host_fill(at + i, USED * PAGE, i + 1);
	host_let_leave(at, PART);
	for (size_t i = 0; i < PART; i += EVERY * PAGE) {
		HOST_CHECK(host_zero(at + i + USED * PAGE, (EVERY - USED) * PAGE));
		HOST_CHECK(host_same(at + i, USED * PAGE, i + 1));
	}
}

static int make_segment(void)
{
	int id = shmget(IPC_PRIVATE, PART, IPC_CREAT | 0600);
	char *at;

	HOST_CHECK(id >= 0);
	at = shmat(id, NULL, 0);
	HOST_CHECK(at != (char *)-1);
	host_fill(at, PART, 7);
	HOST_CHECK(shmdt(at) == 0);
	return id;
}

static void by_a_segment(void)
{
	int id = make_segment();
	char *memory = host_cold(LEN, 1), *part = memory + FIRST;

	touch(part);
	HOST_CHECK(shmat(id, part, SHM_REMAP) == part);
	HOST_CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	HOST_CHECK(host_same(part, PART, 7));
	host_nap();
	HOST_CHECK(host_same(part, PART, 7));
	HOST_CHECK(shmdt(part) == 0);
	HOST_CHECK(mmap(part, PART, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == part);
	check_new(part);
	check_rest(memory, 1);
}

/* Since Linux 6.13. */
static void by_guard_pages(void)
{
	char *memory = host_cold(LEN, 2), *part = memory + FIRST;

	touch(part);
	if (madvise(part, PART, MADV_GUARD_INSTALL)) {
		HOST_CHECK(errno == EINVAL);
		return;
	}
	host_nap();
	HOST_CHECK(madvise(part, PART, MADV_GUARD_REMOVE) == 0);
	check_new(part);
	check_rest(memory, 2);
}

int main(void)
{
	by_a_segment();
	by_guard_pages();
	return 0;
}
