/*
 * faults.h - the loader of faults.bpf.c: counts of followed processes, by unit of address where
 * asked, or every fault as an event.
 *
 * EXACT  minor + major of `total` is the sum of /proc/PID/stat's deltas over all followed
 * processes, from the moment each was followed. Faults that a system call took on the process's
 * behalf (get_user_pages: MAP_POPULATE, O_DIRECT) raise no exception; they are what fault_gup()
 * gives. Where the kernel lets a program in at handle_mm_fault (fentry, else kprobe) each of them
 * is in units and events too, but for those in another process's memory (ptrace, the arguments of
 * execve). Between an exception and its end a fault is in user or kernel, but not yet in minor or
 * major.
 *
 * COST  Of a first touch of 4 KiB: build/bench/kernel/fault_overhead measures it. With a program at
 *       handle_mm_fault every fault of the machine, followed or not, also pays for getting there.
 */
#ifndef PC_BPF_FAULTS_H
#define PC_BPF_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "able.h"
#include "record.h"

struct faults;

struct faults_wanted {
	uint32_t units; /* room for so many (process, 2 MiB unit) pairs; 0: not counted */
	uint32_t
	    stream_bytes; /* of the event buffer, a power of two of at least 4096; 0: no events */
	bool ended; /* keep what has ended for faults_processes() and faults_ended_threads() */
	uint32_t births_lost; /* so many threads find no memory when they are born: for tests */
	bool crowded; /* threads are in each other's way, as when there are thousands: for tests */
};

/* 0 or -errno with `why` filled. Programs run from here on, and see nothing until faults_follow().
 */
int faults_open(struct faults **out, const struct faults_wanted *wanted, struct unable *why);
void faults_close(struct faults *f);

/*
 * Between the two no exception is looked at, and what the kernel accounts counts as without one;
 * who is followed stays so. For measuring, by turns, what looking costs. 0 or -errno with `why`
 * filled.
 */
int faults_detach(struct faults *f, struct unable *why);
int faults_attach(struct faults *f, struct unable *why);

/* The process, all its threads, and all that they start from now on. 0 or -errno. */
int faults_follow(struct faults *f, int pidfd);

struct faults_total {
	struct fault_counts counts;
	uint64_t processes_refused; /* children beyond the table's room: not followed */
	uint64_t units_refused;	    /* faults in units beyond `wanted.units` */
	uint64_t events_dropped;    /* faults that found the event buffer full */
	uint64_t births_missed;	    /* threads without a record when they were born */
	uint64_t exceptions_missed; /* and what they raised before they had one: it counts as GUP */
};

/*
 * All since faults_open(). `thread` is called for each thread that lives; may be NULL. 0 or -errno.
 * Of a process whose threads end faster than all can be read, the one that ends may be missed.
 */
typedef void faults_thread_fn(void *arg, const struct thread_line *line);
int faults_read(struct faults *f, struct faults_total *total, faults_thread_fn *thread, void *arg);

/* Every process seen so far. Those that have ended are forgotten once they were shown. */
typedef void faults_process_fn(void *arg, uint32_t tgid, const struct process_record *record);
int faults_processes(struct faults *f, faults_process_fn *fn, void *arg);

/* Threads that have ended, up to THREADS_LISTED; how many there were, or -errno. */
#define THREADS_LISTED 16384
int64_t faults_ended_threads(struct faults *f, faults_thread_fn *fn, void *arg);

/* Every unit seen so far, from memory that the kernel shares: no system call. */
typedef void faults_unit_fn(void *arg, const struct unit_record *unit);
int faults_units(struct faults *f, faults_unit_fn *fn, void *arg);

/*
 * Events that have arrived; of one thread, in the order in which they happened. Their number or
 * -errno. The newest few of a thread that still runs come after a tenth of a second, or from
 * faults_release() on, but for its last, of which it is not known yet how it went.
 */
typedef void faults_event_fn(void *arg, const struct fault_event *event);
int faults_events(struct faults *f, faults_event_fn *fn, void *arg);
int faults_release(struct faults *f);

/* Where faults without an exception are seen one by one: a section; NULL: nowhere on this kernel. */
const char *faults_gup_by(const struct faults *f);

/* Faults without an exception: taken inside system calls. */
uint64_t fault_gup(const struct fault_counts *counts);

#endif
