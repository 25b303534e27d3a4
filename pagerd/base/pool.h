/*
 * pool.h - the pager's own memory: mapped by itself, named, guarded, and known.
 *
 * WHY   The pager must never page itself, and /proc/PID/maps should say what is whose. Every
 *       private mapping of the pager that lasts comes from here, and pool_owns() answers for them.
 * DESIGN  A region is [guard page][usable][guard page], private anonymous, NORESERVE, populated on
 *       touch, or only reserved to be committed piece by piece (base/commit.h), named "predicomp:<use>"
 *       where the kernel allows. Up to POOL_REGIONS regions are recorded in a fixed table, which
 *       lives in .bss.
 *
 *         A program of one thread may unmap a part of its memory and map it again at the same
 *         address, for nobody else in it could take that meanwhile. So nothing of ours may lie where
 *         the kernel places mappings, which is in such holes first. It lies between the executable's
 *         and the libraries' part of the address space, where nothing comes to lie that is not
 *         told to, or nowhere. Each place is behind the one before; the last one's is free again
 *         when it is given back, so what comes and goes does not use that part up.
 * THREADS pool_map(), pool_reserve(), pool_unmap(), pool_take(), pool_give() by one thread at a time
 *         (start-up, the work thread, under the segment's lock any); the others by any.
 */
#ifndef PC_BASE_POOL_H
#define PC_BASE_POOL_H

#include "base/types.h"

#define POOL_REGIONS 96u

/* Usable bytes, page aligned, or NULL when the kernel refuses or there is no place. */
void *pool_map(size_t bytes, const char *use);

/*
 * The same, of which nothing can be touched, nor is in a core dump, before pool_commit(): a pipe to a
 * crash handler would be given tens of gigabytes of zeros.
 */
void *pool_reserve(size_t bytes, const char *use);
bool pool_commit(void *start, size_t bytes); /* a commit_fn; whole pages */

/* Gives a region back whole; `at` is what pool_map() returned. Nobody may be using it. */
void pool_unmap(void *at);

/*
 * Demand-zero again, and no longer locked where the program has locked all memory, for a program that
 * does so wants to keep its own. 0 or -errno.
 */
int pool_empty(void *start, size_t bytes);

/* mmap() where that does nobody harm: the address, or -errno. For what is not to be recorded. */
long pool_take(size_t bytes, int prot, int flags, int fd);
void pool_give(void *at, size_t bytes);

/* True if any byte of [start, end) is the pager's, guards included. */
bool pool_owns(pc_addr start, pc_addr end);

/* The regions, guards included, one after the other: how many of at most `room` were written. */
uint32_t pool_spans(struct pc_span *out, uint32_t room);

/* Resident bytes are not tracked here; size of all regions as reserved. */
size_t pool_reserved(void);

#endif
