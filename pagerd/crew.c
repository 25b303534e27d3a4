#include "crew.h"

#include "base/atomic.h"
#include "base/pool.h"
#include "base/sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#define TLS_BYTES   256u
#define READY_BYTES 16384u
#define TRIES	    20u
#define LONGER	    (PC_MS / 4)
#define SEEN_ON	    (100 * PC_MS) /* no thread is to be seen for so long after its end */

static int enter(void *member)
{
	struct crew_member *m = member;
	uint64_t all = ~0ull;

	SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof(all));
	return m->fn(m->arg);
}

/* The words compiled code may look for: a self pointer, and a stack protector value. */
static void *thread_block(char *top)
{
	uint64_t *block = (void *)(top - TLS_BYTES);

	block[0] = (uint64_t)block;
	block[2] = (uint64_t)block;
	block[5] = sys_monotonic() << 8;
	return block;
}

/*
 * The kernel refuses threads with EAGAIN while another one is in execve(2), which the process outlives
 * when it fails. Naps of one length could keep step with who tries that again and again. Where a limit
 * is the reason it stays, and nobody is held up a second time.
 */
static long start_thread(struct crew_member *m, char *top)
{
	const unsigned tries = m->refused ? 1 : TRIES;
	void *block = thread_block(top);
	long tid = -EAGAIN;

	for (unsigned i = 0; i < tries && tid == -EAGAIN; i++) {
		if (i)
			sys_nap(i * LONGER);
		tid = sys_thread(enter, m, top - TLS_BYTES, block, &m->tid_word);
	}
	m->refused = tid == -EAGAIN;
	return tid;
}

int crew_start(struct crew_member *m, const char *use, int (*fn)(void *), void *arg)
{
	char *top;
	long tid;

	if (!m->stack)
		m->stack = pool_map(CREW_STACK, use);
	if (!m->stack)
		return -ENOMEM;
	top = (char *)m->stack + CREW_STACK;
	m->fn = fn;
	m->arg = arg;
	store_relaxed(&m->tid, 0);	/* who ended by itself was not joined */
	store_release(&m->tid_word, 1); /* pairs with crew_tid */
	tid = start_thread(m, top);
	if (tid < 0)
		store_relaxed(&m->tid_word, 0);
	store_release(&m->tid, (int)tid); /* pairs with crew_tid */
	return tid < 0 ? (int)tid : 0;
}

void crew_stock(const struct crew_member *m)
{
	/* Where this is refused the memory comes when it is touched. */
	sys_madvise((pc_addr)m->stack + CREW_STACK - READY_BYTES, READY_BYTES, MADV_POPULATE_WRITE);
}

/*
 * The kernel's wake at exit is on a shared futex, and comes while the thread can still be seen:
 * unshare(2), or a look into /proc, would find it. So the word alone is not enough. For ever it is not
 * seen: the number of a thread that has long ended by itself may be another one's.
 */
void crew_join(struct crew_member *m)
{
	pc_ns until;

	while (load_acquire(&m->tid_word)) /* pairs with the kernel's clearing */
		sys_futex_wait_shared(&m->tid_word, 1, 0);
	until = sys_monotonic() + SEEN_ON;
	while (m->tid > 0 && sys_monotonic() < until &&
	       SYS3(__NR_tgkill, sys_getpid(), m->tid, 0) == 0)
		sys_yield();
	store_relaxed(&m->tid, 0);
}

int crew_tid(const struct crew_member *m)
{
	return load_acquire(&m->tid_word) ? load_acquire(&m->tid) : 0; /* pairs with crew_start */
}

void crew_forget(struct crew_member *m)
{
	if (load_relaxed(&m->tid_word))
		store_relaxed(&m->tid_word, 0);
}
