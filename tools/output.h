/*
 * output.h - the file that a verb writes what it saw to, or standard output.
 *
 * WHY  It is opened before anything is watched, for a record would be lost where it cannot be written; and
 *      what it held stays until there is something to put in its place: the process may not exist, or
 *      the kernel's view not be allowed.
 */
#ifndef PC_TOOLS_OUTPUT_H
#define PC_TOOLS_OUTPUT_H

#include <stdio.h>

struct output {
	const char *path; /* the caller's; NULL: standard output */
	FILE *to;
};

int output_open(struct output *o);		     /* STATUS_OK, or STATUS_NO with a line */
void output_begin(const struct output *o);	     /* what it held goes; before the first byte */

/* `err`, unless that is STATUS_OK and the file is not whole: STATUS_NO with a line. */
int output_close(const struct output *o, int err);

#endif
