/*
 * perf_faults.h - faults with their addresses from perf's software events: what a user may see of a
 * process of his own without any capability.
 *
 * LIMITS  Without CAP_PERFMON only faults in user mode, unless kernel.perf_event_paranoid is below
 * 2; Debian's own level 3 allows none. A thread of a running process that is made while the others
 * are being opened is missed. Costs the process three times what programs in the kernel do.
 */
#ifndef PC_TOOLS_PERF_FAULTS_H
#define PC_TOOLS_PERF_FAULTS_H

#include <sys/types.h>

#include "kernel_view.h"

struct perf_faults;

/* All threads of the process, and what they start. NULL with the reason in `why`. */
struct perf_faults *perf_faults_open(pid_t pid, char *why, size_t size);
void perf_faults_close(struct perf_faults *p);

/* Hands over what has come since the last call, in the order of time. 0 or -errno. */
int perf_faults_read(struct perf_faults *p, kernel_fault_fn *fn, void *arg);

/* Faults that found the buffers full. */
uint64_t perf_faults_lost(const struct perf_faults *p);

/* Whether faults that system calls take in the process's memory are seen too. */
bool perf_faults_sees_kernel(const struct perf_faults *p);

#endif
