/*
 * array.h - arrays of the tools that grow as they are filled.
 */
#ifndef PC_TOOLS_ARRAY_H
#define PC_TOOLS_ARRAY_H

#include <stdlib.h>
#include <string.h>

#include "base/types.h"

#define ARRAY_LEAST 64u

/*
 * `array`, which has room for *room elements of `size` bytes, with room for `count` (1 or more) of
 * them; what is new is zero. It may have moved. NULL when there is no memory: then it is as it was.
 */
static inline void *array_room(void *array, size_t *room, size_t count, size_t size)
{
	const size_t more = PC_MAX(PC_MAX(2 * *room, count), (size_t)ARRAY_LEAST);
	char *at;

	if (count <= *room)
		return array;
	at = reallocarray(array, more, size);
	if (!at)
		return NULL;
	memset(at + *room * size, 0, (more - *room) * size);
	*room = more;
	return at;
}

#endif
