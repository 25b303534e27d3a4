/*
 * life.h - the loader of life.bpf.c: forks, execs and exits of processes, as they happen.
 *
 * A fork is reported before the child runs. An exec carries its arguments, cut at 255 bytes, each
 * ending with a zero. An exit is that of the process's last thread, with its faults and peak
 * memory; what threads that end in the same instant have not added up yet is missing there.
 */
#ifndef PC_BPF_LIFE_H
#define PC_BPF_LIFE_H

#include <stdint.h>

#include "able.h"
#include "record.h"

struct life;

/* Follows the process of `pidfd`; all of the machine when it is -1. 0 or -errno with `why` filled.
 */
int life_open(struct life **out, int pidfd, struct unable *why);
void life_close(struct life *l);

/* Events that have arrived since the last call; their number or -errno. */
typedef void life_fn(void *arg, const struct life_event *event);
int life_events(struct life *l, life_fn *fn, void *arg);

uint64_t life_dropped(const struct life *l);
uint64_t life_processes_refused(const struct life *l); /* children beyond the table's room */

#endif
