/*
 * reclaim.h - the loader of reclaim.bpf.c: what page reclaim did, and who had to wait for it.
 */
#ifndef PC_BPF_RECLAIM_H
#define PC_BPF_RECLAIM_H

#include <stdint.h>

#include "able.h"
#include "record.h"

struct reclaim;

struct reclaim_wanted {
	int pidfd;  /* this process and what comes from it; -1: not limited to one */
	int cgroup; /* tasks in this folder of a version 2 hierarchy; -1: not limited to one */
};

/* 0 or -errno with `why` filled. */
int reclaim_open(struct reclaim **out, const struct reclaim_wanted *wanted, struct unable *why);
void reclaim_close(struct reclaim *r);

/* All since reclaim_open(). */
struct reclaim_reading {
	struct reclaim_counts counts;
	bool memcg_seen;	    /* this kernel traces reclaim at a cgroup's limit */
	uint64_t processes_refused; /* children beyond the table's room */
	uint64_t stalled_refused;   /* stalls of processes beyond the table's room */
	uint32_t last_tgid;	    /* who reclaimed last; 0: nobody yet */
	char last_comm[RECORD_COMM];
	const char *pageout_by; /* where MADV_PAGEOUT is seen; NULL: nowhere on this kernel */
};
void reclaim_read(const struct reclaim *r, struct reclaim_reading *out);

typedef void reclaim_process_fn(void *arg, uint32_t tgid, const struct reclaim_process *process);
int reclaim_processes(const struct reclaim *r, reclaim_process_fn *fn, void *arg);

#endif
