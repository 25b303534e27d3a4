/*
 * stats.h - counters.def as calls, writing the shared segment.
 *
 * DESIGN  Each thread writes a shard of its own (index & (PC_SHARDS-1)), with relaxed atomic adds,
 *       since pagers may outnumber shards. Before stats_start() the calls write a private
 *       segment-shaped scratch in .bss: nothing has to test for it.
 * THREADS stats_start() once; the calls by any pager thread, with its own shard number.
 */
#ifndef PC_BASE_STATS_H
#define PC_BASE_STATS_H

#include "base/types.h"
#include "predicomp/segment.h"

enum pc_value_id { /* counters and gauges share one array */
#define PC_COUNTER(name, unit, help) PC_V_##name,
#define PC_GAUGE(name, unit, help)   PC_V_##name,
#define PC_HISTOGRAM(name, unit, help)
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
		   PC_V_COUNT
};

enum pc_hist_id {
#define PC_COUNTER(name, unit, help)
#define PC_GAUGE(name, unit, help)
#define PC_HISTOGRAM(name, unit, help) PC_H_##name,
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
	PC_H_COUNT
};

size_t stats_segment_bytes(void);
size_t stats_written_bytes(void); /* of those, all after it is still zero */

/*
 * Lays the tables out in `memory` (stats_segment_bytes(), zeroed, shared or private) and writes
 * there from now on; what was counted before stays behind. `pid`, `program` for the header, whose
 * run state, options and caps are the pager's to fill. Marks the segment ready.
 */
void stats_start(void *memory, int pid, const char *program, pc_ns now);
/* In a child: from now on counts go to the scratch again, not to the parent's segment. */
void stats_leave(void);
struct pc_segment *stats_segment(void); /* never NULL */
/*
 * The segment as it is at one moment, to `to` (stats_segment_bytes(), zeroed): in it, pages evicted are
 * those that were restored or dropped and those that are stored, though others count meanwhile. False
 * where no such moment was met.
 */
bool stats_copy(void *to);

void stats_add(unsigned shard, enum pc_value_id id, int64_t by); /* counters and gauges */
void stats_set(enum pc_value_id id, uint64_t value); /* gauges with one writer: shard 0 := value */
uint64_t stats_get(enum pc_value_id id);	     /* sum over shards */
void stats_observe(unsigned shard, enum pc_hist_id id, pc_ns value);
void stats_observe_n(unsigned shard, enum pc_hist_id id, pc_ns value, uint32_t times);

unsigned hist_bucket(pc_ns value);	/* index of the bucket that takes `value` */
pc_ns hist_bucket_low(unsigned bucket); /* smallest value of a bucket */

#define COUNT(shard, name)	stats_add((shard), PC_V_##name, 1)
#define ADD(shard, name, n)	stats_add((shard), PC_V_##name, (int64_t)(n))
#define SET(name, v)		stats_set(PC_V_##name, (v))
#define OBSERVE(shard, name, v) stats_observe((shard), PC_H_##name, (v))

#endif
