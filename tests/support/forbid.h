/*
 * forbid.h - a filter under which a process dies by SIGSYS when a call is made that neither a small
 * program nor libc needs for it: by whoever else is in the process, too.
 *
 *   forbid(install)   PR_SET_NO_NEW_PRIVS, and the filter as `install` does it; its answer
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

#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static inline int forbid(int (*install)(struct sock_fprog *))
{
	struct sock_filter code[2 * FORBIDDEN + 2], *c = code;
	struct sock_fprog filter = {2 * FORBIDDEN + 2, code};

	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < FORBIDDEN; i++) {
		*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    (unsigned)forbidden[i], 0, 1);
		*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	*c = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : install(&filter);
}

#endif
