/*
 * layout.h - what lies where in one process: what it was told to have mapped, and what maps says.
 *
 * DESIGN  Nothing is taken away when it is unmapped: it stays where it was until something else
 *         comes there.
 *         perf calls a heap so from its second growth on: the first is known by its place, a random
 *         way above the program. What perf does not tell at all is the name that a program gives to
 *         anonymous memory, and what mremap() moved: maps is read too, now and then, and when an
 *         address is unknown. Process numbers are reused, so it is read only while the pidfd says
 *         that the process lives.
 */
#ifndef PC_TOOLS_LAYOUT_H
#define PC_TOOLS_LAYOUT_H

#include "image.h"
#include "regions.h"

struct layout {
	struct regions regions;
	/* below: layout.c's own */
	pid_t pid;
	int process;	       /* its pidfd; -1: it has ended, or there are too many to keep one */
	bool asked;	       /* maps was read for an unknown address since layout_look() */
	struct region program; /* what the last exec mapped first, and all that adjoins it */
	struct image image;
	pc_ns next_maps; /* when to read it again; 0: as soon as possible */
};

/* Nothing is read yet. */
void layout_begin(struct layout *l, pid_t pid);
void layout_end(struct layout *l);

/* What a child begins with. 0 or -ENOMEM, and it begins with nothing. */
int layout_copy(struct layout *child, const struct layout *parent);

/* Nothing is mapped yet of the new image. */
void layout_exec(struct layout *l);

/* `region` was mapped. 0 or -ENOMEM. */
int layout_put(struct layout *l, const struct region *region);

/* Once a look, before anything is asked: maps is read where it is time. */
void layout_look(struct layout *l);

/* True when there is another image than at the last call, and all is read that is mapped of it. */
bool layout_replaced(struct layout *l);

/* The region of `addr`, or NULL when nothing was ever seen there. */
const struct region *layout_at(struct layout *l, pc_addr addr);

/* All that is there now, and all that maps says of it. 0 or -errno; -ESRCH when it has ended. */
int layout_refresh(struct layout *l);

/* False once it has ended; what is known of it stays. */
bool layout_lives(struct layout *l);

#endif
