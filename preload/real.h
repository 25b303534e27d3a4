/*
 * real.h - the functions that our hooks stand in front of.
 *
 * WHY   A hook must go on to the next definition, not to the kernel: other preloaded libraries
 *       hook the same names, and libc does more than the system call (setuid reaches all threads).
 * DESIGN  A table of pointers, filled once by dlsym(RTLD_NEXT) in the constructor. Until then a
 *         function that is one system call points at that call, and one that is not at a stub that
 *         fills the table first. So a hook never asks whether the table is ready.
 *
 *         Variadic functions are listed with all the arguments they can have: on x86-64 integer
 *         arguments lie in the same places either way.
 * THREADS filled by one thread, before there are others; read by all.
 */
#ifndef PC_PRELOAD_REAL_H
#define PC_PRELOAD_REAL_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <threads.h>

/* X(result, name, (parameters), (arguments)): one system call of the same name and arguments. */
#define REAL_SYSTEM_CALLS(X)                                                                       \
	X(int, madvise, (void *at, size_t len, int advice), (at, len, advice))                     \
	X(ssize_t, process_madvise,                                                                \
	  (int pidfd, const struct iovec *v, size_t n, int advice, unsigned flags),                \
	  (pidfd, v, n, advice, flags))                                                            \
	X(int, mlock, (const void *at, size_t len), (at, len))                                     \
	X(int, mlock2, (const void *at, size_t len, unsigned flags), (at, len, flags))             \
	X(int, munlock, (const void *at, size_t len), (at, len))                                   \
	X(int, mlockall, (int flags), (flags))                                                     \
	X(int, pkey_mprotect, (void *at, size_t len, int prot, int key), (at, len, prot, key))     \
	X(void *, shmat, (int id, const void *at, int flags), (id, at, flags))                     \
	X(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, long off),             \
	  (at, len, prot, flags, fd, off))                                                         \
	X(int, munmap, (void *at, size_t len), (at, len))                                          \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))             \
	X(void *, mremap, (void *at, size_t len, size_t new_len, int flags, void *new_at),         \
	  (at, len, new_len, flags, new_at))                                                       \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))              \
	X(int, prctl,                                                                              \
	  (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),        \
	  (option, a, b, c, d))                                                                    \
	X(int, sched_setscheduler, (pid_t tid, int policy, const struct sched_param *param),       \
	  (tid, policy, param))                                                                    \
	X(int, setuid, (uid_t id), (id))                                                           \
	X(int, setreuid, (uid_t real_id, uid_t effective), (real_id, effective))                   \
	X(int, setresuid, (uid_t real_id, uid_t effective, uid_t saved),                           \
	  (real_id, effective, saved))                                                             \
	X(int, setgid, (gid_t id), (id))                                                           \
	X(int, setregid, (gid_t real_id, gid_t effective), (real_id, effective))                   \
	X(int, setresgid, (gid_t real_id, gid_t effective, gid_t saved),                           \
	  (real_id, effective, saved))                                                             \
	X(int, setgroups, (size_t n, const gid_t *list), (n, list))                                \
	X(int, capset, (void *header, void *data), (header, data))                                 \
	X(int, unshare, (int flags), (flags))                                                      \
	X(int, setns, (int fd, int kind), (fd, kind))                                              \
	X(int, setrlimit, (int resource, const struct rlimit *limit), (resource, limit))           \
	X(int, prlimit64,                                                                          \
	  (pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old),               \
	  (pid, resource, limit, old))

/* The same, where libc does something else or something more. */
#define REAL_LIBRARY(X)                                                                            \
	X(long, syscall, (long nr, long a, long b, long c, long d, long e, long f),                \
	  (nr, a, b, c, d, e, f))                                                                  \
	X(void *, realloc, (void *block, size_t size), (block, size))                              \
	X(size_t, malloc_usable_size, (void *block), (block))                                      \
	X(pid_t, _Fork, (void), ())                                                                \
	X(int, clone,                                                                              \
	  (int (*fn)(void *), void *stack, int flags, void *arg, pid_t *parent, void *tls,         \
	   pid_t *child),                                                                          \
	  (fn, stack, flags, arg, parent, tls, child))                                             \
	X(int, seteuid, (uid_t id), (id))                                                          \
	X(int, setegid, (gid_t id), (id))                                                          \
	X(int, initgroups, (const char *user, gid_t group), (user, group))                         \
	X(int, pthread_create,                                                                     \
	  (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg),     \
	  (thread, attr, start, arg))                                                              \
	X(int, thrd_create, (thrd_t * thread, thrd_start_t start, void *arg),                      \
	  (thread, start, arg))                                                                    \
	X(int, pthread_setschedparam,                                                              \
	  (pthread_t thread, int policy, const struct sched_param *param),                         \
	  (thread, policy, param))                                                                 \
	X(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attr),     \
	  (mutex, attr))

struct real {
#define X(result, name, params, args) result(*name) params;
	REAL_SYSTEM_CALLS(X)
	REAL_LIBRARY(X)
#undef X
};

extern struct real real;

void real_resolve(void);

struct dl_phdr_info;

bool real_object_has(const struct dl_phdr_info *object, const void *fn);

/*
 * What tells the object that has `fn` from others, NULL if it is in none. Not by dladdr(), which reads
 * all of the object's symbols: 25 us for libc's.
 */
const void *real_object_of(const void *fn);

/*
 * Defines the hook of `name`, with the parameters given in the list above. Its name in C is
 * hook_<name>, so that libc's own declaration (and its attributes) cannot disagree with ours.
 */
#define HOOK(result, name, params)                                                                 \
	result hook_##name params __asm__(#name) __attribute__((visibility("default")));           \
	result hook_##name params

#endif
