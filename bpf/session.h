/*
 * session.h - one object of programs in the kernel, from open to close.
 *
 *     skeleton__open()     by the object's own loader, which then sets sizes and switches
 *     session_load()       asks what is missing; leaves out programs whose tracepoint this kernel
 *                          lacks (SEC("?...")); loads; all failures in words
 *     session_attach()     from here on programs run
 *     skeleton__destroy()  they are gone; so too when the process dies, however it dies, for links
 *                          and programs live on its descriptors alone
 */
#ifndef PC_BPF_SESSION_H
#define PC_BPF_SESSION_H

#include <linux/types.h>
#include <stddef.h>

#include "able.h"

struct bpf_object_skeleton;
struct bpf_program;
struct bpf_map;

/* 0 or -errno with `why` filled. */
int session_load(struct bpf_object_skeleton *skeleton, struct unable *why);
int session_attach(struct bpf_object_skeleton *skeleton, struct unable *why);

/*
 * One fact that can be had in several ways: of `ways`, the best first, the first that this kernel
 * allows is switched on, and its section is returned, such as "fexit/handle_mm_fault". NULL: it
 * allows none, and all of them stay off. Before session_load().
 */
const char *session_choose(struct bpf_program *const *ways, size_t count);

/* Ways that session_choose() leaves out from now on although the kernel allows them: for tests. */
enum session_way { SESSION_FUNCTIONS = 1 << 0, SESSION_PROBES = 1 << 1 };
void session_forgo(unsigned ways);

/*
 * Runs an iter/task program over the process of `pidfd`, or over all tasks when it is -1, and reads
 * what it writes: `fn` gets each piece of `size` bytes. 0 or -errno.
 */
typedef void session_fn(void *arg, const void *piece);
int session_iterate(struct bpf_program *program, int pidfd, size_t size, session_fn *fn, void *arg);

/*
 * Runs follow_adopt (follow.bpf.h) over the process of `pidfd`, again for as long as the kernel had
 * no memory for a thread's record; `missed` is the object's adoptions_missed. 0 or -errno.
 */
int session_adopt(struct bpf_program *follow_adopt, int pidfd, const __u64 *missed);

/* pidfd_open(2), which glibc of Debian 12 has, but no kernel headers' wrapper is relied on. */
int session_pidfd(int pid);

#endif
