/*
 * atomic.h for the simulator's pager: before each operation another actor may run.
 *
 * This folder comes first on the include path of predicomp_stepped and nowhere else. What counts
 * (add_relaxed) is left alone: nothing is decided by it.
 */
#ifndef PC_STEPPED_ATOMIC_H
#define PC_STEPPED_ATOMIC_H

#include_next "base/atomic.h"

void actor_step(void);
void actor_yield(void);

#undef load_relaxed
#undef load_acquire
#undef load_seq
#undef store_relaxed
#undef store_release
#undef store_seq
#undef swap_acquire
#undef swap_seq
#undef add_acq_rel
#undef sub_acq_rel
#undef or_acq_rel
#undef and_acq_rel
#undef cas_acq_rel

#define load_relaxed(p)	    (actor_step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define load_acquire(p)	    (actor_step(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define load_seq(p)	    (actor_step(), __atomic_load_n((p), __ATOMIC_SEQ_CST))
#define store_relaxed(p, v) (actor_step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define store_release(p, v) (actor_step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define store_seq(p, v)	    (actor_step(), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define swap_acquire(p, v)  (actor_step(), __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE))
#define swap_seq(p, v)	    (actor_step(), __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define add_acq_rel(p, v)   (actor_step(), __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL))
#define sub_acq_rel(p, v)   (actor_step(), __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL))
#define or_acq_rel(p, v)    (actor_step(), __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL))
#define and_acq_rel(p, v)   (actor_step(), __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL))
#define cas_acq_rel(p, expected, desired)                                                          \
	(actor_step(), __atomic_compare_exchange_n((p), (expected), (desired), false,              \
						   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))

/* Whoever spins waits for another actor, so that one runs. */
#define cpu_relax() actor_yield()

#endif
