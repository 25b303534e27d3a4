/*
 * test.h - how the tests of the kernel's view end: what fails says where, and what cannot be tried
 * here is a skip, which must not look like a pass.
 */
#ifndef TESTS_BPF_TEST_H
#define TESTS_BPF_TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/able.h"

#define SKIPPED 77

_Noreturn static inline void skip(const char *why)
{
	printf("SKIP: %s\n", why);
	exit(SKIPPED);
}

static inline void check(int ok, const char *what)
{
	if (ok)
		return;
	printf("FAIL: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A kernel or a user that may not is a reason to skip; programs that are not taken are a failure. */
static inline void check_open(int err, const struct unable *why)
{
	if (err == -EPERM || err == -ENOENT)
		skip(why->text);
	if (!err)
		return;
	printf("FAIL: %s\n", why->text);
	exit(1);
}

/* The fields of a stat file of /proc from the state on, in `line`. */
static inline const char *stat_fields(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");

	check(file && fgets(line, size, file), path);
	fclose(file);
	return strrchr(line, ')') + 2;
}

#endif
