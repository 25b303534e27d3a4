/*
 * inject.c - the library with one system call that fails: linked over the pager in test builds
 * only.
 *
 * WHY   What the kernel answers once in a million calls must be right as well. So each place of the
 *       pager that calls the kernel is made to fail there, with each error, once and for ever.
 * DESIGN  --wrap puts these functions between the pager and base/sys.c. A place is its return
 *       address, relative to the library; places and the number of their calls are counted in a
 *       file that is mapped shared, so that whoever started the process (tests/faults/run) can read
 *       them however it ended, and children count on.
 *
 *         TEST_FAULT_RECORD=FILE   struct record, made if it is not there
 *         TEST_FAULT=PLACE:K:ERRNO:once|ever   in hexadecimal, decimal, decimal
 *
 *       The call that fails is not made, but for close(2): the kernel gives the descriptor up
 *       before anything can go wrong, and a number that stays open is no answer of any kernel.
 *       Left out is what cannot fail whatever the kernel thinks: exits, own numbers, the clock, and
 *       giving up the CPU.
 *
 *       Where a call fails for ever the pager tries again for ten seconds and more before it gives
 *       up. Its short rests are skipped from then on.
 *
 * Runs where the pager runs: before libc has begun, and on threads that libc does not know.
 */
#include "base/mem.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#define PLACES	   512u
#define SHORT_REST (10 * PC_MS)

struct place {
	uint64_t at; /* return address - start of the library; 0 free */
	uint64_t nr;
	uint64_t request; /* of an ioctl */
	uint64_t calls, failed;
};

struct record {
	uint64_t lost; /* calls from places that there was no room for */
	struct place place[PLACES];
};

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static struct record *record;
static struct {
	uint64_t at, first;
	long error;
	bool for_ever;
	bool hurry;
} fault;

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __real_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid);
long __wrap_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid);
long __real_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout);
long __real_sys_futex_wait_shared(uint32_t *word, uint32_t value, pc_ns timeout);
long __wrap_sys_futex_wait_shared(uint32_t *word, uint32_t value, pc_ns timeout);
long __real_sys_futex_wake(uint32_t *word, int waiters);
long __wrap_sys_futex_wake(uint32_t *word, int waiters);
long __real_sys_futex_wake_shared(uint32_t *word, int waiters);
long __wrap_sys_futex_wake_shared(uint32_t *word, int waiters);

/* ---- what to do ----------------------------------------------------------------------------- */

static const char *value_of(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++)
		if (!memcmp(*envp, name, PC_MIN(n, strlen(*envp))) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static uint64_t take_number(const char **s, unsigned base)
{
	uint64_t n = 0;

	for (; **s && **s != ':'; ++*s)
		n = n * base + (uint64_t)(**s <= '9' ? **s - '0' : **s - 'a' + 10);
	if (**s)
		++*s;
	return n;
}

static void open_record(const char *path)
{
	long fd = SYS4(__NR_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long at;

	__real_sys_call(__NR_ftruncate, fd, sizeof(*record), 0, 0, 0, 0);
	at = __real_sys_call(__NR_mmap, 0, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			     0);
	__real_sys_call(__NR_close, fd, 0, 0, 0, 0, 0);
	if (at < 0)
		sys_exit_group(2);
	record = (struct record *)at;
}

/* Before the shim's own constructor. The environment comes as an argument: libc has none yet. */
__attribute__((constructor(101))) static void at_start(int argc, char **argv, char **envp)
{
	const char *path = value_of(envp, "TEST_FAULT_RECORD"), *s = value_of(envp, "TEST_FAULT");

	(void)argc;
	(void)argv;
	if (s) {
		fault.at = take_number(&s, 16);
		fault.first = take_number(&s, 10);
		fault.error = (long)take_number(&s, 10);
		fault.for_ever = *s == 'e';
	}
	if (path)
		open_record(path);
}

/* ---- counting ------------------------------------------------------------------------------- */

/* The entry of a place, made if there is none; NULL when the table is full. */
static struct place *find(uint64_t at, uint64_t nr, uint64_t request)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &record->place[i];
		uint64_t seen = 0;

		if (__atomic_compare_exchange_n(&p->at, &seen, at, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			p->nr = nr;
			p->request = request;
			return p;
		}
		if (seen == at)
			return p;
	}
	__atomic_fetch_add(&record->lost, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* 0, or what the call at this place is to fail with. */
static long error_for(const void *caller, long nr, long request)
{
	uint64_t at = (uint64_t)caller - (uint64_t)__ehdr_start, n;
	struct place *p;

	if (!record)
		return 0;
	p = find(at, (uint64_t)nr, nr == __NR_ioctl ? (uint64_t)request : 0);
	if (!p)
		return 0;
	n = __atomic_add_fetch(&p->calls, 1, __ATOMIC_RELAXED);
	if (at != fault.at || n < fault.first || (n > fault.first && !fault.for_ever))
		return 0;
	__atomic_fetch_add(&p->failed, 1, __ATOMIC_RELAXED);
	if (fault.for_ever)
		__atomic_store_n(&fault.hurry, true, __ATOMIC_RELAXED);
	return -fault.error;
}

static bool cannot_fail(long nr)
{
	return nr == __NR_exit || nr == __NR_exit_group || nr == __NR_getpid || nr == __NR_gettid ||
	       nr == __NR_sched_yield;
}

static bool hurried(pc_ns rest)
{
	return rest && rest < SHORT_REST && __atomic_load_n(&fault.hurry, __ATOMIC_RELAXED);
}

/* ---- between the pager and sys.c ------------------------------------------------------------ */

static bool is_short_poll(long nr, const struct timespec *timeout)
{
	return nr == __NR_ppoll && timeout && !timeout->tv_sec && hurried((pc_ns)timeout->tv_nsec);
}

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct timespec at_once = {0, 0};
	long error = cannot_fail(nr) ? 0 : error_for(__builtin_return_address(0), nr, b);

	if (error && nr == __NR_close)
		__real_sys_call(nr, a, b, c, d, e, f);
	if (error)
		return error;
	if (is_short_poll(nr, (const struct timespec *)c))
		c = (long)&at_once;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

long __wrap_sys_thread(int (*fn)(void *), void *arg, void *top, void *tls, uint32_t *tid)
{
	long error = error_for(__builtin_return_address(0), __NR_clone, 0);

	return error ? error : __real_sys_thread(fn, arg, top, tls, tid);
}

long __wrap_sys_futex_wait(uint32_t *word, uint32_t value, pc_ns timeout)
{
	long error = error_for(__builtin_return_address(0), __NR_futex, 0);

	if (!error && hurried(timeout))
		error = -ETIMEDOUT;
	return error ? error : __real_sys_futex_wait(word, value, timeout);
}

long __wrap_sys_futex_wait_shared(uint32_t *word, uint32_t value, pc_ns timeout)
{
	long error = error_for(__builtin_return_address(0), __NR_futex, 0);

	return error ? error : __real_sys_futex_wait_shared(word, value, timeout);
}

long __wrap_sys_futex_wake(uint32_t *word, int waiters)
{
	long error = error_for(__builtin_return_address(0), __NR_futex, 0);

	return error ? error : __real_sys_futex_wake(word, waiters);
}

long __wrap_sys_futex_wake_shared(uint32_t *word, int waiters)
{
	long error = error_for(__builtin_return_address(0), __NR_futex, 0);

	return error ? error : __real_sys_futex_wake_shared(word, waiters);
}
