/*
 * faults - every page fault of the followed processes, with its address and how it went.
 *
 * A fault's exception has a tracepoint and its completion has none. But the kernel accounts each
 * completed fault in the thread's own min_flt and maj_flt, and a thread has one fault at a time. So
 * each exception is held until the thread's next one, and what the two counters did meanwhile says
 * how it went: a step of maj_flt, major; else a step of min_flt, minor; else it failed. What is
 * left of the step had no exception: get_user_pages() (GUP) on behalf of a system call. Those are
 * seen one by one, with their address, where a program may stand at the function that all faults
 * pass: it has the registers of an exception, or none. They are held as exceptions are.
 */
#include "follow.bpf.h"

const volatile __u32 units_max;	 /* 0: units are not counted */
const volatile bool send_events; /* fill `events` */
const volatile __u32 slots_mask; /* places in `slots` that are used, less one */

#define SLOTS 4096 /* a power of two */
#define BATCH 32   /* a power of two */

struct thread_record {
	__u64 key;	 /* whose it is, of a slot: key_of() or SLOT_FREE or SLOT_TAKEN */
	__u32 elsewhere; /* of a slot: threads that would have it and lie in `threads` */
	__u32 slot;	 /* its place in `slots`, and one; 0: it lies in `threads` */
	__u32 place;	 /* of `unit` in `unit_records`; 0: none */
	__u64 unit;	 /* the last one */
	struct fault_counts
	    counts; /* minor and major are what the counters showed, less the base */
	__u64 base_minor, base_major;
	struct fault_event held; /* time 0: none */
};

/*
 * Where the kernel guards its returns (retbleed, SRSO), a call costs more than what is called, and a
 * look into an array is none. So a thread's record lies in the slot that its key names, and only
 * where another thread has that slot, in the kernel's own table.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct thread_record);
} slots SEC(".maps");

enum slot_key { SLOT_FREE = 0, SLOT_TAKEN = 2 };

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_record);
} threads SEC(".maps");

/*
 * Faults come in runs in one unit: the table is asked at the first of a run, and the rest is
 * counted in the record whose place the thread remembers. Records are never moved or taken away.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* the loader sets it where it is wanted */
	__type(key, struct unit_key);
	__type(value, __u32);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* that of `places` and one: nothing has place 0 */
	__type(key, __u32);
	__type(value, struct unit_record);
} unit_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the loader sets it where it is wanted */
} events SEC(".maps");

/* Events of the thread that has the slot, on their way to `events`; for the same reason. */
struct event_batch {
	__u32 busy; /* the thread is adding to it, or the reader emptying it */
	__u32 count;
	struct fault_event event[BATCH];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader sets it where it is wanted */
	__type(key, __u32);
	__type(value, struct event_batch);
} batches SEC(".maps");

/* Threads that have ended, in that order. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader sets it where it is wanted */
	__type(key, __u32);
	__type(value, struct thread_line);
} ended_threads SEC(".maps");

__u32 threads_ended; /* of them, those that found no room included */

/* Of all threads that have ended, whatever became of their process's record. */
struct fault_counts departed;

/*
 * An ending thread's counts go from its record to the sums, and who reads both meanwhile has them
 * never or twice. The reader reads `done` before and `begun` after, until they agree.
 */
__u64 departures_begun, departures_done;

__u64 units_refused, events_dropped;
__u64 exceptions_missed; /* of threads that had no record then: they look like system calls' own */
__u32 places_taken;	 /* some may have no unit: two threads that met in a new one */

static void counts_add(struct fault_counts *to, const struct fault_counts *from)
{
	__sync_fetch_and_add(&to->minor, from->minor);
	__sync_fetch_and_add(&to->major, from->major);
	__sync_fetch_and_add(&to->user, from->user);
	__sync_fetch_and_add(&to->kernel, from->kernel);
	__sync_fetch_and_add(&to->failed, from->failed);
	__sync_fetch_and_add(&to->gup, from->gup);
}

/* A new unit's place, or 0. */
static __u32 take_place(const struct unit_key *key)
{
	struct unit_record *record;
	__u32 place, *winner;

	if (places_taken >= units_max)
		return 0;
	place = __sync_fetch_and_add(&places_taken, 1) + 1;
	record = bpf_map_lookup_elem(&unit_records, &place);
	if (!record)
		return 0;
	record->key = *key;
	if (bpf_map_update_elem(&places, key, &place, BPF_NOEXIST) == 0)
		return place;
	winner = bpf_map_lookup_elem(&places, key);
	return winner ? *winner : 0;
}

static __u32 place_of(__u32 tgid, __u64 unit)
{
	const struct unit_key key = {.tgid = tgid, .unit = unit};
	const __u32 *place = bpf_map_lookup_elem(&places, &key);

	return place ? *place : take_place(&key);
}

static __always_inline void unit_count(struct thread_record *thread)
{
	const struct fault_event *event = &thread->held;
	const __u64 unit = event->address >> 21;
	struct unit_record *record;

	if (thread->unit != unit || !thread->place) {
		thread->unit = unit;
		thread->place = place_of(event->tgid, unit);
	}
	record = thread->place ? bpf_map_lookup_elem(&unit_records, &thread->place) : NULL;
	if (!record)
		__sync_fetch_and_add(&units_refused, 1);
	else if (event->flags & FAULT_MAJOR)
		__sync_fetch_and_add(&record->major, 1);
	else if (event->flags & FAULT_MINOR)
		__sync_fetch_and_add(&record->minor, 1);
	else
		__sync_fetch_and_add(&record->failed, 1);
}

/* The reader looks some hundred times a second; waking it each time would cost more than all else.
 */
static __always_inline void events_output(const struct fault_event *event, __u32 count)
{
	if (bpf_ringbuf_output(&events, (void *)event, count * sizeof(*event), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&events_dropped, count);
}

/* NULL where there is none, or where the other side is at it. */
static __always_inline struct event_batch *batch_enter(const struct thread_record *thread)
{
	const __u32 place = thread->slot - 1;
	struct event_batch *batch = bpf_map_lookup_elem(&batches, &place);

	return batch && !__sync_lock_test_and_set(&batch->busy, 1) ? batch : NULL;
}

static __always_inline void batch_leave(struct event_batch *batch)
{
	barrier();
	batch->busy = 0;
}

static __always_inline void event_send(const struct thread_record *thread)
{
	struct event_batch *batch = batch_enter(thread);

	if (!batch) {
		events_output(&thread->held, 1);
		return;
	}
	batch->event[batch->count % BATCH] = thread->held;
	batch->count = (batch->count + 1) % BATCH;
	if (!batch->count)
		events_output(batch->event, BATCH);
	batch_leave(batch);
}

/* What waits in a batch; where the other side is at it, it goes without this. */
static void events_release(const struct thread_record *thread)
{
	struct event_batch *batch = batch_enter(thread);
	__u32 count;

	if (!batch)
		return;
	count = batch->count % BATCH; /* it is no more in any case: so older verifiers see it too */
	if (count)
		events_output(batch->event, count);
	batch->count = 0;
	batch_leave(batch);
}

/* What became of the exception that is held. */
static __always_inline void settle(struct thread_record *thread, const struct task_struct *task)
{
	__u64 minor = task->min_flt - thread->base_minor;
	__u64 major = task->maj_flt - thread->base_major;

	if (thread->held.time) {
		if (major != thread->counts.major)
			thread->held.flags |= FAULT_MAJOR;
		else if (minor != thread->counts.minor)
			thread->held.flags |= FAULT_MINOR;
		else if (thread->held.flags & FAULT_GUP)
			thread->counts.gup--; /* the kernel tries again */
		else
			thread->counts.failed++;
		if (units_max && !(thread->held.flags & FAULT_OTHERS))
			unit_count(thread);
		if (send_events && !(thread->held.flags & FAULT_OTHERS))
			event_send(thread);
		thread->held.time = 0;
	}
	thread->counts.minor = minor;
	thread->counts.major = major;
}

/*
 * A thread is known by where its stack in the kernel begins, for there an exception from user mode
 * leaves its registers, and so tells whose it is without a call. As the difference of two addresses
 * that is a number to the verifier, and can be mixed.
 */
static __always_inline __u64 key_at(__u64 registers)
{
	return (registers - (__u64)&processes_refused) | 1;
}

static __always_inline __u64 key_of(struct task_struct *task)
{
	return key_at((__u64)bpf_task_pt_regs(task));
}

static __always_inline __u32 slot_of(__u64 key)
{
	return (((__u32)(key >> 6) * 0x9e3779b1u) >> 20) & slots_mask;
}

static __always_inline struct thread_record *in_slot(__u64 key)
{
	const __u32 slot = slot_of(key);

	return bpf_map_lookup_elem(&slots, &slot);
}

static __always_inline struct thread_record *elsewhere_of(struct task_struct *task)
{
	return task->bpf_storage ? bpf_task_storage_get(&threads, task, NULL, 0) : NULL;
}

/* NULL of a task that is not followed. */
static __always_inline struct thread_record *record_of(struct task_struct *task)
{
	const __u64 key = key_of(task);
	struct thread_record *thread = in_slot(key);

	return thread && thread->key == key ? thread : elsewhere_of(task);
}

static void record_begin(struct thread_record *thread, const struct task_struct *task,
			 enum followed_how how)
{
	__builtin_memset(&thread->counts, 0, sizeof(thread->counts));
	thread->base_minor = how == FOLLOWED_ADOPTED ? task->min_flt : 0;
	thread->base_major = how == FOLLOWED_ADOPTED ? task->maj_flt : 0;
	thread->held.time = 0;
	thread->unit = 0;
	thread->place = 0;
}

/*
 * Its key is the last to be written: who looks meanwhile does not find half a record. A thread that
 * ends gives its stack to another while it can still be looked at, so it gets no slot; one that began
 * to end meanwhile may have been forgotten already, or not.
 */
static bool take_slot(struct task_struct *task, enum followed_how how)
{
	const __u64 key = key_of(task);
	const __u32 slot = slot_of(key);
	struct thread_record *thread = bpf_map_lookup_elem(&slots, &slot);

	if (!thread || task->flags & PF_EXITING ||
	    !__sync_bool_compare_and_swap(&thread->key, SLOT_FREE, SLOT_TAKEN))
		return false;
	record_begin(thread, task, how);
	thread->slot = slot + 1;
	__sync_lock_test_and_set(&thread->key, key);
	if (!(task->flags & PF_EXITING))
		return true;
	__sync_bool_compare_and_swap(&thread->key, key, SLOT_FREE);
	return false;
}

/* The slot that it would have says so first: who finds another there looks no further otherwise. */
static bool take_elsewhere(struct task_struct *task, enum followed_how how)
{
	struct thread_record *slot = in_slot(key_of(task)), *thread;

	if (slot)
		__sync_fetch_and_add(&slot->elsewhere, 1);
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (thread)
		record_begin(thread, task, how);
	else if (slot)
		__sync_fetch_and_add(&slot->elsewhere, -1);
	return thread;
}

static bool thread_followed(struct task_struct *task, enum followed_how how)
{
	if (record_of(task))
		return true; /* followed already: its base stays */
	return take_slot(task, how) || take_elsewhere(task, how);
}

static void forget(struct task_struct *task, struct thread_record *thread)
{
	struct thread_record *slot = in_slot(key_of(task));

	if (thread && thread->slot) {
		__sync_lock_test_and_set(&thread->key, SLOT_FREE);
		return;
	}
	if (thread && slot)
		__sync_fetch_and_add(&slot->elsewhere, -1);
	bpf_task_storage_delete(&threads, task);
}

/* Of a thread that was born without a record, one that is made now. */
static struct thread_record *late_record_of(struct task_struct *task)
{
	if (!is_late(task))
		return NULL;
	if (!thread_followed(task, FOLLOWED_BORN))
		__sync_fetch_and_add(&exceptions_missed, 1);
	return record_of(task);
}

static void name_thread(struct thread_line *line, const struct task_struct *task)
{
	line->tgid = task->tgid;
	line->tid = task->pid;
	BPF_CORE_READ_STR_INTO(&line->comm, task, comm);
}

static void list_ended(const struct task_struct *task, const struct fault_counts *counts)
{
	__u32 place = __sync_fetch_and_add(&threads_ended, 1);
	struct thread_line *line = bpf_map_lookup_elem(&ended_threads, &place);

	if (!line)
		return;
	line->counts = *counts;
	name_thread(line, task);
}

static void thread_ended(struct task_struct *task, struct process_record *process)
{
	struct fault_counts counts = {.minor = task->min_flt, .major = task->maj_flt};
	struct thread_record *thread = record_of(task);

	if (!thread && !is_late(task))
		return;
	if (thread) {
		settle(thread, task);
		if (send_events)
			events_release(thread);
		counts = thread->counts;
	}
	__sync_fetch_and_add(&departures_begun, 1);
	if (process)
		counts_add(&process->departed, &counts);
	counts_add(&departed, &counts);
	if (keep_ended)
		list_ended(task, &counts);
	forget(task, thread);
	__sync_fetch_and_add(&departures_done, 1);
}

/* Inline, as all that runs at each fault, for the reason that there are slots. */
static __always_inline int note(struct task_struct *task, struct thread_record *thread,
				unsigned long address, unsigned long ip, unsigned long error,
				__u32 mode)
{
	if (!thread)
		thread = late_record_of(task);
	if (!thread)
		return 0;
	settle(thread, task);
	if (mode & FAULT_GUP)
		thread->counts.gup++;
	else if (mode == FAULT_USER)
		thread->counts.user++;
	else
		thread->counts.kernel++;
	thread->held.time = 1;
	thread->held.flags = mode;
	if (!units_max && !send_events)
		return 0;
	if (send_events)
		thread->held.time = bpf_ktime_get_ns();
	thread->held.address = address;
	thread->held.ip = ip;
	thread->held.tgid = task->tgid;
	thread->held.tid = task->pid;
	thread->held.flags = mode | (error & 2 ? FAULT_WRITE : 0) | (error & 16 ? FAULT_FETCH : 0);
	return 0;
}

/* Of most exceptions by far nobody follows the thread, and its slot says so without any call. */
SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	const __u64 key = key_at((__u64)regs);
	struct thread_record *thread = in_slot(key);
	struct task_struct *task;

	if (!thread)
		return 0;
	if (thread->key != key && !thread->elsewhere && !births_missed)
		return 0;
	task = bpf_get_current_task_btf();
	if (thread->key != key)
		thread = elsewhere_of(task);
	return note(task, thread, address, regs->ip, error, FAULT_USER);
}

/* Its registers may lie anywhere. */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return note(task, record_of(task), address, regs->ip, error, 0);
}

#define FAULT_ERROR_WRITE 2 /* as an exception's error code has it */

static int note_gup(const struct vm_area_struct *vma, unsigned long address, unsigned int flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 mode = FAULT_GUP;

	if (BPF_CORE_READ(vma, vm_mm) != task->mm)
		mode |= FAULT_OTHERS;
	return note(task, record_of(task), address, 0,
		    flags & FAULT_FLAG_WRITE ? FAULT_ERROR_WRITE : 0, mode);
}

/* One of these two. */
SEC("?fentry/handle_mm_fault")
int BPF_PROG(fault_enter, struct vm_area_struct *vma, unsigned long address, unsigned int flags,
	     struct pt_regs *regs)
{
	return regs ? 0 : note_gup(vma, address, flags);
}

SEC("?kprobe/handle_mm_fault")
int fault_probe(struct pt_regs *regs)
{
	return regs->cx ? 0 : note_gup((const struct vm_area_struct *)regs->di, regs->si, regs->dx);
}

/* All followed threads as they are now, one thread_line each. What is held may still be under way.
 */
SEC("iter/task")
int read_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_line line = {};
	struct thread_record *thread;

	if (!task)
		return 0;
	thread = record_of(task);
	if (!thread)
		return 0;
	line.counts = thread->counts;
	line.counts.minor = task->min_flt - thread->base_minor;
	line.counts.major = task->maj_flt - thread->base_major;
	name_thread(&line, task);
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
	return 0;
}

/* What waits in batches, of threads that may not fault for long. */
SEC("iter/task")
int release_events(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_record *thread;

	if (!task)
		return 0;
	thread = record_of(task);
	if (thread)
		events_release(thread);
	return 0;
}

char faults_license[] SEC("license") = "GPL";
