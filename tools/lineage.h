/*
 * lineage.h - where processes come from: the first ancestor that was seen, and how many forks lie
 * between.
 */
#ifndef PC_TOOLS_LINEAGE_H
#define PC_TOOLS_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lineage {
	uint32_t pid;
	uint32_t root;	     /* itself, when its birth was not seen */
	uint32_t generation; /* forks from there */
};

/* All that live, by number; zeros to begin with. */
struct lineages {
	struct lineage *at;
	size_t count, room;
};

/* Of a process whose birth may not have been seen. */
struct lineage lineage_of(const struct lineages *l, uint32_t pid);

/* `child` was born to `parent`. False when there is no memory: it is then a root of its own. */
bool lineage_born(struct lineages *l, uint32_t child, uint32_t parent);
void lineage_ended(struct lineages *l, uint32_t pid);
void lineages_free(struct lineages *l);

#endif
