/*
 * pins.h - descriptors through which the kernel may write to memory without a page fault.
 *
 * WHY   A device, an O_DIRECT read or a ring with registered buffers holds the pages that it will
 *       write to. UFFDIO_MOVE refuses such a page; write protection and MADV_DONTNEED know nothing
 *       of it: what arrives is written to a page that is the program's no more.
 * DESIGN  A list of what is known to do no such thing, not of what does. Allowed are pipes,
 * sockets, a few kinds of anonymous inode, terminals and the memory devices, and files that were
 * not opened with O_DIRECT on file systems that read into the page cache. Everything else counts as
 * a pin: rings, device nodes, FUSE, 9p, descriptors of a kind to come.
 *
 *       Seen is the table of descriptors of one thread. Not seen: a file system below an overlay; a
 *       descriptor closed while its transfer is under way; another process in process_vm_writev(2).
 * THREADS the work thread.
 */
#ifndef PC_KERNEL_PINS_H
#define PC_KERNEL_PINS_H

#include "base/types.h"

/* 0 if thread `tid` holds none of them, 1 if it does, -errno if that cannot be told. */
int pins_held(int tid);

/* The judgement itself: what a link of /proc/PID/fd reads, where that decides. Pure. */
enum pin_verdict { PIN_NONE, PIN_SOME, PIN_ASK };
enum pin_verdict pins_judge_link(const char *link);
bool pins_judge_file_system(const char *type); /* true: its files may pin memory */

#endif
