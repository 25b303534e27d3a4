/*
 * launch.h - the library, and an environment that loads it.
 *
 * The command belongs to the library that lies beside it: in the same build folder, or in the lib
 * folder of the same installation. PREDICOMP_LIBRARY names another; it is for the command alone and
 * is taken out of the environment of what is started, for there every PREDICOMP_ name is an option.
 */
#ifndef PC_TOOLS_LAUNCH_H
#define PC_TOOLS_LAUNCH_H

#include <limits.h>

#include "tool.h"

/* STATUS_OK or said: none found, or one whose path LD_PRELOAD cannot hold. */
int launch_find(char library[PATH_MAX]);

/* LD_PRELOAD with `library` before what is there already. STATUS_OK or said. */
int launch_preload(const char *library);

int launch_self(char path[PATH_MAX]); /* the running command; STATUS_OK or said */

#endif
