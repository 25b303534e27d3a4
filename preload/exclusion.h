/*
 * exclusion.h - pager_exclude() and its kin in bytes, as programs give them.
 *
 * WHY   An exclusion that the kernel shows in VmFlags (locked, not copied on fork) may be lifted by
 *       its opposite, for the walk of mappings finds it again if it still holds. One that only we
 *       know (a robust mutex, predicomp_leave) may not, and the pager cannot tell the two apart.
 * DESIGN  From the first exclusion of the second kind on, nothing is included any more: memory that
 *         was unlocked later then stays unmanaged, which costs a little and harms nobody.
 * THREADS any.
 */
#ifndef PC_PRELOAD_EXCLUSION_H
#define PC_PRELOAD_EXCLUSION_H

#include "base/types.h"
#include "pager.h"

/* Every page of [at, at + len) that is touched by it, rounded outwards. */
void exclude_bytes(const void *at, size_t len);
void exclude_for_good(const void *at, size_t len);
void include_bytes(const void *at, size_t len);

/* For the time of one call. */
struct pager_held hold_bytes(const void *at, size_t len);

#endif
