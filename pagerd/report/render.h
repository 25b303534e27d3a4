/*
 * render.h - a report as CSV and as the readable summary, in the caller's buffer.
 *
 * CSV   Two lines, one column for each item of report_each(), raw values in the unit of their
 *       column: header and row of one segment always agree. Histograms are name_field, options
 *       option_name, capabilities cap_name. Words are quoted.
 * TEXT  What a person asks first: who, how it is managed or why not, memory before and now,
 *       faults, latencies. Two lines for a process in which nothing was ever managed.
 *
 * Overflow truncates and is seen in t->truncated.
 */
#ifndef PC_REPORT_RENDER_H
#define PC_REPORT_RENDER_H

#include "base/text.h"
#include "report/report.h"

#define RENDER_CSV_BYTES     32768u /* enough for either line */
#define RENDER_SUMMARY_BYTES 8192u

/* Both end in a newline. */
void render_csv_header(const struct report *r, struct text *t);
void render_csv_row(const struct report *r, struct text *t);

void render_summary(const struct report *r, struct text *t);

#endif
