/*
 * csv.h - what a CSV field must be when a program, or a process, chose it: RFC 4180.
 */
#ifndef PC_TOOLS_CSV_H
#define PC_TOOLS_CSV_H

#include <stdio.h>

/* In quotes, those within it doubled: commas and line ends are then its own. */
void csv_word(FILE *to, const char *s);

#endif
