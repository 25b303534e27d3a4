/*
 * life - processes that begin, become another program, and end; of the followed, or of all.
 */
#include "follow.bpf.h"

const volatile bool everyone;

/* The kernel's own, in no header of programs. */
#define SIGNAL_GROUP_EXIT 4
#define EEXIST		  17

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22); /* some 10 000 events, between two looks */
} life_events SEC(".maps");

__u64 life_dropped;

/* Threads that end together may each find that none is left. */
struct ended_process {
	__u64 born;
	__u32 tgid, zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ended_process);
	__type(value, __u8);
} life_ended SEC(".maps");

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	return true;
}

static bool in_scope(const struct task_struct *task)
{
	return everyone || process_of(task);
}

/*
 * With what all events have; NULL when the buffer is full. Inline: Linux 6.1 forgets what a function
 * returned that was not NULL, takes it for lost where its caller asks, and refuses the program.
 */
static __always_inline struct life_event *event_begin(const struct task_struct *task, enum life_kind kind)
{
	struct life_event *event = bpf_ringbuf_reserve(&life_events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&life_dropped, 1);
		return NULL;
	}
	event->time = bpf_ktime_get_ns();
	event->lived_ns = event->time - task->start_time;
	event->minor = event->major = event->peak_pages = event->cpu_ns = 0;
	event->uid = BPF_CORE_READ(task, cred, uid.val);
	event->exit_code = 0;
	event->length = 0;
	event->kind = kind;
	event->tgid = task->tgid;
	event->parent = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	event->arguments[0] = '\0';
	return event;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(life_fork, struct task_struct *parent, struct task_struct *child)
{
	struct life_event *event;

	if (child->tgid == parent->tgid || !in_scope(parent))
		return 0;
	event = event_begin(child, LIFE_FORK);
	if (event)
		bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(life_exec, struct task_struct *task)
{
	struct life_event *event;
	unsigned long start, length;

	if (!in_scope(task))
		return 0;
	event = event_begin(task, LIFE_EXEC);
	if (!event)
		return 0;
	start = BPF_CORE_READ(task, mm, arg_start);
	length = BPF_CORE_READ(task, mm, arg_end) - start;
	if (length >= LIFE_ARGUMENTS)
		length = LIFE_ARGUMENTS - 1;
	if (bpf_probe_read_user(event->arguments, length & (LIFE_ARGUMENTS - 1), (void *)start) ==
	    0)
		event->length = length;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void note_end(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = task->group_leader;
	const struct ended_process process = {.born = leader->start_time, .tgid = task->tgid};
	const __u8 yes = 1;
	struct life_event *event;

	if (bpf_map_update_elem(&life_ended, &process, &yes, BPF_NOEXIST) == -EEXIST)
		return;
	event = event_begin(task, LIFE_EXIT);
	if (!event)
		return;
	event->minor = signal->min_flt + task->min_flt;
	event->major = signal->maj_flt + task->maj_flt;
	event->peak_pages = signal->maxrss;
	event->cpu_ns = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	/* The kernel adds a thread up when it is released, the first one not before all others. */
	if (leader != task) {
		event->minor += leader->min_flt;
		event->major += leader->maj_flt;
		event->cpu_ns += leader->se.sum_exec_runtime;
	}
	event->lived_ns = event->time - leader->start_time;
	event->exit_code =
	    signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
	BPF_CORE_READ_STR_INTO(&event->comm, leader, comm);
	bpf_ringbuf_submit(event, 0);
}

/* Of a followed process, while it has its record. */
static void thread_ended(struct task_struct *task, struct process_record *process)
{
	if (process && task->signal->live.counter == 0)
		note_end(task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(life_exit, struct task_struct *task)
{
	if (everyone && task->signal->live.counter == 0)
		note_end(task);
	return 0;
}

char life_license[] SEC("license") = "GPL";
