/*
 * A short life with everything in it: memory that leaves and is read, written, discarded, moved,
 * unmapped, locked and sent; threads, and children of forks that the library sees and does not see.
 * Says "ok", whether a pager is there or not. tests/faults/run makes the pager's calls fail under
 * it.
 */
#include "live/host.h"

#include <pthread.h>
#include <sys/syscall.h>

#define LEN	(1 * MIB)
#define SMALL	(LEN / 4)
#define UNSEEN	6 /* forks: the memory may be home at any one of them */
#define STOPPED 3 /* a child was ended by its pager, which must have said so */

/* A system call that nothing stands in front of. */
static long raw(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static void read_and_write(void)
{
	char *at = host_cold(LEN, 1);

	for (size_t i = 0; i < LEN; i += 3 * PAGE)
		HOST_CHECK(host_page_begins(at, i, 1));
	HOST_CHECK(host_same(at, LEN, 1));
	host_fill(at, LEN, 2);
	host_let_leave(at, LEN);
	host_fill(at, LEN / 2, 3);
	HOST_CHECK(host_same(at, LEN / 2, 3));
	HOST_CHECK(munmap(at, LEN) == 0);
}

static void send_packed(void)
{
	char *at = host_cold(SMALL, 4), *got = host_map(SMALL);
	int end[2];

	HOST_CHECK(pipe(end) == 0);
	for (size_t i = 0; i < SMALL; i += 8 * PAGE) {
		HOST_CHECK(write(end[1], at + i, 8 * PAGE) == 8 * PAGE);
		HOST_CHECK(read(end[0], got + i, 8 * PAGE) == 8 * PAGE);
	}
	HOST_CHECK(host_same(got, SMALL, 4));
	close(end[0]);
	close(end[1]);
	HOST_CHECK(munmap(at, SMALL) == 0 && munmap(got, SMALL) == 0);
}

static void change_layout(void)
{
	char *at = host_cold(LEN, 5), *room = host_map(LEN);

	HOST_CHECK(madvise(at, SMALL, MADV_DONTNEED) == 0);
	HOST_CHECK(mmap(at + SMALL, SMALL, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + SMALL);
	HOST_CHECK(host_zero(at, 2 * SMALL));
	HOST_CHECK(mprotect(at + 2 * SMALL, SMALL, PROT_READ) == 0);
	HOST_CHECK(mlock(at + 3 * SMALL, 2 * PAGE) == 0);
	HOST_CHECK(host_page_begins(at, 2 * SMALL, 5));
	HOST_CHECK(host_page_begins(at, 3 * SMALL, 5));
	HOST_CHECK(munlock(at + 3 * SMALL, 2 * PAGE) == 0);
	HOST_CHECK(mremap(at + 3 * SMALL, SMALL, SMALL, MREMAP_MAYMOVE | MREMAP_FIXED, room) ==
		   room);
	HOST_CHECK(host_page_begins(at, 2 * SMALL + PAGE, 5));
	for (size_t i = 0; i < SMALL; i += PAGE)
		HOST_CHECK(*(uint64_t *)(room + i) == host_word(5, (3 * SMALL + i) / 8));
	HOST_CHECK(munmap(at, 3 * SMALL) == 0);
	HOST_CHECK(munmap(room, LEN) == 0);
}

/* What glibc calls inside, or assembly: the pager has the kernel's reports and no more. */
static void change_unseen(void)
{
	char *at = host_cold(SMALL, 6), *room = host_map(SMALL);

	long to =
	    raw(__NR_mremap, (long)at, SMALL, SMALL, MREMAP_MAYMOVE | MREMAP_FIXED, (long)room);

	/* Since Linux 6.17 it moves mapping by mapping, and ends so at one that is registered. */
	HOST_CHECK(to == (long)room || to == -EFAULT);
	if (to == -EFAULT) {
		HOST_CHECK(munmap(at, SMALL) == 0 && munmap(room, SMALL) == 0);
		return;
	}
	HOST_CHECK(host_same(room, SMALL, 6));
	host_let_leave(room, SMALL);
	HOST_CHECK(raw(__NR_munmap, (long)room, SMALL / 2, 0, 0, 0) == 0);
	HOST_CHECK(host_page_begins(room, SMALL / 2, 6));
	HOST_CHECK(munmap(room, SMALL) == 0);
}

/* The child of a fork that nobody saw reads what was written, or is killed; never anything else. */
static void fork_unseen(char *at)
{
	long pid;
	int status;

	/* What was touched beside it may have brought it home. */
	host_let_leave(at, SMALL);
	pid = raw(__NR_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(host_same(at, SMALL, 7) ? 0 : 1);
	status = host_reap((pid_t)pid);
	if (status != 0 && status != 128 + SIGSEGV)
		HOST_FAIL("the child of an unseen fork ended with %d", status);
}

static void fork_seen(const char *at, bool *stopped)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char *own = host_map(SMALL);

		HOST_CHECK(host_same(at, SMALL, 7));
		host_turn_cold(own, SMALL, 8);
		HOST_CHECK(host_same(own, SMALL, 8));
		_exit(0);
	}
	status = host_reap(pid);
	*stopped |= status == 128 + SIGABRT || status == 134;
	if (status != 0 && !*stopped)
		HOST_FAIL("the child of a fork ended with %d", status);
}

static uint32_t ending;

static void *keep_busy(void *arg)
{
	uint64_t *at = arg;
	const size_t pages = SMALL / PAGE, step = PAGE / 8;

	for (uint64_t n = 1; !__atomic_load_n(&ending, __ATOMIC_ACQUIRE); n++) {
		for (size_t i = 0; i < pages; i++)
			HOST_CHECK(at[i * step] == n - 1);
		for (size_t i = 0; i < pages; i++)
			at[i * step] = n;
		host_sleep_ms(2);
	}
	return NULL;
}

static unsigned open_files(void)
{
	return host_entries("/proc/self/fd");
}

/* A new thread, whose control block may lie in what has just been cold. */
static pthread_t start_busy(void)
{
	pthread_t thread;

	HOST_CHECK(pthread_create(&thread, NULL, keep_busy, host_map(SMALL)) == 0);
	return thread;
}

int main(void)
{
	unsigned files = open_files();
	bool stopped = false;
	sigset_t mask, then;
	pthread_t busy;
	char *kept;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	HOST_CHECK(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);
	kept = host_cold(SMALL, 7);
	busy = start_busy();
	read_and_write();
	send_packed();
	change_layout();
	change_unseen();
	for (int i = 0; i < UNSEEN; i++)
		fork_unseen(kept);
	fork_seen(kept, &stopped);
	host_let_leave(kept, SMALL);
	__atomic_store_n(&ending, 1, __ATOMIC_RELEASE);
	HOST_CHECK(pthread_join(busy, NULL) == 0);
	HOST_CHECK(host_same(kept, SMALL, 7));
	HOST_CHECK(pthread_sigmask(SIG_SETMASK, NULL, &then) == 0);
	HOST_CHECK(sigismember(&then, SIGUSR1) == 1 && sigismember(&then, SIGUSR2) == 0);
	HOST_CHECK(open_files() == files);
	puts("ok");
	return stopped ? STOPPED : 0;
}
