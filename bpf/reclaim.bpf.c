/*
 * reclaim - who made the kernel take memory back, how long it took, and how much came of it.
 *
 *     kswapd                its wake-ups and sleeps; the pages it reclaimed
 *     direct, memcg         begin and end in the thread that has to wait: a stopwatch each
 *     MADV_PAGEOUT          pages: a tracepoint on newer kernels, else the end of the function that
 *                           serves it
 *
 * The tracepoints carry no memory cgroup: everything is attributed to the thread it happens in.
 */
#include "follow.bpf.h"

#define PF_KSWAPD 0x00020000

enum { SCOPE_ALL, SCOPE_FOLLOWED, SCOPE_CGROUP };

const volatile __u32 scope;

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64); /* when its reclaim began; 0: none */
} stopwatches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct reclaim_process);
} stalled SEC(".maps");

struct reclaim_counts counts;
__u64 stalled_refused;
__u32 last_tgid;
char last_comm[RECORD_COMM];

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	return true;
}

static void thread_ended(struct task_struct *task, struct process_record *process)
{
}

static bool in_scope(const struct task_struct *task)
{
	if (scope == SCOPE_CGROUP)
		return bpf_current_task_under_cgroup(&cgroup, 0) == 1;
	return scope == SCOPE_ALL || process_of(task);
}

static void bump(__u64 *counter, __u64 by)
{
	__sync_fetch_and_add(counter, by);
}

static void note_last(const struct task_struct *task)
{
	last_tgid = task->tgid;
	BPF_CORE_READ_STR_INTO(&last_comm, task, comm);
}

SEC("tp_btf/mm_vmscan_kswapd_wake")
int reclaim_kswapd_wake(void *ctx)
{
	bump(&counts.kswapd_woken, 1);
	return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int reclaim_kswapd_sleep(void *ctx)
{
	bump(&counts.kswapd_slept, 1);
	return 0;
}

SEC("tp_btf/mm_vmscan_wakeup_kswapd")
int reclaim_wakeup_kswapd(void *ctx)
{
	bump(&counts.kswapd_asked, 1);
	return 0;
}

static int begin(__u64 *begun)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 *started;

	if (!in_scope(task))
		return 0;
	started = bpf_task_storage_get(&stopwatches, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (started)
		*started = bpf_ktime_get_ns();
	bump(begun, 1);
	note_last(task);
	return 0;
}

/* Nanoseconds since its begin(); 0 where that was not seen. */
static __u64 end(struct task_struct *task)
{
	__u64 *started = bpf_task_storage_get(&stopwatches, task, NULL, 0);
	__u64 ns;

	if (!started || !*started)
		return 0;
	ns = bpf_ktime_get_ns() - *started;
	*started = 0;
	return ns;
}

static void attribute(const struct task_struct *task, __u64 ns, __u64 pages)
{
	__u32 tgid = task->tgid;
	struct reclaim_process *process = bpf_map_lookup_elem(&stalled, &tgid);

	if (!process) {
		struct reclaim_process none = {};

		BPF_CORE_READ_STR_INTO(&none.comm, task, group_leader, comm);
		bpf_map_update_elem(&stalled, &tgid, &none, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&stalled, &tgid);
	}
	if (!process) {
		bump(&stalled_refused, 1);
		return;
	}
	bump(&process->times, 1);
	bump(&process->stall_ns, ns);
	bump(&process->pages, pages);
	if (ns > process->max_ns)
		process->max_ns = ns; /* of two at once one may be lost */
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int reclaim_direct_begin(void *ctx)
{
	return begin(&counts.direct_begun);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(reclaim_direct_end, unsigned long pages)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u64 ns = end(task);

	if (!ns)
		return 0;
	bump(&counts.direct, 1);
	bump(&counts.direct_ns, ns);
	bump(&counts.direct_pages, pages);
	attribute(task, ns, pages);
	return 0;
}

SEC("?tp_btf/mm_vmscan_memcg_reclaim_begin")
int reclaim_memcg_begin(void *ctx)
{
	return begin(&counts.memcg_begun);
}

SEC("?tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(reclaim_memcg_end, unsigned long pages)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u64 ns = end(task);

	if (!ns)
		return 0;
	bump(&counts.memcg, 1);
	bump(&counts.memcg_ns, ns);
	bump(&counts.memcg_pages, pages);
	attribute(task, ns, pages);
	return 0;
}

SEC("tp_btf/mm_vmscan_lru_shrink_inactive")
int BPF_PROG(reclaim_shrink, int node, unsigned long scanned, unsigned long reclaimed)
{
	if (bpf_get_current_task_btf()->flags & PF_KSWAPD)
		bump(&counts.kswapd_pages, reclaimed);
	return 0;
}

SEC("tp_btf/mm_vmscan_write_folio")
int reclaim_write(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!in_scope(task))
		return 0;
	bump(&counts.written, 1);
	note_last(task);
	return 0;
}

SEC("tp_btf/mm_vmscan_throttled")
int reclaim_throttled(void *ctx)
{
	if (in_scope(bpf_get_current_task_btf()))
		bump(&counts.throttled, 1);
	return 0;
}

static int note_pageout(unsigned long reclaimed)
{
	if (in_scope(bpf_get_current_task_btf()))
		bump(&counts.pageout_pages, reclaimed);
	return 0;
}

/* One of these three. */
SEC("?tp_btf/mm_vmscan_reclaim_pages")
int BPF_PROG(reclaim_pageout, int node, unsigned long scanned, unsigned long reclaimed)
{
	return note_pageout(reclaimed);
}

SEC("?fexit/reclaim_pages")
int BPF_PROG(pageout_return, struct list_head *folios, unsigned long reclaimed)
{
	return note_pageout(reclaimed);
}

SEC("?kretprobe/reclaim_pages")
int pageout_probe(struct pt_regs *regs)
{
	return note_pageout(regs->ax);
}

char reclaim_license[] SEC("license") = "GPL";
