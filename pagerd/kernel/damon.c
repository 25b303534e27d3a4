#include "kernel/damon.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define PATH_BYTES 256
#define TEXT_BYTES 128

#define UPDATE_US 1000003u /* the mark; fvaddr has nothing to update */

#define UPDATE_FILE "contexts/0/monitoring_attrs/intervals/update_us"
#define PID_FILE    "contexts/0/targets/0/pid_target"

#define REGIONS "contexts/0/targets/0/regions"
#define TRIED	"contexts/0/schemes/0/tried_regions"

/* What is the same for every target. The maxima are 0 by default, which matches nothing. */
static const struct {
	const char *file;
	uint64_t value;
} numbers[] = {
    {UPDATE_FILE, UPDATE_US},
    {"contexts/0/monitoring_attrs/nr_regions/max", DAMON_REGIONS_MAX},
    {"contexts/0/targets/nr_targets", 1},
    {"contexts/0/schemes/nr_schemes", 1},
    {"contexts/0/schemes/0/access_pattern/sz/max", UINT64_MAX},
    {"contexts/0/schemes/0/access_pattern/nr_accesses/max", UINT32_MAX},
    {"contexts/0/schemes/0/access_pattern/age/max", UINT32_MAX},
};

/* A read-only sysfs and a locked-down kernel come to the same as a missing permission. */
static int plain(int err)
{
	return err == -EROFS || err == -EPERM ? -EACCES : err;
}

static void nr_path(char path[PATH_BYTES], const char *root)
{
	struct text t = text_begin(path, PATH_BYTES);

	text_str(&t, root);
	text_str(&t, "/nr_kdamonds");
}

static void path_of(char path[PATH_BYTES], const char *root, uint64_t kdamond, const char *file)
{
	struct text t = text_begin(path, PATH_BYTES);

	text_str(&t, root);
	text_char(&t, '/');
	text_u64(&t, kdamond);
	text_char(&t, '/');
	text_str(&t, file);
}

static void item_of(char file[TEXT_BYTES], const char *folder, unsigned i, const char *leaf)
{
	struct text t = text_begin(file, TEXT_BYTES);

	text_str(&t, folder);
	text_char(&t, '/');
	text_u64(&t, i);
	text_char(&t, '/');
	text_str(&t, leaf);
}

static long get(const struct damon *d, const char *file, char text[TEXT_BYTES])
{
	char path[PATH_BYTES];

	path_of(path, d->root, d->index, file);
	return procfile_read(path, text, TEXT_BYTES);
}

static int put(const struct damon *d, const char *file, const char *text)
{
	char path[PATH_BYTES];

	path_of(path, d->root, d->index, file);
	return plain(procfile_write(path, text));
}

static int put_number(const struct damon *d, const char *file, uint64_t value)
{
	char text[TEXT_BYTES];
	struct text t = text_begin(text, sizeof(text));

	text_u64(&t, value);
	return put(d, file, text);
}

static int put_item(const struct damon *d, const char *folder, unsigned i, const char *leaf,
		    uint64_t value)
{
	char file[TEXT_BYTES];

	item_of(file, folder, i, leaf);
	return put_number(d, file, value);
}

static int get_item(const struct damon *d, const char *folder, unsigned i, const char *leaf,
		    uint64_t *value)
{
	char file[TEXT_BYTES], path[PATH_BYTES];

	item_of(file, folder, i, leaf);
	path_of(path, d->root, d->index, file);
	return procfile_number(path, value);
}

/* --- before anything is written --- */

/*
 * Opened for writing too, which tells whether we may, without doing it. The descriptor, locked, or
 * -EBUSY when another process of ours has it.
 */
static int take_lock(const char *root)
{
	char path[PATH_BYTES];
	long fd, err;

	nr_path(path, root);
	fd = sys_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return plain((int)fd);
	err = SYS2(__NR_flock, fd, LOCK_EX | LOCK_NB);
	if (!err)
		return (int)fd;
	sys_close((int)fd);
	return err == -EAGAIN ? -EBUSY : (int)err;
}

static void drop_lock(struct damon *d)
{
	if (d->lock >= 0)
		sys_close(d->lock);
	d->lock = -1;
}

static int count_kdamonds(int lock, uint64_t *count)
{
	char text[TEXT_BYTES];
	long len = procfile_read_fd(lock, text, sizeof(text));

	return len < 0 ? (int)len : parse_u64(text, count);
}

/* 0 when the file holds just that number, -EBUSY when it holds another. */
static int check_number(const char *root, uint64_t kdamond, const char *file, uint64_t wanted)
{
	char path[PATH_BYTES];
	uint64_t value;
	int err;

	path_of(path, root, kdamond, file);
	err = procfile_number(path, &value);
	return !err && value != wanted ? -EBUSY : err;
}

/* Marked, and watching that process. */
static int check_marked(const char *root, uint64_t kdamond, int pid)
{
	int err = check_number(root, kdamond, UPDATE_FILE, UPDATE_US);

	return err ? err : check_number(root, kdamond, PID_FILE, (uint64_t)pid);
}

/*
 * 0 when no kdamond of sysfs is on, but for ours: its number plus one is then in *left. One that
 * vanishes meanwhile has someone at work on it.
 */
static int check_idle(const char *root, uint64_t count, int pid, uint64_t *left)
{
	char path[PATH_BYTES], text[TEXT_BYTES];

	*left = 0;
	for (uint64_t i = 0; i < count; i++) {
		long len;

		path_of(path, root, i, "state");
		len = procfile_read(path, text, sizeof(text));
		if (len == -ENOENT)
			return -EBUSY;
		if (len < 0)
			return (int)len;
		if (text_equal(text, "off"))
			continue;
		/* What another process of ours set up has an owner. */
		if (!text_equal(text, "on") || check_marked(root, i, pid))
			return -EBUSY;
		*left = i + 1;
	}
	return 0;
}

static int look(const char *root, int lock, int pid, uint64_t *left)
{
	uint64_t count;
	int err = count_kdamonds(lock, &count);

	return err ? err : check_idle(root, count, pid, left);
}

static bool has_line(const char *text, const char *wanted)
{
	while (*text) {
		if (scan_word(&text, wanted) && (*text == '\n' || !*text))
			return true;
		while (*text && *text != '\n')
			text++;
		if (*text)
			text++;
	}
	return false;
}

/* The best of the listed operations, or NULL. */
static const char *pick_operations(const char *listed)
{
	if (has_line(listed, "fvaddr"))
		return "fvaddr";
	return has_line(listed, "vaddr") ? "vaddr" : NULL;
}

static bool lists_operations(const char *root)
{
	char path[PATH_BYTES], listed[TEXT_BYTES];

	/* Only a context lists the operations; without one damon_start() will find out. */
	path_of(path, root, 0, "contexts/0/avail_operations");
	return procfile_read(path, listed, sizeof(listed)) < 0 || pick_operations(listed);
}

int damon_probe(const char *root)
{
	const int lock = take_lock(root);
	uint64_t left;
	int err;

	if (lock < 0)
		return lock;
	err = look(root, lock, (int)sys_getpid(), &left);
	sys_close(lock);
	if (err)
		return err;
	return lists_operations(root) ? 0 : -ENOENT;
}

/* --- the ranges, in ascending order without a sorted copy: there may be a thousand --- */

static const struct pc_span *lowest_from(const struct pc_span *ranges, unsigned count, pc_addr from)
{
	const struct pc_span *best = NULL;

	for (unsigned i = 0; i < count; i++)
		if (ranges[i].start >= from && (!best || ranges[i].start < best->start))
			best = &ranges[i];
	return best;
}

static int check_ranges(const struct pc_span *ranges, unsigned count)
{
	pc_addr from = 0;

	if (count > DAMON_RANGES_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < count; i++) {
		const struct pc_span *r = lowest_from(ranges, count, from);

		if (!r || r->start >= r->end)
			return -EINVAL;
		from = r->end;
	}
	return count ? 0 : -EINVAL;
}

static int put_ranges(const struct damon *d, const struct pc_span *ranges, unsigned count)
{
	int err = put_number(d, REGIONS "/nr_regions", count);
	pc_addr from = 0;

	for (unsigned i = 0; i < count && !err; i++) {
		const struct pc_span *r = lowest_from(ranges, count, from);

		err = put_item(d, REGIONS, i, "start", r->start);
		if (!err)
			err = put_item(d, REGIONS, i, "end", r->end);
		from = r->end;
	}
	return err;
}

/* --- set up --- */

/* The kernel refuses this with EBUSY while any kdamond runs: what check_idle() missed ends here. */
static int make_kdamond(const char *root)
{
	char path[PATH_BYTES];

	nr_path(path, root);
	return plain(procfile_write(path, "1"));
}

static int put_operations(struct damon *d)
{
	char listed[TEXT_BYTES];
	const char *operations;
	long len = get(d, "contexts/0/avail_operations", listed);

	if (len < 0)
		return (int)len;
	operations = pick_operations(listed);
	if (!operations)
		return -ENOENT;
	d->fixed_ranges = text_equal(operations, "fvaddr");
	return put(d, "contexts/0/operations", operations);
}

static int put_detail(struct damon *d, const struct damon_detail *detail)
{
	const uint64_t sample_us = detail->sample_ms * 1000ull;
	int err = put_number(d, "contexts/0/monitoring_attrs/intervals/sample_us", sample_us);

	if (!err)
		err = put_number(d, "contexts/0/monitoring_attrs/intervals/aggr_us",
				 sample_us * DAMON_SAMPLES);
	if (!err)
		err = put_number(d, "contexts/0/monitoring_attrs/nr_regions/min", detail->regions);
	d->aggr_ms = detail->sample_ms * DAMON_SAMPLES;
	return err;
}

static int configure(struct damon *d, int pid, const struct damon_detail *detail,
		     const struct pc_span *ranges, unsigned count)
{
	int err = put_number(d, "contexts/nr_contexts", 1);

	if (!err)
		err = put_operations(d);
	for (unsigned i = 0; i < PC_ARRAY_LEN(numbers) && !err; i++)
		err = put_number(d, numbers[i].file, numbers[i].value);
	if (!err)
		err = put_detail(d, detail);
	if (!err)
		err = put(d, "contexts/0/schemes/0/action", "stat");
	if (!err)
		err = put_number(d, PID_FILE, (uint64_t)pid);
	if (!err && d->fixed_ranges)
		err = put_ranges(d, ranges, count);
	return err;
}

/* The pid of our kdamond, which names it; 0 when it is off. */
static int read_pid(const struct damon *d, int *pid)
{
	char text[TEXT_BYTES];
	uint64_t v = 0;
	long len = get(d, "pid", text);

	if (len < 0)
		return (int)len;
	if (!text_equal(text, "-1") && parse_u64(text, &v))
		return -EINVAL;
	*pid = (int)v;
	return 0;
}

static int switch_on(struct damon *d, int pid)
{
	int err = put(d, "state", "on");

	if (err)
		return err;
	err = read_pid(d, &d->kdamond_pid);
	if (!err && !d->kdamond_pid)
		err = -ESRCH;
	/* Another tool knows nothing of the lock: what is on now may not be what we wrote. */
	if (!err)
		err = check_marked(d->root, d->index, pid);
	/* One whose name is not known could not be told from another's later. */
	if (err)
		put(d, "state", "off");
	d->running = !err;
	return err;
}

/* In the order of struct damon_region. */
static const char *const said_fields[TRACEPOINT_FIELDS] = {"start", "end", "nr_accesses", "age"};

/* Where it may not be heard, the files tell. */
static void listen(struct damon *d)
{
	tracepoint_open(&d->said, TRACEPOINT_ROOT, "damon/damon_aggregated", d->kdamond_pid,
			said_fields);
}

static int make_idle(struct damon *d, int pid)
{
	uint64_t left;
	int err = look(d->root, d->lock, pid, &left);

	if (err || !left)
		return err;
	d->index = (unsigned)(left - 1);
	err = put(d, "state", "off");
	d->index = 0;
	return err == -EACCES ? 0 : err; /* it ended meanwhile */
}

static int set_up(struct damon *d, int pid, const struct damon_detail *detail,
		  const struct pc_span *ranges, unsigned count)
{
	int err = make_idle(d, pid);

	if (!err)
		err = make_kdamond(d->root);
	if (!err)
		err = configure(d, pid, detail, ranges, count);
	return err ? err : switch_on(d, pid);
}

int damon_start(struct damon *d, const char *root, int pid, const struct damon_detail *detail,
		const struct pc_span *ranges, unsigned count)
{
	struct damon fresh = {.lock = -1};
	struct text t = text_begin(fresh.root, sizeof(fresh.root));
	int err;

	text_str(&t, root); /* which may be d->root */
	*d = fresh;
	if (t.truncated)
		return -ENAMETOOLONG;
	err = check_ranges(ranges, count);
	if (err)
		return err;
	d->lock = take_lock(d->root);
	if (d->lock < 0)
		return d->lock;
	/* A failure leaves an idle kdamond: it shows the next damon_probe() the operations. */
	err = set_up(d, pid, detail, ranges, count);
	if (err)
		drop_lock(d);
	else
		listen(d);
	return err;
}

/* --- while it runs --- */

static void let_go(struct damon *d)
{
	d->running = false;
	tracepoint_close(&d->said);
	drop_lock(d);
}

/* 0 while the kdamond that we started is on, -ESRCH when it ended or is another one. */
static int check_ours(struct damon *d)
{
	char state[TEXT_BYTES];
	int pid = 0;
	long err;

	if (!d->running)
		return -ESRCH;
	err = get(d, "state", state);
	if (err >= 0)
		err = read_pid(d, &pid);
	if (err && err != -ENOENT)
		return (int)err;
	if (!err && text_equal(state, "on") && pid == d->kdamond_pid)
		return 0;
	let_go(d);
	return -ESRCH;
}

/* A refused command means a stopped kdamond, unless it still runs. */
static int command(struct damon *d, const char *word)
{
	int err = put(d, "state", word);
	int gone = check_ours(d);

	return gone ? gone : err;
}

int damon_retarget(struct damon *d, const struct damon_detail *detail, const struct pc_span *ranges,
		   unsigned count)
{
	int err = check_ranges(ranges, count);

	if (!err)
		err = check_ours(d);
	if (err || !d->fixed_ranges)
		return err;
	err = put_detail(d, detail);
	if (!err)
		err = put_ranges(d, ranges, count);
	return err ? err : command(d, "commit");
}

/* -ENOENT only when there is no region `i` at all. */
static int read_region(const struct damon *d, unsigned i, struct damon_region *r)
{
	uint64_t accesses = 0, age = 0;
	int err = get_item(d, TRIED, i, "start", &r->start);

	if (err)
		return err;
	err = get_item(d, TRIED, i, "end", &r->end);
	if (!err)
		err = get_item(d, TRIED, i, "nr_accesses", &accesses);
	if (!err)
		err = get_item(d, TRIED, i, "age", &age);
	r->nr_accesses = (uint32_t)accesses;
	r->age = (uint32_t)age;
	return err == -ENOENT ? -EIO : err;
}

static int read_regions(const struct damon *d, damon_fn *fn, void *arg)
{
	struct damon_region r;
	unsigned i;

	for (i = 0;; i++) {
		int err = read_region(d, i, &r);

		if (err == -ENOENT)
			return (int)i;
		if (err)
			return err;
		if (!fn(&r, arg))
			return (int)i + 1;
	}
}

struct hearing {
	damon_fn *fn;
	void *arg;
	bool enough;
};

static void hear(const uint64_t value[TRACEPOINT_FIELDS], void *arg)
{
	struct hearing *h = arg;
	const struct damon_region r = {
	    .start = value[0],
	    .end = value[1],
	    .nr_accesses = (uint32_t)value[2],
	    .age = (uint32_t)value[3],
	};

	if (!h->enough)
		h->enough = !h->fn(&r, h->arg);
}

static int read_said(struct damon *d, damon_fn *fn, void *arg)
{
	struct hearing h = {.fn = fn, .arg = arg};
	uint64_t lost;
	unsigned n = tracepoint_read(&d->said, hear, &h, &lost);

	d->lost += lost;
	return (int)n;
}

int damon_read(struct damon *d, damon_fn *fn, void *arg)
{
	int err = check_ours(d);

	if (!err && tracepoint_is_open(&d->said))
		return read_said(d, fn, arg);
	if (!err)
		err = command(d, "update_schemes_tried_regions");
	return err ? err : read_regions(d, fn, arg);
}

/* The kernel refuses it while any kdamond is on, and idle ones of others are not ours to take. */
static int take_away(const struct damon *d)
{
	char path[PATH_BYTES];
	uint64_t count;
	int err = count_kdamonds(d->lock, &count);

	if (err || count != 1 || check_number(d->root, d->index, UPDATE_FILE, UPDATE_US))
		return err;
	nr_path(path, d->root);
	return procfile_write(path, "0");
}

int damon_stop(struct damon *d)
{
	int err = check_ours(d);

	if (err)
		return err == -ESRCH ? 0 : err;
	err = put(d, "state", "off");
	/* It ended between our look and our write. */
	if (err == -EACCES)
		err = 0;
	if (!err)
		err = take_away(d);
	let_go(d);
	return err == -EBUSY ? 0 : err; /* another tool has begun: it will make its own */
}
