/*
 * knob.h - options.def as rows, for all who show options rather than obey them.
 *
 * WHY   Reports, the command line and the man page need the words of the table; base/options.c
 *       needs its values. Values are shown the way a user may write them, so that a line of a
 *       report can be pasted into a command.
 */
#ifndef PC_REPORT_KNOB_H
#define PC_REPORT_KNOB_H

#include "base/options.h"
#include "base/text.h"

enum knob_type {
	KNOB_BOOL,
	KNOB_TIME,
	KNOB_SIZE,
	KNOB_CAP,
	KNOB_PERCENT,
	KNOB_COUNT,
	KNOB_CHOICE,
	KNOB_LIST,
	KNOB_PATH,
};

struct knob {
	const char *id;	  /* cold_age */
	const char *name; /* COLD_AGE */
	enum knob_type type;
	const char *fallback; /* the default, as text */
	const char *accepts;
	const char *help;
};

extern const struct knob knobs[PC_OPT_COUNT];

bool knob_is_text(const struct knob *k);      /* not in the segment: its word is always 0 */
const char *knob_unit(const struct knob *k);  /* of the stored word: ns, bytes, %, or "" */
const char *knob_value(const struct knob *k); /* what a value is called: TIME, SIZE, WORD, ... */

/* The stored `word` as a user would write it; false if a bare number says the same. */
bool knob_text(const struct knob *k, uint64_t word, struct text *t);

#endif
