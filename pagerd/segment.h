/*
 * segment.h - puts the statistics segment where tools can find it (include/predicomp/segment.h).
 *
 * DESIGN  The segment starts as private memory of the pager, so that counting works from the first
 *         moment. Publishing copies it into a memfd and maps that over it, at the same address:
 *         nobody who counts has to know. A restarted pager publishes again, since the descriptor
 *         died with its threads, and marks the old one for whoever still reads it.
 *
 *         A child leaves its parent's segment at once, for its mailbox is not the child's to write to,
 *         and counts nowhere; it begins one of its own when its work thread, or its report, has a use
 *         for it: most children are gone before.
 *
 *         Between the copy and the mapping a count would be lost. The work thread's own do not come
 *         then, and no pager runs yet; the program's threads count by segment_count().
 * THREADS any; segment_publish() and segment_own() as they say. Who calls segment_start() or
 *         segment_count() has signals blocked: there is a lock.
 */
#ifndef PC_SEGMENT_OWNER_H
#define PC_SEGMENT_OWNER_H

#include "base/stats.h"

/* Private and empty, unless this process has begun it before. 0 or -ENOMEM. */
int segment_start(const char *program);
bool segment_started(void);
/* In a child, whose memory has no other thread yet: what it has of its parent's goes. 0 or -errno. */
int segment_leave(void);
/* By the work thread, in its own descriptor table, which keeps the descriptor. 0 or -errno. */
int segment_publish(void);
/* One more of them, whatever the work thread is about to publish. */
void segment_count(enum pc_value_id id);

/*
 * Tells readers where the pager's own memory lies now, and in it the tables. By the work thread, or
 * when there is none.
 */
void segment_own(void);

#endif
