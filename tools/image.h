/*
 * image.h - which program a process is: an exec makes it another one, with another address space.
 */
#ifndef PC_TOOLS_IMAGE_H
#define PC_TOOLS_IMAGE_H

#include "tool.h"

struct image {
	char auxv[512]; /* of /proc/PID/auxv: where things were put, at random, by the last exec */
};

/* True when the process has become another program since the last call, and at the first. */
bool image_changed(struct image *image, pid_t pid);

#endif
