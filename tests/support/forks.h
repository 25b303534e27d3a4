/*
 * forks.h - the ways to fork that the library sees: by libc's functions, and by number through
 * libc's syscall(). As fork(): the child's number, 0 in the child, -1 and errno.
 */
#ifndef PC_TEST_FORKS_H
#define PC_TEST_FORKS_H

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline pid_t fork_plainly(void)
{
	return fork();
}

static inline pid_t fork_barely(void)
{
	return _Fork();
}

static inline pid_t fork_by_number(void)
{
	return (pid_t)syscall(SYS_fork);
}

static inline pid_t clone_by_number(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

#endif
