/*
 * record.h - what programs in the kernel write and the loader reads: the layouts both sides share.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Process and thread numbers are those of the initial
 * namespace.
 */
#ifndef PC_BPF_RECORD_H
#define PC_BPF_RECORD_H

#include <linux/types.h>

#define RECORD_COMM 16

/* Faults, of one thread or of many. What was resolved is minor + major. */
struct fault_counts {
	__u64 minor,
	    major; /* as the kernel accounts them, system calls' own faults (GUP) included */
	__u64 user, kernel; /* exceptions taken in either mode */
	__u64 failed;	    /* exceptions that resolved nothing: a signal, EFAULT, or tried again */
};

/* A followed process; its counts are those of threads that have ended. */
struct process_record {
	struct fault_counts departed;
	__u64 born;
	__u32 parent; /* 0: where following began */
	__u32 ended;  /* its last thread is gone */
	char comm[RECORD_COMM];
};

/* One line of the thread iterator. */
struct thread_line {
	struct fault_counts counts;
	__u32 tgid, tid;
	char comm[RECORD_COMM];
};

/* What happened in one 2 MiB unit of one process. */
struct unit_key {
	__u32 tgid;
	__u32 pad;
	__u64 unit; /* address >> 21 */
};

struct unit_record {
	__u64 minor, major, failed;
};

enum fault_flags {
	FAULT_WRITE = 1 << 0,
	FAULT_USER = 1 << 1, /* the exception came from user mode */
	FAULT_FETCH = 1 << 2,
	FAULT_MINOR = 1 << 3,
	FAULT_MAJOR = 1 << 4, /* neither: it failed */
};

/* One fault of the stream, sent when the thread's next fault or its end shows how it went. */
struct fault_event {
	__u64 time; /* of the exception */
	__u64 address;
	__u64 ip;
	__u32 tgid, tid;
	__u32 flags; /* enum fault_flags */
	__u32 pad;
};

#endif
