/*
 * pressure.h - how much memory there is and how much is used: statm, status, cgroup, meminfo.
 * THREADS the work thread. Descriptors are kept open: a reading is one or two system calls.
 */
#ifndef PC_KERNEL_PRESSURE_H
#define PC_KERNEL_PRESSURE_H

#include "base/types.h"

struct pressure {
	int statm;  /* /proc/thread-self/statm: the leader's is empty once main() has left */
	int status; /* /proc/thread-self/status */
	int leader; /* /proc/self/status: a tracer may hold only the first thread */
};

/* Of the process; tracer and seccomp mode of this thread or the leader, whichever says more. */
struct process_facts {
	uint64_t rss_anon;  /* bytes */
	uint64_t vm_locked; /* bytes */
	int tracer_pid;
	int seccomp; /* 0, 1, 2 */
	unsigned threads;
};

int pressure_open(struct pressure *p); /* 0 or -errno */
/* Resident anonymous bytes of the process, to a few dozen pages; one system call. -errno. */
int64_t pressure_anon(const struct pressure *p);
int pressure_facts(const struct pressure *p, struct process_facts *out); /* exact, slower */

/*
 * The memory limit of this process in bytes: the smallest of its cgroup's limits (v2 memory.max, v1
 * memory.limit_in_bytes, parents included where visible) and MemTotal. 0 when nothing can be read.
 */
uint64_t pressure_limit(void);

/* vm.overcommit_memory; vm.max_map_count. -errno when unreadable. */
int pressure_overcommit(void);
int64_t pressure_max_map_count(void);

#endif
