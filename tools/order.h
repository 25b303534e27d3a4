/*
 * order.h - the verbs that are one command through the mailbox: restore, evict, resume.
 */
#ifndef PC_TOOLS_ORDER_H
#define PC_TOOLS_ORDER_H

#include "mailbox.h"

#define ORDER_TIMEOUT (60 * PC_SEC)

struct order {
	const char *verb;
	const char *done; /* "restored": what happened to the pages; NULL where none are counted */
	const char *details;
	enum pc_command command;
	void (*progress)(struct target *t);
};

/* Parses the command line, asks, waits, and says how it went. An exit status. */
int order_main(const struct order *order, int argc, char **argv);

/* The pager's -errno in words. */
const char *order_error(int result);

/* Shows `s` in place of what it showed last, where standard error is a terminal; "" wipes it. */
void order_progress(const char *s);

#endif
