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

/* A counter value and the time at which it was read. */
struct pair {
	uint64_t ticks;
	pc_ns at;
};

static struct pair origin;
static uint64_t rate; /* ns per tick << RATE_SHIFT */
static uint32_t settled;
static bool has_tsc; /* as found by clock_start(): written before there are readers */

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

void clock_start(void)
{
	store_release(&settled, 0u);
	has_tsc = clock_has_tsc();
	if (has_tsc)
		origin = read_pair();
}

void clock_settle(void)
{
	struct pair now;
	uint64_t ns, ticks;

	if (!has_tsc || load_relaxed(&settled))
		return;
	now = read_pair();
	ns = now.at - origin.at;
	ticks = now.ticks - origin.ticks;
	if (ns < SETTLE_MIN)
		return;
	/* Halving both keeps their ratio, and 32 bits of it are plenty. */
	for (; ns >> RATE_SHIFT; ns >>= 1)
		ticks >>= 1;
	if (!ticks)
		return;
	rate = (ns << RATE_SHIFT) / ticks;
	store_release(&settled, 1u); /* pairs with clock_now() */
}

pc_ns clock_now(void)
{
	uint64_t ticks;

	if (!load_acquire(&settled)) /* pairs with clock_settle() */
		return sys_monotonic();
	ticks = __builtin_ia32_rdtsc() - origin.ticks;
	return origin.at + (pc_ns)(((unsigned __int128)ticks * rate) >> RATE_SHIFT);
}
