/*
 * peek.h - reads the program's memory without ever waiting for it.
 *
 * WHY   A plain load of a page that has just gone would fault, and who serves faults may be waiting
 *       for the reader. process_vm_readv(2) waits as well. A read of /proc/thread-self/mem does
 * not: the kernel will not sleep there for a userfaultfd, and answers EIO. THREADS the work thread.
 */
#ifndef PC_KERNEL_PEEK_H
#define PC_KERNEL_PEEK_H

#include "base/types.h"

int peek_open(void); /* a descriptor, or -errno */

/* Bytes copied from [from, from + len) up to the first page that is not there; -errno if none. */
long peek_read(int fd, void *to, pc_addr from, size_t len);

#endif
