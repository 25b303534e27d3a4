#define PREDICOMP_IMPLEMENTATION
#include "predicomp/predicomp.h"

#include "exclusion.h"
#include "base/atomic.h"
#include "base/stats.h"
#include "base/text.h"
#include "pager.h"

#include <errno.h>

/* In the order of enum pc_value_id. */
static const char *const value_names[] = {
#define PC_COUNTER(name, unit, help) #name,
#define PC_GAUGE(name, unit, help)   #name,
#define PC_HISTOGRAM(name, unit, help)
#define PC_RATIO(name, num, den, help)
#include "predicomp/counters.def"
#undef PC_COUNTER
#undef PC_GAUGE
#undef PC_HISTOGRAM
#undef PC_RATIO
};

_Static_assert(PC_ARRAY_LEN(value_names) == PC_V_COUNT, "one name for each value");

unsigned predicomp_version(void)
{
	return PREDICOMP_VERSION_MAJOR << 16 | PREDICOMP_VERSION_MINOR << 8 |
	       PREDICOMP_VERSION_PATCH;
}

int predicomp_enabled(void)
{
	return pager_active();
}

int predicomp_counter(const char *name, uint64_t *value)
{
	/* Acquire: pairs with the release at the end of stats_start(). */
	if (!load_acquire(&stats_segment()->ready))
		return -EAGAIN;
	for (unsigned i = 0; i < PC_V_COUNT; i++) {
		if (!text_equal(value_names[i], name))
			continue;
		*value = stats_get((enum pc_value_id)i);
		return 0;
	}
	return -ENOENT;
}

/* The whole pages of [start, start + length), maybe none. False for an empty or wrapping range. */
static bool whole_pages(const void *start, size_t length, struct pc_span *out)
{
	pc_addr from = (pc_addr)start;

	if (!length || from + length < from || from + length > PC_ADDR_MAX)
		return false;
	out->start = page_ceil(from);
	out->end = PC_MAX(page_floor(from + length), out->start);
	return true;
}

static int hint(enum pager_hint what, const void *start, size_t length)
{
	struct pc_span s;

	if (!whole_pages(start, length, &s))
		return -EINVAL;
	if (!pager_active())
		return -EAGAIN;
	return s.start < s.end ? pager_hint(what, s.start, s.end) : 0;
}

int predicomp_willneed(const void *start, size_t length)
{
	return hint(PAGER_WILLNEED, start, length);
}

int predicomp_cold(const void *start, size_t length)
{
	return hint(PAGER_COLD, start, length);
}

/* Kept in mind for later when nothing is managed yet. */
int predicomp_leave(const void *start, size_t length)
{
	struct pc_span s;

	if (!whole_pages(start, length, &s))
		return -EINVAL;
	if (s.start < s.end)
		exclude_for_good((const void *)s.start, s.end - s.start);
	return pager_active() ? 0 : -EAGAIN;
}

int predicomp_phase(void)
{
	return pager_active() ? pager_hint(PAGER_PHASE, 0, 0) : -EAGAIN;
}
