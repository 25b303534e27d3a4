/*
 * stall.h - the loader of stall.bpf.c: how long page faults keep the threads of followed processes.
 *
 * COST  Some 280 ns a fault, and two look-ups at every switch of the machine's CPUs.
 *
 * NOTE  The end of a fault is seen where its function returns, if the kernel allows a program
 *       there (fexit). Else by perf software events, one pair a thread, inherited: threads that are
 *       started while the pairs are being opened may miss theirs; what is missed is counted as
 *       untimed, never guessed. A return probe would miss faults, of which many sleep at a time.
 */
#ifndef PC_BPF_STALL_H
#define PC_BPF_STALL_H

#include <stdint.h>
#include <sys/types.h>

#include "able.h"
#include "record.h"

struct stall;

int stall_open(struct stall **out, struct unable *why);
void stall_close(struct stall *s);

/* 0 or -errno with `why` filled. */
int stall_follow(struct stall *s, pid_t pid, int pidfd, struct unable *why);

/* All since stall_open(), indexed by enum stall_kind; valid until stall_close(). */
const struct histogram *stall_histograms(const struct stall *s);
uint64_t stall_untimed(const struct stall *s);
uint64_t stall_processes_refused(const struct stall *s); /* children beyond the table's room */
const char *stall_ends_by(const struct stall *s); /* where ends are seen: a section, or "perf" */

/* What `now` has more than `before`, an earlier state of it; its greatest is that of a bucket. */
void histogram_since(struct histogram *out, const struct histogram *now,
		     const struct histogram *before);

/* Nanoseconds below which `thousandths` of the observations lie; at most 1/16 too high. */
uint64_t histogram_quantile(const struct histogram *h, unsigned thousandths);

#endif
