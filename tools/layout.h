/*
 * layout.h - what lies where in a process, and what lay there when something happened.
 *
 * WHY     /proc/PID/maps says only what is mapped at the moment of asking, and nothing of a process
 *         that has ended. Who asks after a fault comes too late for a program that lives 20 ms.
 * DESIGN  The kernel tells perf of every mapping as it is made, and of every exec; each comes with
 *         its time and is kept in a ring until it is read, also when the process has ended.
 *         layout_advance() lays them on the address space in their order. Nothing is taken away
 *         when it is unmapped: it stays where it was until something else comes there.
 *         perf calls a heap so from its second growth on: the first is known by its place, a random
 *         way above the program. What perf does not tell at all is the name that a program gives to
 *         anonymous memory, and what mremap() moved: maps is read too, now and then, and when an
 *         address is unknown. Where perf's events are not permitted, maps is all there is.
 */
#ifndef PC_TOOLS_LAYOUT_H
#define PC_TOOLS_LAYOUT_H

#include "image.h"
#include "perf_rings.h"
#include "regions.h"

struct layout_change;

struct layout {
	struct regions regions; /* as far as layout_advance() has come */
	/* below: layout.c's own */
	pid_t pid;
	bool told;	       /* perf tells of mappings */
	bool asked;	       /* maps was read for an unknown address since layout_look() */
	bool other;	       /* not told: another image was found */
	struct region program; /* what the last exec mapped first, and all that adjoins it */
	struct image image;
	struct perf_rings rings;
	uint64_t lost;	 /* records that are made up for by reading maps */
	pc_ns heard;	 /* all that happened before this is in `change` */
	pc_ns next_maps; /* when to read it again */
	struct layout_change *change;
	size_t next, count, room;
};

/* From now on; what is there already is read, as far as this user may. */
void layout_begin(struct layout *l, pid_t pid);
void layout_end(struct layout *l);

/* Once a look, before anything is asked: maps is read where it is time. */
void layout_look(struct layout *l);

/*
 * To how things were at `time`, a time of CLOCK_MONOTONIC that never goes back. True at an exec,
 * when nothing is mapped yet of the new image: call it again to go on.
 */
bool layout_advance(struct layout *l, pc_ns time);

/* The region of `addr`, or NULL when nothing was ever seen there. */
const struct region *layout_at(struct layout *l, pc_addr addr);

/* All that is there now, and all that maps says of it. 0 or -errno. */
int layout_refresh(struct layout *l);

#endif
