/*
 * discover.h - which memory may be managed: mappings become areas.
 *
 * DESIGN  Two files of /proc say what is mapped. maps is cheap and tells kind and protection; smaps
 *         tells the flags that decide (hazard N1), but the kernel counts every page for it. So
 *         smaps is read when maps shows 64 KiB of mappings that do not overlap one whose flags were seen, or
 *         a guard was lost (flow/forkless.h), and but for a fork not more often than its cost allows.
 *         What was refused counts as not seen after a while, which is longer: its flags may be lifted.
 *         What the kernel splits, merges and grows keeps its flags, so an overlap is enough.
 *
 *         Left out: anything but private anonymous rw- memory without a protection key and with
 *         known harmless flags; where mappings have the soft-dirty flag, those without it, for the
 *         program tracks them by bits that are lost with a page that leaves, and all once it is seen
 *         to clear such bits (a page of ours has lost its own); stacks, thread control blocks and
 *         thread-local storage, but not what lies above them in the same mapping (state/thread.h);
 *         what hooks excluded; the pager itself and the library's own pages.
 *
 *         Threads that were made without our pthread_create are found here too. One whose control
 *         block cannot be known makes the pager keep its hands off for as long as it lives
 *         (discover_threads_ok): libc tells the kernel a robust list of each thread that it makes,
 *         who runs without one was made by hand. A zombie has been cleared up after already.
 * THREADS the work thread; discover_living() any, for a line of the log.
 */
#ifndef PC_FLOW_DISCOVER_H
#define PC_FLOW_DISCOVER_H

#include "base/types.h"
#include "kernel/vma.h"
#include "state/span.h"

int discover_start(void);   /* its tables; 0 or -ENOMEM; harmless when called again */
void discover_forget(void); /* flags are asked for anew */

/* Walks. 0 or -errno; the areas are then those of the walk before. */
int discover_walk(pc_ns now);

/*
 * Where a MADV_DONTFORK of the pager's may have got lost (flow/forkless.h), gives to children what is not
 * registered and not the program's to keep: if smaps may be read again by now, or it `must` be. 0 or
 * -errno. What it could not do is left to the next walk.
 */
int discover_strays(pc_ns now, bool must);

/* What may be managed, sorted. */
const struct span_set *discover_areas(void);

bool discover_threads_ok(void);

/*
 * True if no thread of the program lives on. libc ends a process with its last thread, but it does
 * not see ours, and a raw exit is not its business: the pager must then go too.
 */
bool discover_deserted(void);

/* A thread of the program that lives; 0 if there is none, or it cannot be told. */
int discover_living(void);

/* One predicate: may memory with these attributes be managed? Pure. */
bool discover_manageable(const struct vma *v);

/* Threads of our own, which are no threads of the program. */
void discover_own_thread(int tid);

#endif
