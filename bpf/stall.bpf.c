/*
 * stall - how long faults keep the threads of the followed processes.
 *
 *     page_fault_*             the exception: the clock starts
 *       sched_switch, out      it sleeps. Interruptibly: only userfaultfd waits so inside a fault
 *       sched_waking           who wakes it, and since when that one ran
 *       sched_switch, in       it runs again
 *     handle_mm_fault, end,    the kernel has accounted it: the clock stops
 *     or perf MIN_FLT, MAJ_FLT
 *
 * That a thread is still inside its fault is seen by its own counters, which grow at the end only.
 */
#include "follow.bpf.h"

#define TASK_INTERRUPTIBLE   1
#define TASK_UNINTERRUPTIBLE 2

struct stall_record {
	__u64 began;	/* of the fault; 0: none is timed */
	__u64 resolved; /* min_flt + maj_flt then */
	__u64 slept;	/* when it went to sleep; 0: it did not */
	__u64 woken;
	__u64 running; /* since when this thread has run, or has served its last */
	__u32 kind;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stall_record);
} stalls SEC(".maps");

struct histogram histograms[STALL_ROOM];
__u64 faults_untimed; /* their end was not seen, or they failed */

/* floor(log2(v)) for v > 0 */
static __u32 log2_of(__u64 v)
{
	__u32 power = 0;

	for (int step = 32; step; step >>= 1) {
		if (v >> step) {
			v >>= step;
			power += step;
		}
	}
	return power;
}

static __u32 bucket_of(__u64 ns)
{
	__u32 power, bucket;

	if (ns < 16)
		return ns;
	power = log2_of(ns);
	bucket = 16 + (power - 4) * 16 + ((ns >> (power - 4)) & 15);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/*
 * The verifier of Linux 6.1 must see each index bounded where it is used. What the compiler has
 * worked out itself it does not say twice, so it is made to forget.
 */
static void observe(__u64 kind, __u64 ns)
{
	__u64 bucket = bucket_of(ns);
	struct histogram *h;

	barrier_var(kind);
	barrier_var(bucket);
	h = &histograms[kind & (STALL_ROOM - 1)];
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum, ns);
	__sync_fetch_and_add(&h->bucket[bucket & (HISTOGRAM_ROOM - 1)], 1);
	if (ns > h->max)
		h->max = ns; /* two at once may lose one of them */
}

static __u64 after(__u64 from, __u64 to)
{
	return to > from ? to - from : 0;
}

static struct stall_record *record_of(struct task_struct *task)
{
	return bpf_task_storage_get(&stalls, task, NULL, 0);
}

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	struct stall_record *r =
	    bpf_task_storage_get(&stalls, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (r && how == FOLLOWED_ADOPTED)
		r->running = bpf_ktime_get_ns();
	return r;
}

static void thread_ended(struct task_struct *task, struct process_record *process)
{
}

static int start_clock(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stall_record *r = record_of(task);

	if (!r && is_late(task)) {
		if (!thread_followed(task, FOLLOWED_BORN))
			__sync_fetch_and_add(&faults_untimed, 1);
		r = record_of(task);
	}
	if (!r)
		return 0;
	if (r->began)
		__sync_fetch_and_add(&faults_untimed, 1);
	r->resolved = task->min_flt + task->maj_flt;
	r->kind = STALL_RAN;
	r->slept = 0;
	r->began = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/page_fault_user")
int stall_user(void *ctx)
{
	return start_clock();
}

SEC("tp_btf/page_fault_kernel")
int stall_kernel(void *ctx)
{
	return start_clock();
}

static void slept_in_fault(struct task_struct *task, __u64 now)
{
	struct stall_record *r = record_of(task);
	const __u32 state = task->__state;

	if (!r || !r->began || r->resolved != task->min_flt + task->maj_flt)
		return;
	if (!(state & (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)))
		return; /* pre-empted */
	r->kind = state & TASK_INTERRUPTIBLE ? STALL_UFFD : STALL_OTHER;
	r->slept = now;
	r->woken = 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(stall_switch, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	const __u64 now = bpf_ktime_get_ns();
	struct stall_record *r;

	slept_in_fault(prev, now);
	r = record_of(next);
	if (!r)
		return 0;
	r->running = now;
	if (r->slept && r->woken) {
		if (r->kind == STALL_UFFD)
			observe(STALL_RESUME, after(r->woken, now));
		r->slept = 0;
	}
	return 0;
}

/* The waker is whoever answers the fault. Of one outside the followed, nothing is known. */
static void note_server(const struct stall_record *r, __u64 now)
{
	struct stall_record *server = record_of(bpf_get_current_task_btf());
	__u64 from;

	if (!server || !server->running)
		return;
	from = server->running > r->began ? server->running : r->began;
	observe(STALL_REACH, after(r->began, from));
	observe(STALL_SERVE, after(from, now));
	server->running = now;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(stall_waking, struct task_struct *task)
{
	struct stall_record *r = record_of(task);
	__u64 now;

	if (!r || !r->slept || r->woken)
		return 0;
	now = bpf_ktime_get_ns();
	r->woken = now;
	if (r->kind == STALL_UFFD)
		note_server(r, now);
	return 0;
}

/* Not yet where the kernel will try again, as after each wait for userfaultfd. */
static int stop_clock(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stall_record *r = record_of(task);

	if (!r || !r->began || r->resolved == task->min_flt + task->maj_flt)
		return 0;
	observe(r->kind, after(r->began, bpf_ktime_get_ns()));
	r->began = 0;
	return 0;
}

/* Faults of system calls' own have no registers, and no exception that started the clock. */
SEC("?fexit/handle_mm_fault")
int BPF_PROG(stall_return, struct vm_area_struct *vma, unsigned long address, unsigned int flags,
	     struct pt_regs *regs)
{
	return regs ? stop_clock() : 0;
}

/* Else the software events of minor and major faults, inherited by what the followed start. */
SEC("?perf_event")
int stall_done(void *ctx)
{
	return stop_clock();
}

char stall_license[] SEC("license") = "GPL";
