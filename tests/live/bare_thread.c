/*
 * A thread that nobody but the kernel knows, made by the bare instruction and without a robust list:
 * when it ends, the kernel writes to a word without waiting for a page. Nothing that is in use may
 * leave while it lives, wherever that word is; then everything goes on.
 */
#include "host.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#define LEN   (4 * MIB)
#define STACK (64 * 1024ul)
#define TRIES 100
#define FLAGS                                                                                      \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |        \
	 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static int over; /* the thread may end */

static long bare_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

/* It has no thread control block of its own, so it calls nothing of libc. */
static _Noreturn void lives(void)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		bare_call(SYS_futex, (long)&over, FUTEX_WAIT_PRIVATE, 0, 0);
	for (;;)
		bare_call(SYS_exit, 0, 0, 0, 0);
}

static long make_thread(char *stack_end, int *word)
{
	register int *r10 __asm__("r10") = word;
	long tid;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%[lives]\n"
			 "1:"
			 : "=a"(tid)
			 : "a"((long)SYS_clone), "D"((long)FLAGS), "S"(stack_end), "d"(word),
			   "r"(r10), [lives] "b"(lives)
			 : "rcx", "r11", "memory");
	return tid;
}

/* New memory each time, for what has come back is let alone for a while. */
static bool all_stays(uint64_t seed)
{
	char *memory = host_map(LEN);
	bool stays;

	host_fill(memory, LEN, seed);
	host_nap();
	stays = host_absent(memory, LEN) == 0;
	HOST_CHECK(host_same(memory, LEN, seed));
	HOST_CHECK(munmap(memory, LEN) == 0);
	return stays;
}

/* The pager finds the thread in its own time. */
static void wait_until_found(void)
{
	unsigned tries = 0, stayed = 0;

	while (stayed < 3) {
		HOST_CHECK(tries++ < TRIES);
		stayed = all_stays(tries) ? stayed + 1 : 0;
	}
}

static void end_thread(const int *word)
{
	uint64_t until = host_now_ms() + 30000;

	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	bare_call(SYS_futex, (long)&over, FUTEX_WAKE_PRIVATE, 1, 0);
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
		if (host_now_ms() > until)
			HOST_FAIL("the kernel could not write that the thread ended");
		host_sleep_ms(1);
	}
}

int main(void)
{
	char *before = host_cold(LEN, 1), *stack = host_map(STACK), *memory = host_map(LEN);
	int *word = (int *)(void *)(memory + LEN / 2);
	long tid;

	host_fill(memory, LEN, 2);
	tid = make_thread(stack + STACK, word);
	HOST_CHECK(tid > 0);
	wait_until_found();
	HOST_CHECK(*word == tid);
	host_nap();
	end_thread(word);
	memset(word, 0, 8);
	host_cold(LEN, 3);
	HOST_CHECK(host_same(memory, LEN / 2, 2));
	HOST_CHECK(host_same(before, LEN, 1));
	return 0;
}
