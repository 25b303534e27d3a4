/*
 * follow.bpf.h - which processes the programs of an object look at: those that user space named,
 * and every process and thread that came from them since.
 *
 *     follow_adopt   iter/task over one process, run by the loader: enters it and its threads
 *     follow_fork    before a child can run: enters it when its parent is there
 *     follow_exit    in each thread's end: tells the object; after the last one's the process's record
 *                    makes room for others, unless the object keeps those that have ended
 *
 * The loader names a process by pidfd, and the iterator turns that into the kernel's own number: no
 * process-number namespace can come between. An object that includes this defines the two hooks
 * thread_followed(), which is false where the kernel had no memory for the thread's record, and
 * thread_ended(), whose process may have no record any more: NULL. They may do nothing.
 *
 * Inside a program the kernel makes a record without waiting, and may refuse it. So an adoption is
 * repeated by the loader, and the record of a thread that was born without one is made when the
 * object first asks for it: is_late() tells such a thread from all those that nobody follows. Its
 * counters were 0 at its birth, so nothing that the kernel accounts is lost.
 */
#ifndef PC_BPF_FOLLOW_BPF_H
#define PC_BPF_FOLLOW_BPF_H

#include "kernel.h"
#include "record.h"

#define PROCESSES_MAX 16384

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct process_record);
} processes SEC(".maps");

const volatile __u32 births_lost; /* so many births find no memory: for tests */
const volatile bool keep_ended;	  /* the loader reads and takes away what has ended */

__u64 processes_refused; /* children that did not fit into the table */
__u64 births_missed;	 /* threads whose record could not be made at their birth */
__u64 adoptions_missed;

enum followed_how { FOLLOWED_ADOPTED, FOLLOWED_BORN };
static bool thread_followed(struct task_struct *task, enum followed_how how);
static void thread_ended(struct task_struct *task, struct process_record *process);

/* Its number may be another's by now. */
static struct process_record *process_of(const struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct process_record *process = bpf_map_lookup_elem(&processes, &tgid);

	return process && !process->ended ? process : NULL;
}

/* Where no birth was missed, which is nearly always, who is not followed pays for one look. */
static inline bool is_late(const struct task_struct *task)
{
	const struct process_record *process;

	if (!births_missed)
		return false;
	process = process_of(task);
	return process && (process->parent || task->start_time > process->born);
}

static void process_enter(const struct task_struct *task, __u32 parent)
{
	struct process_record record = {.born = bpf_ktime_get_ns(), .parent = parent};
	__u32 tgid = task->tgid;

	BPF_CORE_READ_STR_INTO(&record.comm, task, comm);
	if (bpf_map_update_elem(&processes, &tgid, &record, BPF_ANY) != 0)
		__sync_fetch_and_add(&processes_refused, 1);
}

SEC("iter/task")
int follow_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	if (!process_of(task))
		process_enter(task, 0);
	if (!thread_followed(task, FOLLOWED_ADOPTED))
		__sync_fetch_and_add(&adoptions_missed, 1);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	if (!process_of(parent))
		return 0;
	if (child->tgid != parent->tgid)
		process_enter(child, parent->tgid);
	if (births_missed < births_lost || !thread_followed(child, FOLLOWED_BORN))
		__sync_fetch_and_add(&births_missed, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(follow_exit, struct task_struct *task)
{
	struct process_record *process = process_of(task);
	__u32 tgid = task->tgid;

	/* Also of a thread whose last sibling was faster, and of a process that found no room. */
	thread_ended(task, process);
	if (!process)
		return 0;
	/* What the process was called in the end: it has long since executed something. */
	if (task->pid == task->tgid)
		BPF_CORE_READ_STR_INTO(&process->comm, task, comm);
	if (task->signal->live.counter != 0)
		return 0;
	process->ended = 1;
	if (!keep_ended)
		bpf_map_delete_elem(&processes, &tgid);
	return 0;
}

#endif
