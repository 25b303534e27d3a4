/*
 * clock.h - cheap time for the fault path.
 *
 * WHY   The vDSO belongs to libc's world and a system call costs as much as a fifth of a fault, so
 *       latencies are read from the time stamp counter where it is constant.
 * DESIGN  clock_start() notes a (counter, CLOCK_MONOTONIC) pair; clock_settle(), some time later,
 *       takes a second pair and so learns the rate. Until then, and on CPUs without a constant
 *       counter, clock_now() is a system call.
 * THREADS clock_start and clock_settle by one thread; clock_now by all.
 */
#ifndef PC_BASE_CLOCK_H
#define PC_BASE_CLOCK_H

#include "base/types.h"

bool clock_has_tsc(void); /* constant by CPUID, and not forbidden to this thread */
void clock_start(void);
void clock_settle(void); /* call >= 10 ms after clock_start(); harmless when called again */
pc_ns clock_now(void);	 /* near CLOCK_MONOTONIC: for latencies, not for deadlines */

#endif
