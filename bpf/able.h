/*
 * able.h - whether programs can be loaded into this kernel by this user, and if not, what is
 * missing and how to get it. Asked before anything is loaded, so that the answer is a sentence and
 * not the error of some system call.
 */
#ifndef PC_BPF_ABLE_H
#define PC_BPF_ABLE_H

#include <stdbool.h>

/* Why the kernel's view is not to be had, and the remedy. */
struct unable {
	char text[512];
};

/* 0, or -ENOENT (no BTF), -EPERM (no capability) with `why` filled. */
int able_to_load(struct unable *why);

/* Whether the running kernel has this tracepoint; for programs that it may lack. */
bool able_to_trace(const char *tracepoint);

/*
 * Whether programs may run where this function of the kernel begins and ends: by its trampolines
 * (fentry, fexit), and by a probe (kprobe, kretprobe). Tried with a program that does nothing, for
 * what a kernel is built with does not say what it allows.
 */
bool able_to_enter(const char *function);
bool able_to_probe(const char *function);

/* Fills `why`; returns err. */
int unable(struct unable *why, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
