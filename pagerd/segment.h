/*
 * segment.h - puts the statistics segment where tools can find it (include/predicomp/segment.h).
 *
 * DESIGN  The segment starts as private memory of the pager, so that counting works from the first
 *         moment. Publishing copies it into a memfd and maps that over it, at the same address:
 *         nobody who counts has to know. A restarted pager publishes again, since the descriptor
 *         died with its threads; a child starts from private memory of its own.
 */
#ifndef PC_SEGMENT_OWNER_H
#define PC_SEGMENT_OWNER_H

#include "base/types.h"

/* Private and empty (again). 0 or -ENOMEM. */
int segment_start(const char *program);
/* By the work thread, in its own descriptor table, which keeps the descriptor. 0 or -errno. */
int segment_publish(void);

/*
 * Tells readers where the pager's own memory lies now, and in it the tables. By the work thread, or
 * when there is none.
 */
void segment_own(void);

#endif
