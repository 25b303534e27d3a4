#include "state/span.h"

#include "base/mem.h"

void span_clear(struct span_set *s)
{
	s->count = 0;
}

uint32_t span_after(const struct span_set *s, pc_addr addr)
{
	uint32_t low = 0, high = s->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (s->span[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Replaces spans [at, at + old) by the `new` ones in `with`. */
static bool splice(struct span_set *s, uint32_t at, uint32_t old, const struct pc_span *with,
		   uint32_t new)
{
	if (s->count - old + new > s->max)
		return false;
	memmove(&s->span[at + new], &s->span[at + old], (s->count - at - old) * sizeof(*s->span));
	for (uint32_t i = 0; i < new; i++)
		s->span[at + i] = with[i];
	s->count = s->count - old + new;
	return true;
}

bool span_add(struct span_set *s, pc_addr start, pc_addr end)
{
	/* Spans that touch the new one merge with it: those that end at or after start... */
	uint32_t at = start ? span_after(s, start - 1) : 0;
	uint32_t last = at;
	struct pc_span merged = {start, end};

	if (start >= end)
		return true;
	for (; last < s->count && s->span[last].start <= end; last++) {
		merged.start = PC_MIN(merged.start, s->span[last].start);
		merged.end = PC_MAX(merged.end, s->span[last].end);
	}
	return splice(s, at, last - at, &merged, 1);
}

bool span_remove(struct span_set *s, pc_addr start, pc_addr end)
{
	uint32_t at = span_after(s, start);
	uint32_t last = at, n = 0;
	struct pc_span left[2];

	for (; last < s->count && s->span[last].start < end; last++) {
		struct pc_span cut = s->span[last];

		if (cut.start < start)
			left[n++] = (struct pc_span){cut.start, start};
		if (cut.end > end)
			left[n++] = (struct pc_span){end, cut.end};
	}
	return splice(s, at, last - at, left, n);
}

bool span_hits(const struct span_set *s, pc_addr start, pc_addr end)
{
	uint32_t at = span_after(s, start);

	return at < s->count && s->span[at].start < end;
}

uint64_t span_bytes(const struct span_set *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->count; i++)
		sum += s->span[i].end - s->span[i].start;
	return sum;
}
