/*
 * layout.h - EVICT=madvise lives by what these hooks tell: which memory the program mapped for
 * itself, and what it is about to do to it (flow/mapped.h). Without it each goes on to the real
 * call, but that what is unmapped or replaced is noted no more as kept from children (flow/forkless.h).
 *
 * THREADS any.
 */
#ifndef PC_PRELOAD_LAYOUT_H
#define PC_PRELOAD_LAYOUT_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef __NR_mseal /* since Linux 6.10 */
#define __NR_mseal 462
#endif

/* It will not be taken any more: about to be unmapped, replaced, locked, sealed, kept from children. */
void layout_strike(const void *at, size_t len);

bool layout_knows(const void *at, size_t len);
void layout_note(const void *at, size_t len); /* memory that was known came to lie here */

bool layout_is_discard(int advice);
int layout_discard(void *at, size_t len, int advice); /* madvise(2) with such an advice */

/* mmap(2), munmap(2) and mseal(2) themselves. */
void *layout_map(void *at, size_t len, int prot, int flags, int fd, long off);
int layout_unmap(void *at, size_t len);
int layout_seal(void *at, size_t len, unsigned long flags);

#endif
