/*
 * thp - huge pages and migrations of the followed processes, as far as tracepoints show them; and
 * splits of huge mappings, which only the function that makes them shows.
 *
 * No tracepoint says "a fault was served with a huge page". An allocation of order 9 while a
 * followed thread is inside a fault does: that it is inside is seen by its own counters, which grow
 * at the end.
 */
#include "follow.bpf.h"

#define HUGE_ORDER 9

struct thp_record {
	__u64 resolved; /* min_flt + maj_flt when the last exception came */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thp_record);
} thp_threads SEC(".maps");

struct thp_counts counts;

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	struct thp_record *r =
	    bpf_task_storage_get(&thp_threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (r)
		r->resolved = ~0ull; /* in no fault */
	return r;
}

static void thread_ended(struct task_struct *task, struct process_record *process)
{
}

static void bump(__u64 *counter, __u64 by)
{
	__sync_fetch_and_add(counter, by);
}

static int note(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thp_record *r = bpf_task_storage_get(&thp_threads, task, NULL, 0);

	if (!r && is_late(task) && thread_followed(task, FOLLOWED_BORN))
		r = bpf_task_storage_get(&thp_threads, task, NULL, 0);
	if (r)
		r->resolved = task->min_flt + task->maj_flt;
	return 0;
}

SEC("tp_btf/page_fault_user")
int thp_user(void *ctx)
{
	return note();
}

SEC("tp_btf/page_fault_kernel")
int thp_kernel(void *ctx)
{
	return note();
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(thp_alloc, struct page *page, unsigned int order)
{
	struct task_struct *task;
	struct thp_record *r;

	if (order != HUGE_ORDER)
		return 0;
	task = bpf_get_current_task_btf();
	r = bpf_task_storage_get(&thp_threads, task, NULL, 0);
	if (!r || r->resolved != task->min_flt + task->maj_flt)
		return 0;
	bump(page ? &counts.faults : &counts.fallbacks, 1);
	return 0;
}

/* khugepaged works on others' memory: it is theirs by the owner of the mm. */
static bool is_followed(const struct mm_struct *mm)
{
	__u32 tgid = BPF_CORE_READ(mm, owner, tgid);

	return bpf_map_lookup_elem(&processes, &tgid) != NULL;
}

SEC("?tp_btf/mm_collapse_huge_page")
int BPF_PROG(thp_collapse, struct mm_struct *mm, int isolated, int status)
{
	if (!mm || !is_followed(mm))
		return 0;
	if (status == (int)bpf_core_enum_value(enum scan_result, SCAN_SUCCEED))
		bump(&counts.collapses, 1);
	else
		bump(&counts.collapse_failed, 1);
	return 0;
}

SEC("?tp_btf/mm_khugepaged_scan_pmd")
int BPF_PROG(thp_scan, struct mm_struct *mm)
{
	if (mm && is_followed(mm))
		bump(&counts.scans, 1);
	return 0;
}

SEC("?tp_btf/mm_migrate_pages")
int BPF_PROG(thp_migrate, unsigned long succeeded, unsigned long failed)
{
	if (!process_of(bpf_get_current_task_btf()))
		return 0;
	bump(&counts.migrated, succeeded);
	bump(&counts.migrate_failed, failed);
	return 0;
}

SEC("?tp_btf/sched_move_numa")
int BPF_PROG(thp_move, struct task_struct *task)
{
	if (process_of(task))
		bump(&counts.numa_moves, 1);
	return 0;
}

#define PMD_PRESENT 0x001
#define PMD_HUGE    0x080

/*
 * The function is also called for an entry that is no longer huge, and then does nothing: such an
 * entry is empty or points to a table. One that is being migrated is not present.
 */
static int note_split(const struct vm_area_struct *vma, const void *entry)
{
	unsigned long pmd = 0;

	bpf_probe_read_kernel(&pmd, sizeof(pmd), entry);
	if (!pmd || (pmd & (PMD_PRESENT | PMD_HUGE)) == PMD_PRESENT)
		return 0;
	if (is_followed(BPF_CORE_READ(vma, vm_mm)))
		bump(&counts.splits, 1);
	return 0;
}

/* One of these two. */
SEC("?fentry/__split_huge_pmd")
int BPF_PROG(thp_split, struct vm_area_struct *vma, void *entry)
{
	return note_split(vma, entry);
}

SEC("?kprobe/__split_huge_pmd")
int thp_split_probe(struct pt_regs *regs)
{
	return note_split((const struct vm_area_struct *)regs->di, (const void *)regs->si);
}

char thp_license[] SEC("license") = "GPL";
