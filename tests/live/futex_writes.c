/*
 * The kernel writes to the words of some futex operations and does not wait for a userfault there:
 * the operation succeeds wherever its words lie, and mutexes of that kind stay at home.
 */
#include "host.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#define LEN   (4 * MIB)
#define STEP  (64ul << 10)
#define COUNT (LEN / STEP)
#define TRIES 4u

static uint32_t here; /* the word that is not packed */

static uint32_t *word_at(char *memory, size_t i)
{
	return (uint32_t *)(void *)(memory + i * STEP);
}

static void wake_op(char *memory, size_t i)
{
	uint32_t *word = word_at(memory, i), was = *word;

	host_nap();
	HOST_CHECK(syscall(SYS_futex, &here, FUTEX_WAKE_OP_PRIVATE, 1, 1, word,
			   FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) >= 0);
	HOST_CHECK(*word == was + 5);
	*word = was;
}

static void lock_by_number(char *memory, size_t i)
{
	uint32_t *word = word_at(memory, i), was = *word;

	*word = 0;
	host_nap();
	HOST_CHECK(syscall(SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	HOST_CHECK((*word & FUTEX_TID_MASK) == (uint32_t)gettid());
	host_nap();
	HOST_CHECK(syscall(SYS_futex, word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	HOST_CHECK(*word == 0);
	*word = was;
}

/* What is not mapped is an error with the library as without it. */
static void refused(void)
{
	void *nowhere = mmap(NULL, LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(nowhere != MAP_FAILED && munmap(nowhere, LEN) == 0);
	errno = 0;
	HOST_CHECK(syscall(SYS_futex, nowhere, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1);
	HOST_CHECK(errno == EFAULT);
}

static pthread_mutex_t *mutex_at(char *memory, size_t i)
{
	return (pthread_mutex_t *)(void *)(memory + i * STEP);
}

static void make(char *memory)
{
	pthread_mutexattr_t attr;

	HOST_CHECK(pthread_mutexattr_init(&attr) == 0);
	HOST_CHECK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
	for (size_t i = 0; i < COUNT; i++)
		HOST_CHECK(pthread_mutex_init(mutex_at(memory, i), &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void all_at_home(char *memory)
{
	unsigned char there;

	for (size_t i = 0; i < COUNT; i++) {
		HOST_CHECK(mincore(memory + i * STEP, 1, &there) == 0);
		HOST_CHECK(there & 1);
	}
}

int main(void)
{
	char *other = host_cold(LEN, 1), *words = host_cold(LEN, 2), *mutexes = host_cold(LEN, 3);

	for (size_t i = 0; i < TRIES; i++)
		wake_op(words, i);
	for (size_t i = TRIES; i < 2 * TRIES; i++)
		lock_by_number(words, i);
	HOST_CHECK(host_same(words, LEN, 2));
	refused();
	make(mutexes);
	host_nap();
	all_at_home(mutexes);
	HOST_CHECK(host_same(other, LEN, 1));
	return 0;
}
