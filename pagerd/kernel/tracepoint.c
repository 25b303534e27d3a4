#include "kernel/tracepoint.h"

#include "base/atomic.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/mman.h>

#define PATH_BYTES   256
#define RECORD_MAX   512u
#define RING_BYTES   (TRACEPOINT_RING_PAGES * PC_PAGE)
#define MAPPED_BYTES (RING_BYTES + PC_PAGE)

static void path_of(char path[PATH_BYTES], const char *root, const char *event, const char *leaf)
{
	struct text t = text_begin(path, PATH_BYTES);

	text_str(&t, root);
	text_char(&t, '/');
	text_str(&t, event);
	text_char(&t, '/');
	text_str(&t, leaf);
}

/* --- the format: "	field:unsigned long start;	offset:24;	size:8;	signed:0;" --- */

/* Takes up to and with `word`; false when it does not come. */
static bool skip_to(const char **at, const char *word)
{
	for (; **at; ++*at)
		if (scan_word(at, word))
			return true;
	return false;
}

/* A declaration is a type, then a blank, then the name. */
static bool declares(const char *at, const char *name)
{
	while (skip_to(&at, " ")) {
		const char *end = at;

		if (scan_word(&end, name) && *end == ';')
			return true;
	}
	return false;
}

static void note_field(struct tracepoint_field *f, const char *line)
{
	uint64_t offset, size;

	if (!skip_to(&line, "field:") || !declares(line, f->name))
		return;
	if (!skip_to(&line, "offset:") || !scan_dec(&line, &offset) || !skip_to(&line, "size:") ||
	    !scan_dec(&line, &size))
		return;
	if (offset + size <= RECORD_MAX && (size == 4 || size == 8)) {
		f->offset = (uint32_t)offset;
		f->size = (uint32_t)size;
	}
}

static bool note_line(const char *line, void *arg)
{
	struct tracepoint *t = arg;

	for (unsigned i = 0; i < TRACEPOINT_FIELDS; i++)
		note_field(&t->field[i], line);
	return true;
}

static int learn_format(struct tracepoint *t, const char *root, const char *event)
{
	char path[PATH_BYTES];
	int err;

	path_of(path, root, event, "format");
	err = procfile_lines(path, note_line, t);
	for (unsigned i = 0; i < TRACEPOINT_FIELDS && err >= 0; i++)
		if (!t->field[i].size)
			return -ENOENT;
	return err < 0 ? err : 0;
}

/* --- open and close --- */

static long open_event(uint64_t id, int tid)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_TRACEPOINT,
	    .size = sizeof(attr),
	    .config = id,
	    .sample_period = 1,
	    .sample_type = PERF_SAMPLE_RAW,
	};

	return SYS6(__NR_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC, 0);
}

static int map_ring(struct tracepoint *t)
{
	long at = pool_take(MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd);

	if (at < 0)
		return (int)at;
	t->ring = (void *)at;
	return 0;
}

int tracepoint_open(struct tracepoint *t, const char *root, const char *event, int tid,
		    const char *const names[TRACEPOINT_FIELDS])
{
	char path[PATH_BYTES];
	uint64_t id;
	long err;

	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < TRACEPOINT_FIELDS; i++)
		t->field[i].name = names[i];
	path_of(path, root, event, "id");
	err = procfile_number(path, &id);
	if (!err)
		err = learn_format(t, root, event);
	if (err)
		return (int)err;
	err = open_event(id, tid);
	if (err < 0)
		return (int)err;
	t->fd = (int)err;
	err = map_ring(t);
	if (err)
		sys_close(t->fd);
	return (int)err;
}

void tracepoint_close(struct tracepoint *t)
{
	if (!t->ring)
		return;
	pool_give(t->ring, MAPPED_BYTES);
	sys_close(t->fd);
	t->ring = NULL;
}

/* --- the ring --- */

static void copy_out(const struct tracepoint *t, uint64_t from, void *to, size_t n)
{
	const uint8_t *ring = (const uint8_t *)t->ring + PC_PAGE;
	const size_t at = from % RING_BYTES, first = PC_MIN(n, RING_BYTES - at);

	memcpy(to, ring + at, first);
	memcpy((uint8_t *)to + first, ring, n - first);
}

static uint64_t field_of(const struct tracepoint_field *f, const uint8_t *raw, uint32_t size)
{
	uint64_t wide = 0;

	if (f->offset + f->size <= size)
		memcpy(&wide, raw + f->offset, f->size);
	return wide;
}

/* A sample is its size and as many bytes. */
static void hand_over(const struct tracepoint *t, const uint8_t *body, size_t n, tracepoint_fn *fn,
		      void *arg)
{
	uint64_t value[TRACEPOINT_FIELDS];
	uint32_t size;

	memcpy(&size, body, sizeof(size));
	size = (uint32_t)PC_MIN(size, n - sizeof(size));
	for (unsigned i = 0; i < TRACEPOINT_FIELDS; i++)
		value[i] = field_of(&t->field[i], body + sizeof(size), size);
	fn(value, arg);
}

/* The body of PERF_RECORD_LOST: an id, then the number. */
static uint64_t lost_in(const uint8_t *body)
{
	uint64_t n;

	memcpy(&n, body + sizeof(n), sizeof(n));
	return n;
}

unsigned tracepoint_read(struct tracepoint *t, tracepoint_fn *fn, void *arg, uint64_t *lost)
{
	struct perf_event_mmap_page *page = t->ring;
	const uint64_t head = load_acquire(&page->data_head); /* pairs with the kernel's store */
	uint64_t tail = page->data_tail;
	struct perf_event_header h;
	uint8_t body[RECORD_MAX];
	unsigned records = 0;

	*lost = 0;
	for (; tail < head; tail += h.size) {
		size_t n;

		copy_out(t, tail, &h, sizeof(h));
		if (h.size < sizeof(h))
			break;
		n = PC_MIN(h.size - sizeof(h), sizeof(body));
		copy_out(t, tail + sizeof(h), body, n);
		if (h.type == PERF_RECORD_SAMPLE && n >= sizeof(uint32_t)) {
			hand_over(t, body, n, fn, arg);
			records++;
		} else if (h.type == PERF_RECORD_LOST && n >= 2 * sizeof(uint64_t)) {
			*lost += lost_in(body);
		}
	}
	store_release(&page->data_tail,
		      head); /* pairs with the kernel's load before it writes on */
	return records;
}
