/*
 * atomic.h - atomics with the memory order in the name. The only file that spells __atomic.
 *
 * WHY   An order given as an argument is skipped by the eye; one in the name is read. Every use
 *       of acquire or release names the store or load it pairs with in a comment beside it.
 */
#ifndef PC_BASE_ATOMIC_H
#define PC_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define load_relaxed(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define load_seq(p)         __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define store_seq(p, v)     __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define swap_acquire(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define swap_seq(p, v)      __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define add_relaxed(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define add_seq(p, v)	    __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define add_acq_rel(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define sub_acq_rel(p, v)   __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define or_relaxed(p, v)    __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define or_acq_rel(p, v)    __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define and_acq_rel(p, v)   __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
#define fence_seq()         __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* On failure *expected holds what was found. */
#define cas_acq_rel(p, expected, desired)                                                          \
	__atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_ACQ_REL,           \
				    __ATOMIC_ACQUIRE)

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
