/*
 * thp.h - the loader of thp.bpf.c: huge pages and migrations of a process and what comes from it.
 * Splits have no tracepoint: where their function can neither be entered nor probed, they are to be had
 * from /proc/vmstat, for the machine.
 */
#ifndef PC_BPF_THP_H
#define PC_BPF_THP_H

#include <stdbool.h>
#include <stdint.h>

#include "able.h"
#include "record.h"

struct thp;

/* 0 or -errno with `why` filled. */
int thp_open(struct thp **out, int pidfd, struct unable *why);
void thp_close(struct thp *t);

const struct thp_counts *thp_read(const struct thp *t); /* all since thp_open() */
bool thp_sees_collapses(const struct thp *t);		/* this kernel traces them */
bool thp_sees_scans(const struct thp *t);
bool thp_sees_migrations(const struct thp *t);
bool thp_sees_numa(const struct thp *t);
bool thp_sees_splits(const struct thp *t);
uint64_t thp_processes_refused(const struct thp *t); /* children beyond the table's room */
const char *thp_splits_by(const struct thp *t);	     /* where they are seen; NULL: nowhere */

#endif
