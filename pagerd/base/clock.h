/*
 * clock.h - cheap time for the fault path.
 *
 * WHY   The vDSO belongs to libc's world and a system call costs as much as a fifth of a fault, so
 *       latencies are read from the time stamp counter where it is constant.
 * DESIGN  clock_start() notes a (counter, CLOCK_MONOTONIC) pair; clock_settle(), each second from
 *       some time later on, takes another and so learns the rate since the one before: the kernel's
 *       clock is slewed, and stands still while a machine is suspended. Where the counter has
 *       jumped, or nobody has settled for seconds, where it has not yet, and on CPUs without a
 *       constant one, clock_now() is a system call.
 *
 *       A clock that is ahead is slowed down. It steps back only where it is more than a
 *       millisecond ahead, so differences are taken by time_since().
 * THREADS clock_start and clock_settle by one thread; clock_now by all.
 */
#ifndef PC_BASE_CLOCK_H
#define PC_BASE_CLOCK_H

#include "base/types.h"

bool clock_has_tsc(void); /* constant by CPUID, and not forbidden to this thread */
void clock_start(void);
void clock_settle(void); /* from 10 ms after clock_start() on; harmless when called too early */
pc_ns clock_now(void);	 /* near CLOCK_MONOTONIC: for latencies, not for deadlines */

static inline pc_ns clock_since(pc_ns start)
{
	return time_since(start, clock_now());
}

#endif
