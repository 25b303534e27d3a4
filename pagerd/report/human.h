/*
 * human.h - numbers as people read them, by integer arithmetic.
 *
 * Sizes are binary and say so (MiB); times take the unit that leaves one to four digits.
 */
#ifndef PC_REPORT_HUMAN_H
#define PC_REPORT_HUMAN_H

#include "base/text.h"

void human_size(struct text *t, int64_t bytes);		      /* 512 B, 12.3 MiB, -1.0 KiB */
void human_time(struct text *t, pc_ns ns);		      /* 870 ns, 4.7 us, 1.2 s, 12m03s */
void human_thousandths(struct text *t, uint64_t thousandths); /* 2.155 */
void human_count(struct text *t, uint64_t n);		      /* 950, 12.3k, 4.5M */

/* Blanks up to `width` columns after `start`, a former t->len. */
void human_pad(struct text *t, size_t start, size_t width);
/* `s` right-aligned in `width` columns. */
void human_right(struct text *t, const char *s, size_t width);

#endif
