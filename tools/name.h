/*
 * name.h - what processes call themselves, fit to be shown: it is somebody else's text.
 */
#ifndef PC_TOOLS_NAME_H
#define PC_TOOLS_NAME_H

#include <stddef.h>
#include <sys/types.h>

/* Name of a process from /proc; "?" where there is none. */
void process_name(pid_t pid, char *out, size_t size);

/* What is not printable ASCII becomes '?'. */
void printable(char *s);

/* A name as the kernel's records have it, of 15 letters at most: a copy that is printable. */
struct shown_name {
	char s[16];
};

struct shown_name shown_name(const char *comm);

#endif
