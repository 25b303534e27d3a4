/*
 * hooks.c - calls that the pager must hear of, because the kernel does not report them, or reports
 * them too late.
 *
 *   mapping      excluded before the call, so that it meets plain resident memory
 *   identity     no pager thread while libc changes that of every thread it knows
 *   for good     locks, limits, real time, filters, a userfaultfd or a socket of AF_XDP of the
 *                program's own: the pager leaves
 *
 * Not hooked, because userfaultfd events or VmFlags tell: brk, mprotect. mmap, munmap, mseal and
 * madvise's discards matter to EVICT=madvise and to notes of what is kept from children (layout.h). Not hooked,
 * because it changes nothing here: posix_madvise (its advice is a subset without these), sched_setparam
 * and pthread_setschedprio (they cannot leave a policy), setfsuid and setfsgid (a thread's own).
 *
 * Made by the bare instruction, what a hook here is for goes unseen: guard pages and SHM_REMAP over
 * packed memory then show old bytes later, and a cleared MADV_DONTFORK is gone. README, "Limits".
 *
 * errno is left as the real call leaves it: the pager's calls do not touch it.
 */
#include "eligible.h"
#include "exclusion.h"
#include "fork.h"
#include "layout.h"
#include "real.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pager.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/ioctl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

/* mapping */

enum effect { EFFECT_NONE, EFFECT_EXCLUDE, EFFECT_INCLUDE };

static enum effect effect_of(int advice)
{
	switch (advice) {
	case MADV_WIPEONFORK:
	case MADV_MERGEABLE:
	case MADV_GUARD_INSTALL:
		return EFFECT_EXCLUDE;
	case MADV_KEEPONFORK:
	case MADV_UNMERGEABLE:
	case MADV_GUARD_REMOVE:
		return EFFECT_INCLUDE;
	default:
		return EFFECT_NONE;
	}
}

/* Before the flag is there; a note may stay where that is refused, or taken back: flow/forkless.h. */
static void note_forkless(const void *at, size_t len)
{
	pager_forkless((pc_addr)at, (pc_addr)at + len, true);
}

/*
 * The pager uses that flag itself, and takes it away when what it holds comes home: that comes home
 * first, and nothing leaves meanwhile, whose guard the call would take away.
 */
static int advise_forkless(void *at, size_t len, bool keep)
{
	struct pager_held hold;
	int ret;

	layout_strike(at, len);
	hold = hold_bytes(at, len);
	if (keep)
		note_forkless(at, len);
	ret = real.madvise(at, len, keep ? MADV_DONTFORK : MADV_DOFORK);
	if (!keep && !ret)
		pager_forkless((pc_addr)at, (pc_addr)at + len, false);
	pager_release(hold);
	return ret;
}

HOOK(int, madvise, (void *at, size_t len, int advice))
{
	enum effect effect = effect_of(advice);
	int ret;

	if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
		return advise_forkless(at, len, advice == MADV_DONTFORK);
	if (pager_follows() && layout_is_discard(advice))
		return layout_discard(at, len, advice);
	if (effect == EFFECT_EXCLUDE)
		exclude_bytes(at, len);
	ret = real.madvise(at, len, advice);
	if (effect == EFFECT_INCLUDE)
		include_bytes(at, len);
	return ret;
}

/* Reads what the program points to, which may be nothing, or where no call may be made: false then. */
static bool copy_given(void *to, const void *from, size_t len)
{
	struct iovec here = {to, len};
	struct iovec there = {(void *)(uintptr_t)from, len};
	long got;

	if (pager_silent())
		return false;
	got = SYS6(__NR_process_vm_readv, sys_getpid(), &here, 1, &there, 1, 0);
	/* Some kernels are built without the call. */
	if (got == -ENOSYS)
		memcpy(to, from, len);
	return got == -ENOSYS || got == (long)len;
}

/* For each range of the vector, as far as it can be read: the kernel refuses the rest. */
static void each_range(const struct iovec *v, size_t n, void (*fn)(const void *, size_t))
{
	struct iovec one;

	for (size_t i = 0; i < n && i < IOV_MAX && copy_given(&one, &v[i], sizeof(one)); i++)
		fn(one.iov_base, one.iov_len);
}

/* Of other processes' memory the kernel allows none of this advice; excluding ours costs little. */
HOOK(ssize_t, process_madvise,
     (int pidfd, const struct iovec *v, size_t n, int advice, unsigned flags))
{
	bool forks = advice == MADV_DONTFORK || advice == MADV_DOFORK;
	bool passing = forks || (pager_follows() && layout_is_discard(advice));
	ssize_t ret;

	if (passing || effect_of(advice) == EFFECT_EXCLUDE)
		each_range(v, n, exclude_bytes);
	if (advice == MADV_DONTFORK)
		each_range(v, n, note_forkless);
	ret = real.process_madvise(pidfd, v, n, advice, flags);
	if (passing)
		each_range(v, n, include_bytes);
	return ret;
}

HOOK(int, mlock, (const void *at, size_t len))
{
	layout_strike(at, len);
	exclude_bytes(at, len);
	return real.mlock(at, len);
}

HOOK(int, mlock2, (const void *at, size_t len, unsigned flags))
{
	layout_strike(at, len);
	exclude_bytes(at, len);
	return real.mlock2(at, len, flags);
}

HOOK(int, munlock, (const void *at, size_t len))
{
	int ret = real.munlock(at, len);

	include_bytes(at, len);
	return ret;
}

/* The pager's own staging would be locked with the rest, and locked memory cannot move. */
HOOK(int, mlockall, (int flags))
{
	pager_quit(PC_INERT_MLOCKALL);
	return real.mlockall(flags);
}

HOOK(int, pkey_mprotect, (void *at, size_t len, int prot, int key))
{
	int ret;

	if (key > 0)
		exclude_bytes(at, len);
	ret = real.pkey_mprotect(at, len, prot, key);
	/* The key that all memory has is none. */
	if (key == 0 && !ret)
		include_bytes(at, len);
	return ret;
}

static size_t shm_bytes(int id)
{
	struct shmid_ds ds = {0};

	return SYS3(__NR_shmctl, id, IPC_STAT, &ds) < 0 ? 0 : ds.shm_segsz;
}

/* Replaces what is mapped there, and no event tells of it. */
HOOK(void *, shmat, (int id, const void *at, int flags))
{
	size_t len = at && flags & SHM_REMAP && !pager_silent() ? shm_bytes(id) : 0;
	struct pager_held hold;
	void *ret;

	layout_strike(at, len);
	hold = hold_bytes(at, len);
	ret = real.shmat(id, at, flags);
	pager_release(hold);
	return ret;
}

/*
 * Registered memory is cut off from its neighbours, and the kernel moves one mapping only. Once it
 * is back and plain the pieces are one again, if they ever were.
 */
static void *mremap_whole(void *at, size_t len, size_t new_len, int flags, void *new_at)
{
	struct pager_held hold = hold_bytes(at, len);
	void *ret = real.mremap(at, len, new_len, flags, new_at);

	pager_release(hold);
	return ret;
}

/*
 * Tried again on EFAULT, cut off from its neighbours a moment ago: the call has then done nothing,
 * unless it was told where to, which may have unmapped the target. That one is not tried twice.
 */
static void *remap(void *at, size_t len, size_t new_len, int flags, void *new_at)
{
	void *ret;

	if (flags & MREMAP_FIXED ? pager_active() : pager_holds((pc_addr)at, (pc_addr)at + len))
		return mremap_whole(at, len, new_len, flags, new_at);
	ret = real.mremap(at, len, new_len, flags, new_at);
	if (ret == MAP_FAILED && errno == EFAULT && pager_active())
		ret = mremap_whole(at, len, new_len, flags, new_at);
	return ret;
}

HOOK(void *, mremap, (void *at, size_t len, size_t new_len, int flags, void *new_at))
{
	const uint32_t notes = pager_forkless_notes();
	bool known = layout_knows(at, len);
	void *ret;

	layout_strike(at, len);
	if (flags & MREMAP_FIXED)
		layout_strike(new_at, new_len);
	ret = remap(at, len, new_len, flags, new_at);
	if (ret != MAP_FAILED)
		pager_forkless_moved((pc_addr)at, (pc_addr)at + len, (pc_addr)ret,
				     (pc_addr)ret + new_len, flags & MREMAP_DONTUNMAP, notes);
	if (known && ret != MAP_FAILED)
		layout_note(ret, new_len);
	if (known && (ret == MAP_FAILED || flags & MREMAP_DONTUNMAP))
		layout_note(at, len);
	return ret;
}

#define CHUNK_HEADER   16u	     /* before a block that glibc mapped for itself */
#define REALLOC_REMAPS (128u << 10) /* blocks from here on may be mappings of their own */

/*
 * glibc resizes large blocks by an mremap of its own, which no hook sees. Reports of a remap and of
 * an unmap by two threads may reach the pager in the wrong order, so packed memory is not remapped.
 */
HOOK(void *, realloc, (void *block, size_t size))
{
	size_t len = block && pager_active() ? real.malloc_usable_size(block) : 0;
	char *at = (char *)block - CHUNK_HEADER;
	struct pager_held hold;
	void *ret;

	len += CHUNK_HEADER;
	if (len < REALLOC_REMAPS || !pager_holds((pc_addr)at, (pc_addr)at + len))
		return real.realloc(block, size);
	hold = hold_bytes(at, len);
	ret = real.realloc(block, size);
	pager_release(hold);
	return ret;
}

/* identity */

/*
 * A thread of ours would keep its old identity, and makes unshare() fail that wants to see one
 * thread only. In a vfork child, which changes its own alone, the pager does nothing.
 */
#define IDENTITY(name, params, args)                                                               \
	HOOK(int, name, params)                                                                    \
	{                                                                                          \
		const int paused = pager_pause(PC_INERT_IDENTITY);                                 \
		const int ret = real.name args;                                                    \
                                                                                                   \
		pager_continue(paused);                                                            \
		return ret;                                                                        \
	}

/* clang-format off */
IDENTITY(setuid, (uid_t id), (id))
IDENTITY(seteuid, (uid_t id), (id))
IDENTITY(setreuid, (uid_t real_id, uid_t effective), (real_id, effective))
IDENTITY(setresuid, (uid_t real_id, uid_t effective, uid_t saved), (real_id, effective, saved))
IDENTITY(setgid, (gid_t id), (id))
IDENTITY(setegid, (gid_t id), (id))
IDENTITY(setregid, (gid_t real_id, gid_t effective), (real_id, effective))
IDENTITY(setresgid, (gid_t real_id, gid_t effective, gid_t saved), (real_id, effective, saved))
IDENTITY(setgroups, (size_t n, const gid_t *list), (n, list))
IDENTITY(initgroups, (const char *user, gid_t group), (user, group))
IDENTITY(capset, (void *header, void *data), (header, data))
IDENTITY(setns, (int fd, int kind), (fd, kind))
/* clang-format on */

/* Of a thread with descriptors of its own, those would not be looked at (kernel/pins.h). */
HOOK(int, unshare, (int flags))
{
	int paused, ret;

	if (pager_follows() && flags & CLONE_FILES)
		pager_quit(PC_INERT_PINNED);
	paused = pager_pause(PC_INERT_IDENTITY);
	ret = real.unshare(flags);
	pager_continue(paused);
	return ret;
}

/* for good */

HOOK(int, sched_setscheduler, (pid_t tid, int policy, const struct sched_param *param))
{
	int ret = real.sched_setscheduler(tid, policy, param);

	if (ret == 0 && policy_is_realtime(policy))
		pager_quit(PC_INERT_REALTIME);
	return ret;
}

/* How the kernel's struct sched_attr begins; its header does not go together with libc's. */
struct sched_attr_head {
	uint32_t size;
	uint32_t policy;
};

/* sched_setattr(2) has succeeded, so `attr` can be read. */
static void heed_policy(const struct sched_attr_head *attr)
{
	if (policy_is_realtime((int)attr->policy))
		pager_quit(PC_INERT_REALTIME);
}

/*
 * In libc since glibc 2.41. Where it is not, looking it up would call malloc, before the program's own may be
 * called; where it is, it is the system call and nothing else.
 */
HOOK(int, sched_setattr, (pid_t tid, void *attr, unsigned flags))
{
	int ret = (int)real.syscall(__NR_sched_setattr, tid, (long)attr, flags, 0, 0, 0);

	if (ret == 0)
		heed_policy(attr);
	return ret;
}

/* A filter may be put on all threads at once, and ours make calls that no filter expects. */
HOOK(int, prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d))
{
	if (option == PR_SET_SECCOMP)
		pager_quit(PC_INERT_SECCOMP);
	return real.prctl(option, a, b, c, d);
}

/*
 * Every user of a userfaultfd begins with this request, however it came by the descriptor; open()
 * of /dev/userfaultfd need not be watched. The kernel looks at 32 bits; an int has others before them.
 */
HOOK(int, ioctl, (int fd, unsigned long request, void *arg))
{
	if ((unsigned)request == UFFDIO_API)
		pager_quit(PC_INERT_OWN_UFFD);
	return real.ioctl(fd, request, arg);
}

/* Before the call nobody knows that `limit` can be read: then the call says so. */
static bool limits_memory(int resource, const struct rlimit *limit)
{
	struct rlimit wanted = {RLIM_INFINITY, RLIM_INFINITY};

	if (!limit || (resource != RLIMIT_AS && resource != RLIMIT_DATA))
		return false;
	return copy_given(&wanted, limit, sizeof(wanted)) && wanted.rlim_cur != RLIM_INFINITY;
}

/* What the pager has reserved would count against it, for all threads, from the call on. */
static void heed_limit(int resource, const struct rlimit *limit)
{
	if (limits_memory(resource, limit))
		pager_quit(PC_INERT_RLIMIT);
}

HOOK(int, setrlimit, (int resource, const struct rlimit *limit))
{
	heed_limit(resource, limit);
	return real.setrlimit(resource, limit);
}

/* On x86-64 the two are the same, as are prlimit() and prlimit64(). */
HOOK(int, setrlimit64, (int resource, const struct rlimit *limit))
{
	return hook_setrlimit(resource, limit);
}

/* The number of any thread names its process. */
static bool names_us(pid_t pid)
{
	return !pid || !SYS3(__NR_tgkill, sys_getpid(), pid, 0);
}

HOOK(int, prlimit64, (pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old))
{
	if (limits_memory(resource, limit) && names_us(pid))
		pager_quit(PC_INERT_RLIMIT);
	return real.prlimit64(pid, resource, limit, old);
}

HOOK(int, prlimit, (pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old))
{
	return hook_prlimit64(pid, resource, limit, old);
}

/*
 * The kernel writes to the buffers of these whenever it likes (kernel/pins.h). And memory that is given to
 * one of AF_XDP it pins without waiting for a userfaultfd.
 */
HOOK(int, socket, (int domain, int type, int protocol))
{
	if (domain == AF_XDP)
		pager_quit(PC_INERT_XDP);
	if (pager_follows() && (domain == AF_RDS || domain == AF_SMC))
		pager_quit(PC_INERT_PINNED);
	return real.socket(domain, type, protocol);
}

/* system calls by number */

static long raw_clone3(long nr, long args, long size, long c, long d, long e, long f)
{
	struct clone_args a = {0};

	/* Asked with nothing to find out whether the call exists, or refused. */
	if ((unsigned long)size < CLONE_ARGS_SIZE_VER0 ||
	    !copy_given(&a, (const void *)args, CLONE_ARGS_SIZE_VER0))
		return real.syscall(nr, args, size, c, d, e, f);
	fork_shares(a.flags);
	return a.flags & CLONE_VM ? real.syscall(nr, args, size, c, d, e, f)
				  : fork_raw(nr, args, size, c, d, e);
}

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/* The kernel writes to a word of these, and for that it does not wait for a userfaultfd. */
static bool futex_writes(int op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAKE_OP:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_CMP_REQUEUE_PI:
		return true;
	default:
		return false;
	}
}

/* Words that may have been away come home, stay there, and are tried once more. */
static long hook_futex(long a, long b, long c, long d, long e, long f)
{
	long ret = real.syscall(__NR_futex, a, b, c, d, e, f);

	if (ret != -1 || errno != EFAULT || !futex_writes((int)b))
		return ret;
	exclude_for_good((const void *)a, sizeof(uint32_t));
	exclude_for_good((const void *)e, sizeof(uint32_t));
	return real.syscall(__NR_futex, a, b, c, d, e, f);
}

/*
 * An identity that is changed by number is that of the calling thread alone. Programs do so to act
 * as somebody else for a moment, thousands of times a second, or to drop rights for good behind
 * libc's back; leaving is right for both.
 */
HOOK(long, syscall, (long nr, long a, long b, long c, long d, long e, long f))
{
	switch (nr) {
	case __NR_fork:
		return fork_raw(nr, a, b, c, d, e);
	case __NR_clone:
		fork_shares((unsigned long)a);
		return a & CLONE_VM ? real.syscall(nr, a, b, c, d, e, f)
				    : fork_raw(nr, a, b, c, d, e);
	case __NR_clone3:
		return raw_clone3(nr, a, b, c, d, e, f);
	case __NR_mmap:
		return (long)layout_map((void *)a, (size_t)b, (int)c, (int)d, (int)e, f);
	case __NR_munmap:
		return layout_unmap((void *)a, (size_t)b);
	case __NR_mseal:
		return layout_seal((void *)a, (size_t)b, (unsigned long)c);
	case __NR_socket:
		return hook_socket((int)a, (int)b, (int)c);
	case __NR_madvise:
		return hook_madvise((void *)a, (size_t)b, (int)c);
	case __NR_process_madvise:
		return hook_process_madvise((int)a, (const struct iovec *)b, (size_t)c, (int)d,
					    (unsigned)e);
	case __NR_mremap:
		return (long)hook_mremap((void *)a, (size_t)b, (size_t)c, (int)d, (void *)e);
	case __NR_mlock:
		return hook_mlock((const void *)a, (size_t)b);
	case __NR_mlock2:
		return hook_mlock2((const void *)a, (size_t)b, (unsigned)c);
	case __NR_munlock:
		return hook_munlock((const void *)a, (size_t)b);
	case __NR_mlockall:
		return hook_mlockall((int)a);
	case __NR_pkey_mprotect:
		return hook_pkey_mprotect((void *)a, (size_t)b, (int)c, (int)d);
	case __NR_shmat:
		return (long)hook_shmat((int)a, (const void *)b, (int)c);
	case __NR_prctl:
		return hook_prctl((int)a, (unsigned long)b, (unsigned long)c, (unsigned long)d,
				  (unsigned long)e);
	case __NR_ioctl:
		return hook_ioctl((int)a, (unsigned long)b, (void *)c);
	case __NR_sched_setscheduler:
		return hook_sched_setscheduler((pid_t)a, (int)b, (const struct sched_param *)c);
	case __NR_sched_setattr:
		return hook_sched_setattr((pid_t)a, (void *)b, (unsigned)c);
	case __NR_setrlimit: /* libc's function is another call, which a filter may forbid */
		heed_limit((int)a, (const struct rlimit *)b);
		break;
	case __NR_prlimit64:
		return hook_prlimit64((pid_t)a, (int)b, (const struct rlimit *)c,
				      (struct rlimit *)d);
	case __NR_unshare:
		return hook_unshare((int)a);
	case __NR_setns:
		return hook_setns((int)a, (int)b);
	case __NR_futex:
		return hook_futex(a, b, c, d, e, f);
	case __NR_io_uring_setup:
		if (pager_follows())
			pager_quit(PC_INERT_PINNED);
		break;
	case __NR_seccomp:
		pager_quit(PC_INERT_SECCOMP);
		break;
	case __NR_exit: /* of a thread behind libc's back: the process would wait for ours */
	case __NR_set_tid_address:
	case __NR_set_robust_list:
		pager_quit(PC_INERT_ROBUST);
		break;
	case __NR_setuid:
	case __NR_setreuid:
	case __NR_setresuid:
	case __NR_setgid:
	case __NR_setregid:
	case __NR_setresgid:
	case __NR_setgroups:
	case __NR_capset:
		pager_quit(PC_INERT_IDENTITY);
		break;
	}
	return real.syscall(nr, a, b, c, d, e, f);
}
