/*
 * Threads that are made, prepared or ended behind libc's back, by its clone() and by number: when one
 * ends, the kernel writes to a word of its own, or to a lock that it held, without waiting for a page.
 * From such a call on nothing is away, wherever the word is. bare_thread has what no hook sees.
 */
#include "host.h"
#include "support/ways.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#define LEN	(4 * MIB)
#define STACK	(64 * 1024ul)
#define PATIENT 30000 /* ms */
#define COMMON	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_CHILD_CLEARTID)
#define THREAD	(COMMON | CLONE_THREAD | CLONE_SYSVSEM)
#define HELD	((struct lock *)(void *)(memory + LEN / 4))
#define WORD	((int *)(void *)(memory + LEN / 2))
#define HEAD	((struct robust_list_head *)(void *)(memory + LEN / 4 * 3))

struct lock {
	struct robust_list list;
	int word;
};

static char *memory;
static int called, over; /* the thread has made its call; may end */

static void nothing_is_away(void)
{
	HOST_CHECK(host_absent(memory, LEN) == 0);
	host_nap();
	HOST_CHECK(host_absent(memory, LEN) == 0);
}

static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static void wait_for(const int *flag, int value)
{
	uint64_t until = host_now_ms() + PATIENT;

	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != value) {
		if (host_now_ms() > until)
			HOST_FAIL("the kernel could not write that the thread ended");
		host_sleep_ms(1);
	}
}

/* With the storage of who made it, so it calls nothing of libc. */
static int lives(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		bare6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	return 0;
}

static int cloned(int flags)
{
	char *stack = host_map(STACK);
	int pid;

	*WORD = 1;
	host_let_leave(memory, LEN);
	pid = clone(lives, stack + STACK, flags, NULL, NULL, NULL, WORD);
	HOST_CHECK(pid > 0);
	nothing_is_away();
	HOST_CHECK(*WORD == 1);
	set(&over);
	wait_for(WORD, 0);
	return pid;
}

static void by_clone(void)
{
	cloned(THREAD);
}

static void process_by_clone(void)
{
	HOST_CHECK(host_reap(cloned(COMMON | SIGCHLD)) == 0);
}

/* ---- prepared by number ------------------------------------------------------------------------- */

static void *names_its_word(void *unused)
{
	HOST_CHECK(syscall(SYS_set_tid_address, WORD) == gettid());
	set(&called);
	wait_for(&over, 1);
	return unused;
}

/* Nobody can wait for it as libc does, for its word is another. */
static void by_set_tid_address(void)
{
	pthread_t thread;

	*WORD = 1;
	host_let_leave(memory, LEN);
	HOST_CHECK(pthread_create(&thread, NULL, names_its_word, NULL) == 0);
	HOST_CHECK(pthread_detach(thread) == 0);
	wait_for(&called, 1);
	nothing_is_away();
	set(&over);
	wait_for(WORD, 0);
}

static void *names_its_locks(void *unused)
{
	HELD->word = gettid();
	host_let_leave(memory, LEN);
	HOST_CHECK(syscall(SYS_set_robust_list, HEAD, sizeof(*HEAD)) == 0);
	set(&called);
	wait_for(&over, 1);
	return unused;
}

static void by_set_robust_list(void)
{
	pthread_t thread;

	HELD->list.next = &HEAD->list;
	HEAD->list.next = &HELD->list;
	HEAD->futex_offset = offsetof(struct lock, word);
	HEAD->list_op_pending = NULL;
	HOST_CHECK(pthread_create(&thread, NULL, names_its_locks, NULL) == 0);
	wait_for(&called, 1);
	nothing_is_away();
	set(&over);
	HOST_CHECK(pthread_join(thread, NULL) == 0);
	HOST_CHECK(HELD->word & FUTEX_OWNER_DIED);
}

/* ---- each in a child, for it is for good -------------------------------------------------------- */

/* A process ends with its last thread, whoever made the others. */
static void by_exit(void)
{
	syscall(SYS_exit, 7);
}

static int status_of(pid_t pid)
{
	uint64_t until = host_now_ms() + PATIENT * 2;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (host_now_ms() > until) {
			kill(pid, SIGKILL);
			HOST_FAIL("the process does not end");
		}
		host_sleep_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int in_child(void (*call)(void))
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid)
		return status_of(pid);
	memory = host_cold(LEN, 2);
	call();
	HOST_CHECK(host_same(memory, LEN / 4, 2));
	_exit(0);
}

int main(void)
{
	char *at = host_cold(LEN, 1);

	HOST_CHECK(in_child(by_clone) == 0);
	HOST_CHECK(in_child(process_by_clone) == 0);
	HOST_CHECK(in_child(by_set_tid_address) == 0);
	HOST_CHECK(in_child(by_set_robust_list) == 0);
	HOST_CHECK(in_child(by_exit) == 7);
	HOST_CHECK(host_same(at, LEN, 1));
	return 0;
}
