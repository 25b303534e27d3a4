/*
 * forget.h - the program changed its layout: the table follows. The gate must be closed.
 *
 * unmap    the memory is gone: entries dropped, pages no longer registered
 * discard  MADV_DONTNEED and its kin: entries dropped; what is resident may not leave until it has
 *          been seen absent (PAGE_REMOVING)
 * remap    entries and registration move with the memory
 */
#ifndef PC_FLOW_FORGET_H
#define PC_FLOW_FORGET_H

#include "base/types.h"

void forget_unmap(unsigned shard, pc_addr start, pc_addr end);
void forget_discard(unsigned shard, pc_addr start, pc_addr end);
/* discard of what nobody takes until it has been carried out (flow/mapped.h): no REMOVING */
void forget_away(unsigned shard, pc_addr start, pc_addr end);
void forget_remap(unsigned shard, pc_addr from, pc_addr to, uint64_t len);

/*
 * Packed memory was remapped, and an unmap that is older may still be reported. Until settled: the
 * kernel has been seen with nothing pending, the gate closed.
 */
bool forget_unsettled(void); /* any thread */
void forget_settled(void);

/*
 * A registered mapping may have grown, with its MADV_DONTFORK, beyond what the table knows. Cut off
 * from what it does know, by an unmap or another protection, nobody would find that again, and
 * children would miss it: an unmap gives it to them, or has the table know it, where it is one mapping
 * with what the table does know. Nothing of it is away. Returns where what may have grown so ends, given
 * where it begins: at that very address, where there is no such thing. It may be memory of others.
 */
pc_addr forget_tail(pc_addr start);

/* A fault came from memory the kernel reports to us and the table did not know: it does now. */
void forget_adopt(pc_addr page);

#endif
