/*
 * forbid.h - a filter under which a process dies by SIGSYS when a call is made that neither a small
 * program nor libc needs for it: by whoever else is in the process, too.
 *
 *   forbid(install)   PR_SET_NO_NEW_PRIVS, and the filter as `install` does it; its answer
 *   forbid_these(install, calls, count)   the same, of other calls: FORBIDDEN_MAX at most
 */
#ifndef PC_TEST_FORBID_H
#define PC_TEST_FORBID_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What a library in the program's place might think of. */
/* clang-format off */
static const int forbidden[] = {
	SYS_getpid,
	SYS_gettid,
	SYS_process_vm_readv,
	SYS_sched_getscheduler,
	SYS_getrlimit,
	SYS_close_range,
	SYS_memfd_create,
	SYS_userfaultfd,
	SYS_tgkill,
	SYS_sched_yield,
	SYS_rt_sigtimedwait,
	SYS_pidfd_open,
	SYS_eventfd2,
	SYS_futex_waitv,
	SYS_shmctl,
	SYS_flock,
	SYS_ftruncate,
	SYS_readlink,
	SYS_io_uring_setup,
	SYS_process_madvise,
};
/* clang-format on */

#define FORBIDDEN_MAX (sizeof(forbidden) / sizeof(forbidden[0]))

static inline int forbid_these(int (*install)(struct sock_fprog *), const int *calls,
			       unsigned count)
{
	struct sock_filter code[2 * FORBIDDEN_MAX + 2], *c = code;
	struct sock_fprog filter = {(unsigned short)(2 * count + 2), code};

	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < count; i++) {
		*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
						    0, 1);
		*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	*c = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : install(&filter);
}

static inline int forbid(int (*install)(struct sock_fprog *))
{
	return forbid_these(install, forbidden, FORBIDDEN_MAX);
}

#endif
