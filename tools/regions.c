#include "regions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

#define LINE_BYTES 4352 /* a path of PATH_MAX and the fields before it */

static const char *const class_names[] = {
    [REGION_UNKNOWN] = "unknown", [REGION_HEAP] = "heap", [REGION_STACK] = "stack",
    [REGION_ANON] = "anonymous",  [REGION_FILE] = "file", [REGION_SHIM] = "library",
    [REGION_KERNEL] = "kernel",
};

const char *region_class_name(enum region_class class)
{
	return class_names[class];
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* What is shown is somebody else's text: printable ASCII or '?'. */
static void set_label(struct region *r, const char *s, size_t len)
{
	size_t n = PC_MIN(len, sizeof(r->label) - 1);

	for (size_t i = 0; i < n; i++)
		r->label[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
	r->label[n] = '\0';
}

static void set_class(struct region *r, enum region_class class, const char *label)
{
	r->class = class;
	set_label(r, label, strlen(label));
}

/* [anon:NAME] or [anon_shmem:NAME] */
static void set_named(struct region *r, const char *name)
{
	const char *inner = strchr(name, ':') + 1;
	size_t len = strcspn(inner, "]");

	r->class = begins(inner, PC_SEGMENT_NAME ":") ? REGION_SHIM : REGION_ANON;
	set_label(r, inner, len);
}

static void set_file(struct region *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	r->class = begins(path, "/memfd:" PC_SEGMENT_NAME " ") ? REGION_SHIM : REGION_FILE;
	set_label(r, name, strlen(name));
}

void region_name(struct region *r, const char *name)
{
	if (*name == '\0')
		set_class(r, REGION_ANON, "anonymous");
	else if (strcmp(name, "[heap]") == 0)
		set_class(r, REGION_HEAP, "heap");
	else if (begins(name, "[stack"))
		set_class(r, REGION_STACK, "stack");
	else if (begins(name, "[anon:") || begins(name, "[anon_shmem:"))
		set_named(r, name);
	else if (*name == '[')
		set_class(r, REGION_KERNEL, name);
	else
		set_file(r, name);
}

bool region_parse(const char *line, struct region *out)
{
	unsigned long long start, end;
	int name = 0;

	if (sscanf(line, "%llx-%llx %*4s %*x %*x:%*x %*u%n", &start, &end, &name) != 2 || !name ||
	    start >= end)
		return false;
	line += name;
	*out = (struct region){.start = start, .end = end};
	region_name(out, line + strspn(line, " \t"));
	return true;
}

/* Kernels without CONFIG_ANON_VMA_NAME show the library's memory without a name. */
static bool is_own(const struct regions *r, const struct region *one)
{
	const pc_addr middle = one->start + (one->end - one->start) / 2;

	for (uint32_t i = 0; i < r->owns; i++)
		if (r->own[i].start <= middle && middle < r->own[i].end)
			return true;
	return false;
}

/* The first region that ends after `addr`. */
static size_t first_after(const struct regions *r, pc_addr addr)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->at[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The pager registers slices of a mapping, which the kernel then shows apart: they are one. */
static bool is_alike(const struct region *a, const struct region *b)
{
	return a->class == b->class && strcmp(a->label, b->label) == 0;
}

/* Puts `n` regions in the place of those in [from, to). There must be room. */
static void replace(struct regions *r, size_t from, size_t to, const struct region *with, size_t n)
{
	memmove(r->at + from + n, r->at + to, (r->count - to) * sizeof(*r->at));
	memcpy(r->at + from, with, n * sizeof(*with));
	r->count += n - (to - from);
}

/* What the two at the edges of [from, to) keep of themselves, with `one` between. */
static size_t cut(const struct regions *r, size_t from, size_t to, const struct region *one,
		  struct region piece[3])
{
	size_t n = 0;

	if (from < to && r->at[from].start < one->start) {
		piece[n] = r->at[from];
		piece[n++].end = one->start;
	}
	piece[n++] = *one;
	if (from < to && r->at[to - 1].end > one->end) {
		piece[n] = r->at[to - 1];
		piece[n++].start = one->end;
	}
	return n;
}

int regions_put(struct regions *r, const struct region *region)
{
	struct region one = *region, piece[3], *at;
	size_t from = first_after(r, one.start), to;

	if (one.class == REGION_ANON && is_own(r, &one))
		set_class(&one, REGION_SHIM, PC_SEGMENT_NAME);
	if (from < r->count && is_alike(&r->at[from], &one) && r->at[from].start <= one.start &&
	    r->at[from].end >= one.end)
		return 0;
	at = array_room(r->at, &r->room, r->count + 2, sizeof(*at));
	if (!at)
		return -ENOMEM;
	r->at = at;
	if (from > 0 && r->at[from - 1].end == one.start && is_alike(&r->at[from - 1], &one))
		from--;
	for (to = from; to < r->count && r->at[to].start <= one.end; to++) {
		/* Those that are alike become one with it, also where they only touch it. */
		if (is_alike(&r->at[to], &one)) {
			one.start = PC_MIN(one.start, r->at[to].start);
			one.end = PC_MAX(one.end, r->at[to].end);
		} else if (r->at[to].start >= one.end) {
			break;
		}
	}
	replace(r, from, to, piece, cut(r, from, to, &one, piece));
	return 0;
}

int regions_update(struct regions *r, pid_t pid)
{
	char path[64], line[LINE_BYTES];
	struct region one;
	FILE *maps;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	while (!err && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (region_parse(line, &one))
			err = regions_put(r, &one);
	}
	if (!err && ferror(maps))
		err = -EIO;
	fclose(maps);
	return err;
}

int regions_read(struct regions *r, pid_t pid)
{
	struct regions now = {.owns = r->owns};
	int err;

	memcpy(now.own, r->own, sizeof(now.own));
	err = regions_update(&now, pid);
	if (!err && !now.count)
		err = -ESRCH; /* it has ended, and its parent has not asked for its status yet */
	if (err) {
		regions_free(&now);
		return err;
	}
	free(r->at);
	*r = now;
	return 0;
}

void regions_free(struct regions *r)
{
	free(r->at);
	*r = (struct regions){0};
}

const struct region *regions_main(const struct regions *r, pc_addr start, pc_addr end)
{
	const struct region *best = NULL;
	pc_addr most = 0;

	for (size_t i = first_after(r, start); i < r->count && r->at[i].start < end; i++) {
		pc_addr bytes = PC_MIN(r->at[i].end, end) - PC_MAX(r->at[i].start, start);

		if (bytes > most) {
			most = bytes;
			best = &r->at[i];
		}
	}
	return best;
}

const struct region *regions_at(const struct regions *r, pc_addr addr)
{
	size_t i = first_after(r, addr);

	return i < r->count && r->at[i].start <= addr ? &r->at[i] : NULL;
}
