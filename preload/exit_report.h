/*
 * exit_report.h - SUMMARY and CSV: what is left behind when the program exits.
 *
 * DESIGN  A file is appended to with one write(2) under flock(2), so that processes which end
 *         together leave whole reports. Paths are made absolute at start, for a program may change
 *         its directory. No descriptor is kept: programs count theirs and close all.
 *         A process that is killed, calls _exit() or executes another program leaves nothing, nor
 *         does one whose system calls are filtered: the filter may not allow what a report takes.
 *         What the kernel sends where nobody reads, or where files may not grow, would end the
 *         program in the place of its report, so it is held back and taken in.
 * THREADS the one that exits.
 */
#ifndef PC_PRELOAD_EXIT_REPORT_H
#define PC_PRELOAD_EXIT_REPORT_H

void exit_report_prepare(void); /* `options` has been filled */
void exit_report(void);

#endif
