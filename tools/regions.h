/*
 * regions.h - what the mappings of a process are: stretches of its address space with a class and a
 * name, by address, never overlapping, alike neighbours joined.
 */
#ifndef PC_TOOLS_REGIONS_H
#define PC_TOOLS_REGIONS_H

#include <sys/types.h>

#include "base/types.h"
#include "predicomp/segment.h"

enum region_class {
	REGION_UNKNOWN, /* nothing was mapped there whenever it was looked */
	REGION_HEAP,	/* of brk() */
	REGION_STACK,	/* of the first thread; the others' are anonymous memory */
	REGION_ANON,
	REGION_FILE,   /* and shared memory, which is a file too */
	REGION_SHIM,   /* the library's own: store, staging, tables, segment */
	REGION_KERNEL, /* vdso and its like */
	REGION_CLASSES
};

/* "heap", "stack", ... */
const char *region_class_name(enum region_class class);

#define REGION_LABEL 48u

struct region {
	pc_addr start, end;
	enum region_class class;
	char label[REGION_LABEL]; /* a file's name, an anonymous mapping's, or the class; plain text
				   */
};

struct regions {
	struct region *at; /* by address */
	size_t count, room;
	struct pc_span
	    own[PC_OWN_MAX]; /* the library's, as its segment says; names may be lacking */
	uint32_t owns;
};

/* The mappings as /proc/PID/maps has them now, in place of all that was known. 0 or
 * -errno, and all stays: -ESRCH too for a process that has ended. */
int regions_read(struct regions *r, pid_t pid);

/* The same, but what was known of addresses where nothing is mapped now stays. */
int regions_update(struct regions *r, pid_t pid);

/* `region` lies there now, in the place of whatever did; a nameless one may be the library's. 0 or
 * -ENOMEM, and nothing is changed. */
int regions_put(struct regions *r, const struct region *region);
void regions_free(struct regions *r);

/* One line of maps; false if it is none. */
bool region_parse(const char *line, struct region *out);

/* Class and label for what the kernel calls a mapping; "" is anonymous. */
void region_name(struct region *r, const char *name);

/* The one with most bytes in [start, end), or NULL. */
const struct region *regions_main(const struct regions *r, pc_addr start, pc_addr end);

/* The one that `addr` lies in, or NULL. */
const struct region *regions_at(const struct regions *r, pc_addr addr);

#endif
