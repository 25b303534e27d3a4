#include "layout.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "array.h"

#define MAPS_EVERY PC_SEC

/* brk() begins at most this far above the program. */
#define HEAP_WITHIN (2ull << 30)

void layout_begin(struct layout *l, pid_t pid)
{
	*l = (struct layout){.pid = pid, .process = pidfd_open(pid, 0)};
}

static void let_go(struct layout *l)
{
	if (l->process >= 0)
		close(l->process);
	l->process = -1;
}

void layout_end(struct layout *l)
{
	let_go(l);
	regions_free(&l->regions);
}

int layout_copy(struct layout *child, const struct layout *parent)
{
	const struct regions *from = &parent->regions;
	struct regions *to = &child->regions;
	struct region *at =
	    from->count ? array_room(to->at, &to->room, from->count, sizeof(*at)) : to->at;

	to->count = 0;
	if (!at && from->count)
		return -ENOMEM;
	to->at = at;
	if (from->count)
		memcpy(at, from->at, from->count * sizeof(*at));
	to->count = from->count;
	child->program = parent->program;
	return 0;
}

void layout_exec(struct layout *l)
{
	l->regions.count = 0;
	l->program = (struct region){0};
}

/* To the program belongs what lies against it, as its bss does. */
static bool is_of_program(struct region *program, const struct region *one)
{
	if (!program->end && one->class == REGION_FILE)
		*program = *one;
	if (one->start > program->end || one->end < program->start)
		return false;
	program->start = PC_MIN(program->start, one->start);
	program->end = PC_MAX(program->end, one->end);
	return true;
}

int layout_put(struct layout *l, const struct region *region)
{
	struct region one = *region;
	const bool inside = is_of_program(&l->program, &one);

	if (l->program.end && !inside && one.class == REGION_ANON && one.start > l->program.end &&
	    one.start - l->program.end < HEAP_WITHIN)
		region_name(&one, "[heap]");
	return regions_put(&l->regions, &one);
}

bool layout_lives(struct layout *l)
{
	struct pollfd fd = {.fd = l->process, .events = POLLIN};

	if (l->process >= 0 && poll(&fd, 1, 0) != 0)
		let_go(l);
	return l->process >= 0;
}

void layout_look(struct layout *l)
{
	l->asked = false;
	if (now_monotonic() >= l->next_maps)
		layout_refresh(l);
}

bool layout_replaced(struct layout *l)
{
	return layout_lives(l) && image_changed(&l->image, l->pid) &&
	       regions_read(&l->regions, l->pid) == 0;
}

const struct region *layout_at(struct layout *l, pc_addr addr)
{
	const struct region *r = regions_at(&l->regions, addr);

	if (r || l->asked)
		return r;
	/* Once a look: a burst of faults in memory that has gone again must not read maps each time. */
	l->asked = true;
	return layout_refresh(l) == 0 ? regions_at(&l->regions, addr) : NULL;
}

int layout_refresh(struct layout *l)
{
	l->next_maps = now_monotonic() + MAPS_EVERY;
	return layout_lives(l) ? regions_update(&l->regions, l->pid) : -ESRCH;
}
