/*
 * move.h - UFFDIO_MOVE, with a count that is true.
 *
 * WHY   Linux 6.18 moves many pages in a step (mm/userfaultfd.c, move_pages()). Where an entry of the
 *       page table changed while it looked, because the program wrote to the page in that instant,
 *       it takes the step again, but keeps the -EAGAIN of the first try: so it believes that what
 *       has succeeded has not, takes the step a third time, meets its own pages and answers EEXIST
 *       with a count that leaves them out. Believed, up to 1 MiB of the program's memory would be
 *       in staging and nobody's: read as zeros. tests/live/lazy_free.c has it happen.
 * DESIGN  After a move that did not report all, the page tables are asked, from where its count
 *       ends: what is gone from the source and there at the destination has been moved.
 *
 *           from  [ - - - - - - P P ]        reported: 2 pages
 *           to    [ P P P P P P - - ]        *done:    6 pages, and UFFD_AGAIN
 *
 *       The kernel woke nobody who waits for the others, so that is done here.
 *       Only the pager's side is asked: the program may have unmapped its own meanwhile, and mapped and
 *       written to other memory there, which says nothing of what has moved. The report of that is still
 *       to be read then, and drops what it is about.
 * LAWS  - both sides are the caller's: no other thread of the pager fills or empties them.
 *       - OUT: the destination was empty. HOME: the source was not.
 *       - where a page is that cannot be learnt, the process ends.
 * THREADS any pager thread, inside the gate.
 */
#ifndef PC_FLOW_MOVE_H
#define PC_FLOW_MOVE_H

#include "base/types.h"
#include "kernel/uffd.h"

enum move_way {
	MOVE_OUT,    /* from the program to the pager */
	MOVE_HOME,   /* back */
	MOVE_WITHIN, /* from the pager to itself */
};

/* As uffd_move(); adds to `moves_recounted` of the shard. */
enum uffd_result move_pages(unsigned shard, enum move_way way, pc_addr to, pc_addr from, uint64_t len,
			    uint64_t *done, int *error);

#endif
