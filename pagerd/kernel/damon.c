#include "kernel/damon.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <fcntl.h>

#define PATH_BYTES 256
#define TEXT_BYTES 128

#define SAMPLE_US 5000u
#define AGGR_US	  100000u
#define UPDATE_US 1000000u

#define REGIONS "contexts/0/targets/0/regions"
#define TRIED	"contexts/0/schemes/0/tried_regions"

/* What is the same for every target. The maxima are 0 by default, which matches nothing. */
static const struct {
	const char *file;
	uint64_t value;
} numbers[] = {
    {"contexts/0/monitoring_attrs/intervals/sample_us", SAMPLE_US},
    {"contexts/0/monitoring_attrs/intervals/aggr_us", AGGR_US},
    {"contexts/0/monitoring_attrs/intervals/update_us", UPDATE_US},
    {"contexts/0/monitoring_attrs/nr_regions/min", 10},
    {"contexts/0/monitoring_attrs/nr_regions/max", DAMON_RANGES_MAX},
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

/* Opened for writing too, which tells whether we may, without doing it. */
static int count_kdamonds(const char *root, uint64_t *count)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	long fd, len;

	nr_path(path, root);
	fd = sys_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return plain((int)fd);
	len = procfile_read_fd((int)fd, text, sizeof(text));
	sys_close((int)fd);
	return len < 0 ? (int)len : parse_u64(text, count);
}

/* 0 when no kdamond of sysfs is on. One that vanishes meanwhile has someone at work on it. */
static int check_idle(const char *root, uint64_t count)
{
	char path[PATH_BYTES], text[TEXT_BYTES];

	for (uint64_t i = 0; i < count; i++) {
		long len;

		path_of(path, root, i, "state");
		len = procfile_read(path, text, sizeof(text));
		if (len == -ENOENT)
			return -EBUSY;
		if (len < 0)
			return (int)len;
		if (!text_equal(text, "off"))
			return -EBUSY;
	}
	return 0;
}

static int look(const char *root, uint64_t *count)
{
	int err = count_kdamonds(root, count);

	return err ? err : check_idle(root, *count);
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

int damon_probe(const char *root)
{
	char path[PATH_BYTES], listed[TEXT_BYTES];
	uint64_t count;
	int err = look(root, &count);

	if (err)
		return err;
	/* Only a context lists the operations; without one damon_start() will find out. */
	path_of(path, root, 0, "contexts/0/avail_operations");
	if (procfile_read(path, listed, sizeof(listed)) < 0)
		return 0;
	return pick_operations(listed) ? 0 : -ENOENT;
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

static int configure(struct damon *d, int pid, const struct pc_span *ranges, unsigned count)
{
	int err = put_number(d, "contexts/nr_contexts", 1);

	if (!err)
		err = put_operations(d);
	for (unsigned i = 0; i < PC_ARRAY_LEN(numbers) && !err; i++)
		err = put_number(d, numbers[i].file, numbers[i].value);
	if (!err)
		err = put(d, "contexts/0/schemes/0/action", "stat");
	if (!err)
		err = put_number(d, "contexts/0/targets/0/pid_target", (uint64_t)pid);
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

static int switch_on(struct damon *d)
{
	int err = put(d, "state", "on");

	if (err)
		return err;
	err = read_pid(d, &d->kdamond_pid);
	if (!err && !d->kdamond_pid)
		err = -ESRCH;
	/* One whose name is not known could not be told from another's later. */
	if (err)
		put(d, "state", "off");
	d->running = !err;
	return err;
}

int damon_start(struct damon *d, const char *root, int pid, const struct pc_span *ranges,
		unsigned count)
{
	struct damon fresh = {.aggr_ms = AGGR_US / 1000};
	struct text t = text_begin(fresh.root, sizeof(fresh.root));
	uint64_t kdamonds;
	int err;

	text_str(&t, root); /* which may be d->root */
	*d = fresh;
	if (t.truncated)
		return -ENAMETOOLONG;
	err = check_ranges(ranges, count);
	if (!err)
		err = look(d->root, &kdamonds);
	if (!err)
		err = make_kdamond(d->root);
	/* A failure leaves an idle kdamond: it shows the next damon_probe() the operations. */
	if (!err)
		err = configure(d, pid, ranges, count);
	return err ? err : switch_on(d);
}

/* --- while it runs --- */

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
	d->running = !err && text_equal(state, "on") && pid == d->kdamond_pid;
	return d->running ? 0 : -ESRCH;
}

/* A refused command means a stopped kdamond, unless it still runs. */
static int command(struct damon *d, const char *word)
{
	int err = put(d, "state", word);
	int gone = check_ours(d);

	return gone ? gone : err;
}

int damon_retarget(struct damon *d, const struct pc_span *ranges, unsigned count)
{
	int err = check_ranges(ranges, count);

	if (!err)
		err = check_ours(d);
	if (err || !d->fixed_ranges)
		return err;
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

int damon_read(struct damon *d, damon_fn *fn, void *arg)
{
	int err = check_ours(d);

	if (!err)
		err = command(d, "update_schemes_tried_regions");
	return err ? err : read_regions(d, fn, arg);
}

int damon_stop(struct damon *d)
{
	int err = check_ours(d);

	if (err)
		return err == -ESRCH ? 0 : err;
	err = command(d, "off");
	return err == -ESRCH ? 0 : err;
}
