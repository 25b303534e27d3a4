/*
 * tasks.h - the threads of the process, the program's and any other, as the kernel lists them:
 *
 *           DIR *d = tasks_open();
 *           while ((task = tasks_next(d)))
 *                   ... task_status(task) ...
 *           closedir(d);
 */
#ifndef SUPPORT_TASKS_H
#define SUPPORT_TASKS_H

#include "live/host.h"

static inline DIR *tasks_open(void)
{
	DIR *d = opendir("/proc/self/task");

	HOST_CHECK(d);
	return d;
}

/* The number of the next thread, in digits; NULL after the last. */
static inline const char *tasks_next(DIR *d)
{
	struct dirent *e;

	do
		e = readdir(d);
	while (e && e->d_name[0] == '.');
	return e ? e->d_name : NULL;
}

/* What the kernel says of it, to be read line by line; NULL when there is no such thread any more. */
static inline FILE *task_status(const char *task)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	return fopen(path, "r");
}

#endif
