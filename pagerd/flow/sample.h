/*
 * sample.h - DAMON's view becomes heat, where there is a DAMON to be had.
 *
 * DESIGN  Once a second, or four times a cold age, the regions are read; a unit that a region with
 *         accesses touches is warm. When DAMON cannot be used, or stops being ours, the staging
 *         probe serves alone, and that is said once. A stopped kdamond is set up again. What DAMON
 *         has not watched for a cold age is not cold: units begin warm, and all are warm when it
 *         takes over. It is told of at most WATCH_MAX stretches, so that most of its regions are
 *         its own to place: of more, neighbours are watched together with the gaps between them.
 * THREADS the work thread: a read blocks it for about an aggregation interval.
 */
#ifndef PC_FLOW_SAMPLE_H
#define PC_FLOW_SAMPLE_H

#include "base/types.h"
#include "state/span.h"

void sample_start(int pid); /* decides between DAMON and the probe by the option and by trying */
bool sample_by_damon(void);
/* Reads if it is time to. `areas` are what DAMON should watch. */
void sample_tick(pc_ns now, const struct span_set *areas);
void sample_stop(void);

#endif
