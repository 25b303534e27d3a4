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
	__u64 gup;	    /* system calls' own that were seen one by one, where they can be */
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
	struct unit_key key;
	__u64 minor, major, failed;
};

enum fault_flags {
	FAULT_WRITE = 1 << 0,
	FAULT_USER = 1 << 1, /* the exception came from user mode */
	FAULT_FETCH = 1 << 2,
	FAULT_MINOR = 1 << 3,
	FAULT_MAJOR = 1 << 4,  /* neither: it failed */
	FAULT_GUP = 1 << 5,    /* no exception: a system call brought the page in; `ip` is 0 */
	FAULT_OTHERS = 1 << 6, /* GUP in another's memory; never sent */
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

/*
 * Histogram of nanoseconds, as the pager's own (include/predicomp/segment.h): bucket = value below
 * 16, else 16 linear steps in each power of two; the last takes all above 2^36.
 */
#define HISTOGRAM_BUCKETS 528
#define HISTOGRAM_ROOM	  1024 /* a power of two: an index that is masked by it is safe to see */

struct histogram {
	__u64 count, sum, max;
	__u64 bucket[HISTOGRAM_ROOM];
};

/* What a fault did between its exception and its end. */
enum stall_kind {
	STALL_RAN,    /* never slept: the page was made at once */
	STALL_UFFD,   /* waited for a userfaultfd handler */
	STALL_OTHER,  /* slept for something else: a disk, a lock */
	STALL_REACH,  /* of UFFD: until a followed handler runs */
	STALL_SERVE,  /* of UFFD: from there until that handler wakes the thread */
	STALL_RESUME, /* of UFFD: until the thread has a CPU again */
	STALL_KINDS,
	STALL_ROOM = 8,
};

/* What reclaim did; `kswapd_*` are the machine's, the rest of what is watched. */
struct reclaim_counts {
	__u64 kswapd_woken, kswapd_slept, kswapd_asked;
	__u64 kswapd_pages;
	__u64 direct_begun, direct, direct_ns, direct_pages;
	__u64 memcg_begun, memcg, memcg_ns, memcg_pages;
	__u64 pageout_pages; /* by madvise(MADV_PAGEOUT) */
	__u64 written;	     /* folios */
	__u64 throttled;
};

/* Who waited for it. */
struct reclaim_process {
	__u64 times, stall_ns, max_ns, pages;
	char comm[RECORD_COMM];
};

enum life_kind { LIFE_FORK, LIFE_EXEC, LIFE_EXIT };

#define LIFE_ARGUMENTS 256

/* A process began, became another program, or ended. */
struct life_event {
	__u64 time;
	__u64 lived_ns;	    /* exit: since its birth */
	__u64 minor, major; /* exit: of all its threads */
	__u64 peak_pages;   /* exit: most that was resident */
	__u64 cpu_ns;	    /* exit: of all its threads */
	__u32 uid;	    /* real, of the initial namespace */
	__u32 kind;	    /* enum life_kind */
	__u32 tgid, parent;
	__u32 exit_code; /* as wait(2) has it */
	__u32 length;	 /* exec: of the arguments, ends included */
	char comm[RECORD_COMM];
	char arguments[LIFE_ARGUMENTS];
};

/* Huge pages and migrations, of what is watched. */
struct thp_counts {
	__u64 faults, fallbacks;	  /* order-9 allocations inside a fault: had, and refused */
	__u64 collapses, collapse_failed; /* by khugepaged or MADV_COLLAPSE */
	__u64 scans;			  /* of khugepaged */
	__u64 migrated, migrate_failed;	  /* pages, in its own context */
	__u64 numa_moves;		  /* of a thread to another node */
	__u64 splits;			  /* of huge mappings */
};

/*
 * The profiler's array: element 0 is the header, the rest a ring of samples. A reader takes
 * `written` first; sample number n lies in element 1 + n % capacity, and is overwritten `capacity`
 * later.
 */
#define PROFILE_MAGIC	 0x31666f7270636970ull /* "picprof1" little endian */
#define PROFILE_CAPACITY 65535
#define PROFILE_TICK_MS	 50

struct profile_sample {
	__u64 time;
	__u64 minor, major, cpu_ns; /* since it was registered */
	__u32 tgid;		    /* 0: all, those that have ended included */
	__u32 processes;	    /* in a sum: alive now */
};

struct profile_header {
	__u64 magic, written, tick_ns;
	__u32 capacity, sample_bytes, ticks, pad;
};

/* A registered process. */
struct profile_process {
	__u64 base_minor, base_major, base_cpu;
	__u64 minor, major, cpu_ns; /* of the last complete tick */
	__u64 adding_minor, adding_major, adding_cpu;
	__u32 known; /* the base is there */
	__u32 seen;  /* the tick in which it was last there; ~0: none yet */
};

#endif
