/*
 * profile.h - the loader of profile.bpf.c: samples of what registered processes use, for readers
 * without privilege.
 *
 *     profile_open()        the sampler: loads, and is asked to profile_tick() each 50 ms
 *     profile_pin()         on request: FOLDER/samples 0666, frozen, to be mapped by anybody;
 *                           FOLDER/registered 0600, by which profile_register() reaches the sampler
 *     profile_unpin()       the undo, for the sampler's end and for one that was killed
 *
 * A reader opens FOLDER/samples with BPF_OBJ_GET and maps it PROT_READ, MAP_SHARED: struct
 * profile_header and the ring of struct profile_sample of record.h. From then on it needs no system
 * call.
 */
#ifndef PC_BPF_PROFILE_H
#define PC_BPF_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "able.h"
#include "record.h"

struct profile;

/* 0 or -errno with `why` filled, all of them. */
int profile_open(struct profile **out, struct unable *why);
void profile_close(struct profile *p);
int profile_tick(struct profile *p, struct unable *why);
int profile_pin(struct profile *p, const char *folder, struct unable *why);
int profile_unpin(const char *folder, struct unable *why);

/* By number, with `p` NULL through the pinned table of another process's sampler. */
int profile_register(struct profile *p, const char *folder, pid_t pid, struct unable *why);
int profile_unregister(struct profile *p, const char *folder, pid_t pid, struct unable *why);

/*
 * Each registered process with its last complete reading; for those who may not read the table, as the
 * samples have it.
 */
typedef void profile_process_fn(void *arg, uint32_t tgid, const struct profile_process *process);
int profile_registered(const char *folder, profile_process_fn *fn, void *arg, struct unable *why);

/* The array, mapped for reading; NULL with `why` filled. munmap(PROFILE_BYTES) in the end. */
#define PROFILE_BYTES ((PROFILE_CAPACITY + 1ul) * sizeof(struct profile_sample))
struct profile_header *profile_map(struct profile *p, const char *folder, struct unable *why);

/* Sample number n of those written, while it is among the last PROFILE_CAPACITY. */
static inline const struct profile_sample *profile_at(const struct profile_header *head, uint64_t n)
{
	return (const struct profile_sample *)head + 1 + n % PROFILE_CAPACITY;
}

#endif
