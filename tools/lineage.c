#include "lineage.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

/* The first that is not below `pid`. */
static size_t place_of(const struct lineages *l, uint32_t pid)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (l->at[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct lineages *l, size_t place, uint32_t pid)
{
	return place < l->count && l->at[place].pid == pid;
}

struct lineage lineage_of(const struct lineages *l, uint32_t pid)
{
	const size_t place = place_of(l, pid);

	return is_at(l, place, pid) ? l->at[place] : (struct lineage){.pid = pid, .root = pid};
}

bool lineage_born(struct lineages *l, uint32_t child, uint32_t parent)
{
	const struct lineage from = lineage_of(l, parent);
	const size_t place = place_of(l, child);
	struct lineage *at;

	if (!is_at(l, place, child)) {
		at = array_room(l->at, &l->room, l->count + 1, sizeof(*at));
		if (!at)
			return false;
		l->at = at;
		memmove(l->at + place + 1, l->at + place, (l->count - place) * sizeof(*l->at));
		l->count++;
	}
	l->at[place] = (struct lineage){child, from.root, from.generation + 1};
	return true;
}

void lineage_ended(struct lineages *l, uint32_t pid)
{
	const size_t place = place_of(l, pid);

	if (!is_at(l, place, pid))
		return;
	l->count--;
	memmove(l->at + place, l->at + place + 1, (l->count - place) * sizeof(*l->at));
}

void lineages_free(struct lineages *l)
{
	free(l->at);
	*l = (struct lineages){0};
}
