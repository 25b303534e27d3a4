/*
 * kernel_view.h - faults with their addresses, from programs in the kernel; for the verbs that can
 * do without it, and also in a command that was built without it.
 */
#ifndef PC_TOOLS_KERNEL_VIEW_H
#define PC_TOOLS_KERNEL_VIEW_H

#include "base/types.h"

struct kernel_view;

/* Counts by unit of 2 MiB, or each fault as an event. */
enum kernel_view_kind { KERNEL_UNITS, KERNEL_EVENTS };

#define KERNEL_UNITS_MAX 65536u

/*
 * Follows the process of `pidfd` and its children from now on. NULL with the reason, and what to
 * do, in `why`.
 */
struct kernel_view *kernel_view_open(int pidfd, enum kernel_view_kind kind, char *why, size_t size);
void kernel_view_close(struct kernel_view *k);

/* All units in which something was counted since the last call, with how much. 0 or -errno. */
typedef void kernel_unit_fn(void *arg, uint32_t tgid, pc_addr base, uint64_t minor, uint64_t major);
int kernel_view_units(struct kernel_view *k, kernel_unit_fn *fn, void *arg);

/* The faults that came since the last call. 0 or -errno. */
struct kernel_fault {
	pc_ns time;
	pc_addr address;
	uint32_t tgid, tid;
	bool major;
};
typedef void kernel_fault_fn(void *arg, const struct kernel_fault *fault);
int kernel_view_faults(struct kernel_view *k, kernel_fault_fn *fn, void *arg);

/* Faults that found no room: in the table of units, or among the events. */
uint64_t kernel_view_refused(struct kernel_view *k);

#endif
