/*
 * kernel.h - what the programs of this folder read of the kernel, and nothing else.
 *
 * WHY   A vmlinux.h generated at build time has 130 000 lines, wants BTF on the machine that
 * builds, and hides what is relied on. Here each field that matters is in sight. The loader moves
 * every access to where the running kernel has the field (CO-RE), so the order here means nothing.
 *
 * RULES Only fields that Linux 6.1, 6.12 and 6.18 all have; where one moved or changed its type, a
 *       second spelling with three underscores (`struct folio___order_byte`), and the program asks
 *       which of the two is there. Arguments of tracepoints are never read past the shortest
 *       signature. tests/bpf/relocate checks the objects against the BTF of Debian's kernels.
 */
#ifndef PC_BPF_KERNEL_H
#define PC_BPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;			/* threads that have not ended; 0 in the last one's exit */
	unsigned int flags;		/* SIGNAL_GROUP_EXIT */
	int group_exit_code;
	unsigned long min_flt, maj_flt; /* of threads that have ended */
	unsigned long maxrss;		/* pages; brought up to date when the last thread ends */
	unsigned long long sum_sched_runtime; /* of threads that have ended */
};

struct bpf_local_storage;

struct mm_struct {
	struct task_struct *owner;
	unsigned long arg_start, arg_end;
};

struct sched_entity {
	unsigned long long sum_exec_runtime;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct task_struct {
	int pid, tgid;
	unsigned int __state;
	unsigned int flags;
	int exit_code;
	unsigned long long start_time;
	struct sched_entity se;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	const struct cred *cred;
	unsigned long min_flt, maj_flt;
	char comm[16];
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct bpf_local_storage *bpf_storage; /* of all maps of task storage; NULL: none */
};

struct linux_binprm {
	const char *filename;
};

enum scan_result {
	SCAN_FAIL,
	SCAN_SUCCEED,
};

struct page;

struct pt_regs {
	unsigned long ip;
	unsigned long di, si, dx, cx; /* the first four arguments, where a function begins */
	unsigned long ax;	      /* what it returns, where it ends */
};

struct vm_area_struct {
	struct mm_struct *vm_mm;
};

#define PF_EXITING 4 /* in task_struct.flags, since before sched_process_exit */

enum fault_flag {
	FAULT_FLAG_WRITE = 1 << 0,
};

struct list_head;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
