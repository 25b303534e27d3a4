/*
 * screen.h - a terminal taken over and given back.
 *
 * DESIGN  The alternate screen, no cursor, no echo. Signals that end or stop us are read from a
 *       descriptor, so that whatever happens between two waits, the terminal is given back first.
 */
#ifndef PC_TOOLS_SCREEN_H
#define PC_TOOLS_SCREEN_H

#include "tool.h"

int screen_enter(void); /* STATUS_OK or said */
void screen_leave(void);
void screen_size(int *lines, int *columns);
void screen_home(void);	      /* what follows is drawn from the top left */
void screen_wipe_below(void); /* the rest of the line and all lines below */

enum screen_event { SCREEN_TIME, SCREEN_KEY, SCREEN_RESIZED, SCREEN_END };
/* Waits at most `timeout`. A stop (^Z) is handled inside and reported as a resize. */
enum screen_event screen_wait(pc_ns timeout, char *key);

#endif
