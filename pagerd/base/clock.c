#include "base/clock.h"

#include "base/atomic.h"
#include "base/sys.h"

#include <cpuid.h>
#include <linux/prctl.h>

#define CPUID_POWER	       0x80000007u
#define CPUID_EDX_CONSTANT_TSC (1u << 8)

#define RATE_SHIFT 32
#define SETTLE_MIN (10 * PC_MS)
#define PAIR_TRIES 5
#define TRUSTED	   (4 * PC_SEC) /* how long what is known is; it is renewed each second */
#define AHEAD_MAX  PC_MS	/* more is not slewed but corrected */

/* A counter value and the time at which it was read. */
struct pair {
	uint64_t ticks;
	pc_ns at;
};

/* Time from there on. */
struct known_time {
	uint64_t ticks;
	pc_ns at;
	uint64_t rate; /* ns per tick << RATE_SHIFT */
};

/* The one that counts is known[times % 2]; the next is written to the other. */
static struct known_time known[2];
static uint32_t times;
static uint32_t settled; /* it may be gone by */
static struct pair last; /* of who settles, and */
static uint64_t rate;	 /* what it found then; 0: nothing */
static bool has_tsc;	 /* as found by clock_start(): written before there are readers */

/* A process may have forbidden itself the counter: reading it would then raise SIGSEGV. */
static bool tsc_allowed(void)
{
	int mode = 0;

	return SYS2(__NR_prctl, PR_GET_TSC, &mode) == 0 && mode == PR_TSC_ENABLE;
}

bool clock_has_tsc(void)
{
	unsigned eax, ebx, ecx, edx;

	if (!__get_cpuid(CPUID_POWER, &eax, &ebx, &ecx, &edx))
		return false;
	return (edx & CPUID_EDX_CONSTANT_TSC) && tsc_allowed();
}

/* Of several tries the tightest, so that a preemption between the readings does no harm. */
static struct pair read_pair(void)
{
	struct pair best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (int i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = __builtin_ia32_rdtsc();
		pc_ns at = sys_monotonic();
		uint64_t width = __builtin_ia32_rdtsc() - before;

		if (width < best_width) {
			best_width = width;
			best = (struct pair){before + width / 2, at};
		}
	}
	return best;
}

/* Each word in this order, so that who reads one of the next time sees that it is the next. */
static void publish(struct known_time next)
{
	const uint32_t n = load_relaxed(&times) + 1;
	struct known_time *a = &known[n % 2];

	store_release(&a->ticks, next.ticks);
	store_release(&a->at, next.at);
	store_release(&a->rate, next.rate);
	store_release(&times, n); /* pairs with current() */
}

static struct known_time current(void)
{
	struct known_time a;
	uint32_t n;

	do {
		n = load_acquire(&times); /* pairs with publish() */
		a.ticks = load_acquire(&known[n % 2].ticks);
		a.at = load_acquire(&known[n % 2].at);
		a.rate = load_acquire(&known[n % 2].rate);
	} while (load_relaxed(&times) != n);
	return a;
}

/* False long after it, which is what ticks before it are, too. */
static bool time_at(struct known_time a, uint64_t ticks, pc_ns *at)
{
	const unsigned __int128 ns = ((unsigned __int128)(ticks - a.ticks) * a.rate) >> RATE_SHIFT;

	*at = a.at + (pc_ns)ns;
	return ns <= TRUSTED;
}

void clock_start(void)
{
	store_release(&settled, 0u);
	has_tsc = clock_has_tsc();
	rate = 0;
	if (has_tsc)
		last = read_pair();
}

/* 0 where the counter has stood still, or gone back. */
static uint64_t rate_until(struct pair now)
{
	uint64_t ns = now.at - last.at, ticks = now.ticks - last.ticks;

	if ((int64_t)ticks <= 0)
		return 0;
	/* Halving both keeps their ratio, and 32 bits of it are plenty. */
	for (; ns >> RATE_SHIFT; ns >>= 1)
		ticks >>= 1;
	return ticks ? (ns << RATE_SHIFT) / ticks : 0;
}

/* No slewing does more: the machine was suspended, or has moved. */
static bool jumped(uint64_t was, uint64_t is)
{
	return PC_MAX(was, is) - PC_MIN(was, is) > was / 64;
}

/* Where the clock has gone ahead it goes on from there, and slower, to be right in a second. */
static struct known_time known_at(struct pair now)
{
	struct known_time next = {now.ticks, now.at, rate};
	pc_ns shown;

	if (time_at(current(), now.ticks, &shown) && time_since(now.at, shown) <= AHEAD_MAX) {
		next.at = PC_MAX(now.at, shown);
		next.rate -= rate * (next.at - now.at) / PC_SEC;
	}
	return next;
}

void clock_settle(void)
{
	const uint64_t before = rate;
	struct pair now;

	if (!has_tsc)
		return;
	now = read_pair();
	if (now.at - last.at < SETTLE_MIN)
		return;
	rate = rate_until(now);
	if (before && jumped(before, rate))
		rate = 0;
	if (rate)
		publish(known_at(now));
	store_release(&settled, rate != 0); /* pairs with clock_now() */
	last = now;
}

pc_ns clock_now(void)
{
	struct known_time a;
	pc_ns now;

	if (!load_acquire(&settled)) /* pairs with clock_settle() */
		return sys_monotonic();
	a = current();
	return time_at(a, __builtin_ia32_rdtsc(), &now) ? now : sys_monotonic();
}
