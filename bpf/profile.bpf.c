/*
 * profile - at each tick, what the registered processes have used: faults and CPU time of all their
 * threads, those that have ended included.
 *
 * The loader runs the iterator once a tick. It adds up the threads of each registered process; at
 * the end every process that was met gets a sample, and what was not met has ended and is dropped.
 * The array is frozen: user space can only read it, and maps it without privilege once it is pinned
 * so.
 */
#include "follow.bpf.h"

#define REGISTERED_MAX 4096

struct profile_element {
	union {
		struct profile_header header;
		struct profile_sample sample;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REGISTERED_MAX);
	__type(key, __u32);
	__type(value, struct profile_process);
} registered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROFILE_CAPACITY + 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct profile_element);
} samples SEC(".maps");

/* Of processes that were registered and have ended, and of this tick. */
struct profile_sample departed, sum;
__u32 tick;

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	return true;
}

static void thread_ended(struct task_struct *task, struct process_record *process)
{
}

static void add_task(struct profile_process *p, const struct task_struct *task)
{
	p->adding_minor += task->min_flt;
	p->adding_major += task->maj_flt;
	p->adding_cpu += task->se.sum_exec_runtime;
	if (task->pid != task->tgid)
		return;
	p->adding_minor += task->signal->min_flt;
	p->adding_major += task->signal->maj_flt;
	p->adding_cpu += task->signal->sum_sched_runtime;
}

static void write_sample(const struct profile_sample *sample)
{
	const __u32 first = 0;
	struct profile_element *head = bpf_map_lookup_elem(&samples, &first), *place;
	__u32 at;

	if (!head)
		return;
	at = 1 + head->header.written % PROFILE_CAPACITY;
	place = bpf_map_lookup_elem(&samples, &at);
	if (!place)
		return;
	place->sample = *sample;
	/* The number after the sample: a reader that sees it sees the sample. */
	__sync_fetch_and_add(&head->header.written, 1);
}

static long close_process(void *map, const __u32 *tgid, struct profile_process *p, void *unused)
{
	struct profile_sample sample = {.time = sum.time, .tgid = *tgid};

	if (p->seen == tick) {
		p->minor = p->adding_minor;
		p->major = p->adding_major;
		p->cpu_ns = p->adding_cpu;
	}
	if (!p->known && p->seen == tick) {
		p->base_minor = p->minor;
		p->base_major = p->major;
		p->base_cpu = p->cpu_ns;
		p->known = 1;
	}
	sample.minor = p->minor - p->base_minor;
	sample.major = p->major - p->base_major;
	sample.cpu_ns = p->cpu_ns - p->base_cpu;
	if (p->seen != tick) {
		departed.minor += sample.minor;
		departed.major += sample.major;
		departed.cpu_ns += sample.cpu_ns;
		bpf_map_delete_elem(&registered, tgid);
		return 0;
	}
	sum.minor += sample.minor;
	sum.major += sample.major;
	sum.cpu_ns += sample.cpu_ns;
	sum.processes++;
	write_sample(&sample);
	return 0;
}

static void close_tick(void)
{
	const __u32 first = 0;
	struct profile_element *head = bpf_map_lookup_elem(&samples, &first);

	sum = (struct profile_sample){.time = bpf_ktime_get_ns()};
	bpf_for_each_map_elem(&registered, close_process, NULL, 0);
	sum.minor += departed.minor;
	sum.major += departed.major;
	sum.cpu_ns += departed.cpu_ns;
	write_sample(&sum);
	if (head) {
		head->header.magic = PROFILE_MAGIC;
		head->header.tick_ns = PROFILE_TICK_MS * 1000000ull;
		head->header.capacity = PROFILE_CAPACITY;
		head->header.sample_bytes = sizeof(struct profile_element);
		head->header.ticks = ++tick;
	}
}

SEC("iter/task")
int profile_tick(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct profile_process *p;
	__u32 tgid;

	if (!task) {
		close_tick();
		return 0;
	}
	tgid = task->tgid;
	p = bpf_map_lookup_elem(&registered, &tgid);
	if (!p)
		return 0;
	/* The first of its threads in this tick starts the addition. */
	if (p->seen != tick) {
		p->adding_minor = p->adding_major = p->adding_cpu = 0;
		p->seen = tick;
	}
	add_task(p, task);
	return 0;
}

char profile_license[] SEC("license") = "GPL";
