/*
 * watch.h - whether faults are answered.
 *
 * WHY     A thread whose fault nobody answers waits without a word, and its program with it. There is
 *         no such state by design; where the design or the machine fails, somebody has to say so.
 * DESIGN  Each pager shows how many messages it has read, and up to which all are answered. The work
 *         thread looks, once a second. A pager that had something to answer at the last look, and has
 *         read nothing since and answered nothing, is late; so are all when the userfaultfd had
 *         something to read at both looks and nobody has read anything. And whoever of us waits for a
 *         second at the gate is kept there by somebody who does not go on: that is a look as well,
 *         by which the work thread is watched too. The first such second is the look before: it may
 *         have passed while the process was stopped, and whoever is inside goes on now as well.
 *
 *             looks in a row     1         2 .. 29      WATCH_LOOKS
 *                                |                      |
 *                                said, counted, helped  the process ends, with a line
 *
 *         What is counted is looks, not time: a process that is stopped, frozen or out of CPU has
 *         none meanwhile, and is not ended for what it could not do. Nor is one whose first thread
 *         or work thread is traced: somebody may have stopped the others.
 *         Where there is one CPU there is one pager, and the work thread is the second one that sees
 *         what becomes of it: a crash of either ends the process, for they are threads of it.
 *         Help is what a starved pager needs, by whatever else runs on its CPU: all pagers are woken,
 *         and the late ones may run where the work thread may, for two looks, and twice as many each
 *         time it happens to one; and until it has answered, or there is nothing to answer.
 * THREADS watch_start() and watch_look() by the work thread, while pagers run; watch_gate() by any.
 */
#ifndef PC_FLOW_WATCH_H
#define PC_FLOW_WATCH_H

#include "base/types.h"

#define WATCH_LOOKS 30u

void watch_start(void);		 /* with each new set of pagers */
void watch_look(pc_ns now);	 /* as often as one likes: looks once a second */
void watch_gate(unsigned waits); /* rwgate.late */

#endif
