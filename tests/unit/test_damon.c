#include "kernel/damon.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A kernel made of files: the folder holds what sysfs would show, and every write(2) into it is
 * answered as DAMON answers it: folders appear, states change, errors are returned.
 */
#define WRITES_MAX 4096
#define TRIED_MAX  8

static struct {
	char root[64];
	char path[256][256]; /* of open descriptors, relative to root; "" if none of ours */

	const char *operations; /* that a context offers */
	int next_pid;
	int deny_error;	   /* of every open */
	int make_error;	   /* of nr_kdamonds */
	int on_error;	   /* of state on */
	int update_error;  /* of update_schemes_tried_regions */
	int off_error;	   /* of state off */
	bool commit_kills; /* as a commit of unsorted regions does */
	bool update_finds_it_off;

	unsigned tried_count;
	struct damon_region tried[TRIED_MAX];
	const char *tried_lacks; /* a file that is not made */

	unsigned writes;
	char log[WRITES_MAX][160]; /* "path value" of each write, refused ones too */

	int deny_listening; /* error of tracepoint_open() */
	unsigned said_next; /* of tried[], told at the tracepoint */
	uint64_t said_lost;
	bool listening;
	bool foreign_target; /* written just before the switch */

	int fail_in; /* counts down to the call that fails with EMFILE; -1 for none */
} fake;

/* --- files --- */

static void full_path(char out[512], const char *path)
{
	snprintf(out, 512, "%s/%s", fake.root, path);
}

static void make_folders(char *path)
{
	for (char *s = path + strlen(fake.root) + 1; *s; s++)
		if (*s == '/') {
			*s = 0;
			mkdir(path, 0700);
			*s = '/';
		}
}

__attribute__((format(printf, 2, 3))) static void tree_put(const char *value, const char *format,
							   ...)
{
	char path[256], full[512];
	va_list args;
	FILE *f;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	full_path(full, path);
	make_folders(full);
	f = fopen(full, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", value);
	assert_int_equal(fclose(f), 0);
}

static void tree_put_number(const char *path, unsigned i, const char *leaf, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	tree_put(text, "%s/%u/%s", path, i, leaf);
}

static const char *tree_get(char out[128], const char *path)
{
	char full[512];
	FILE *f;

	full_path(full, path);
	f = fopen(full, "r");
	if (!f || !fgets(out, 128, f))
		*out = 0;
	if (f)
		fclose(f);
	out[strcspn(out, "\n")] = 0;
	return out;
}

static uint64_t tree_number(const char *path)
{
	char text[128];

	return strtoull(tree_get(text, path), NULL, 10);
}

static bool tree_is(const char *path, const char *value)
{
	char text[128];

	return strcmp(tree_get(text, path), value) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tree_remove(const char *folder)
{
	char full[512];

	full_path(full, folder);
	nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void tree_remove_numbered(const char *folder)
{
	char item[256], full[512];

	for (unsigned i = 0;; i++) {
		snprintf(item, sizeof(item), "%s%s%u", folder, *folder ? "/" : "", i);
		full_path(full, item);
		if (access(full, F_OK))
			return;
		tree_remove(item);
	}
}

/* --- the kernel --- */

#define CONTEXT "contexts/0"
#define TARGET	CONTEXT "/targets/0"
#define SCHEME	CONTEXT "/schemes/0"

static bool is_on(unsigned kdamond)
{
	char path[64];

	snprintf(path, sizeof(path), "%u/state", kdamond);
	return tree_is(path, "on");
}

static int make_kdamonds(unsigned count)
{
	if (fake.make_error)
		return fake.make_error;
	for (unsigned i = 0; i < tree_number("nr_kdamonds"); i++)
		if (is_on(i))
			return -EBUSY;
	tree_remove_numbered("");
	for (unsigned i = 0; i < count; i++) {
		tree_put("off", "%u/state", i);
		tree_put("-1", "%u/pid", i);
		tree_put("0", "%u/contexts/nr_contexts", i);
	}
	return 0;
}

static void make_context(unsigned kdamond)
{
	tree_put(fake.operations, "%u/" CONTEXT "/avail_operations", kdamond);
	tree_put("vaddr", "%u/" CONTEXT "/operations", kdamond);
	tree_put("1", "%u/" CONTEXT "/monitoring_attrs/intervals/sample_us", kdamond);
	tree_put("1", "%u/" CONTEXT "/monitoring_attrs/intervals/aggr_us", kdamond);
	tree_put("1", "%u/" CONTEXT "/monitoring_attrs/intervals/update_us", kdamond);
	tree_put("1", "%u/" CONTEXT "/monitoring_attrs/nr_regions/min", kdamond);
	tree_put("1", "%u/" CONTEXT "/monitoring_attrs/nr_regions/max", kdamond);
	tree_put("0", "%u/" CONTEXT "/targets/nr_targets", kdamond);
	tree_put("0", "%u/" CONTEXT "/schemes/nr_schemes", kdamond);
}

static void make_target(unsigned kdamond)
{
	tree_put("0", "%u/" TARGET "/pid_target", kdamond);
	tree_put("0", "%u/" TARGET "/regions/nr_regions", kdamond);
}

static void make_scheme(unsigned kdamond)
{
	tree_put("pageout", "%u/" SCHEME "/action", kdamond);
	tree_put("0", "%u/" SCHEME "/access_pattern/sz/max", kdamond);
	tree_put("0", "%u/" SCHEME "/access_pattern/nr_accesses/max", kdamond);
	tree_put("0", "%u/" SCHEME "/access_pattern/age/max", kdamond);
	tree_put("0", "%u/" SCHEME "/tried_regions/total_bytes", kdamond);
}

static void make_regions(unsigned kdamond, unsigned count)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "%u/" TARGET "/regions", kdamond);
	tree_remove_numbered(folder);
	for (unsigned i = 0; i < count; i++) {
		tree_put_number(folder, i, "start", 0);
		tree_put_number(folder, i, "end", 0);
	}
}

static void set_state(unsigned kdamond, const char *state, int pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	tree_put(state, "%u/state", kdamond);
	tree_put(text, "%u/pid", kdamond);
}

static void put_tried(const char *folder, unsigned i, const char *leaf, uint64_t value)
{
	if (!fake.tried_lacks || strcmp(leaf, fake.tried_lacks))
		tree_put_number(folder, i, leaf, value);
}

static int update_tried(unsigned kdamond)
{
	char folder[64];

	if (fake.update_finds_it_off)
		set_state(kdamond, "off", -1);
	if (fake.update_error || !is_on(kdamond))
		return fake.update_error ? fake.update_error : -EINVAL;
	snprintf(folder, sizeof(folder), "%u/" SCHEME "/tried_regions", kdamond);
	tree_remove_numbered(folder);
	for (unsigned i = 0; i < fake.tried_count; i++) {
		put_tried(folder, i, "start", fake.tried[i].start);
		put_tried(folder, i, "end", fake.tried[i].end);
		put_tried(folder, i, "nr_accesses", fake.tried[i].nr_accesses);
		put_tried(folder, i, "age", fake.tried[i].age);
	}
	return 0;
}

static int write_state(unsigned kdamond, const char *word)
{
	if (strcmp(word, "on") == 0) {
		if (is_on(kdamond) || fake.on_error)
			return fake.on_error ? fake.on_error : -EBUSY;
		set_state(kdamond, "on", fake.next_pid++);
		if (fake.foreign_target)
			tree_put("77", "%u/" TARGET "/pid_target", kdamond);
	} else if (strcmp(word, "off") == 0) {
		if (!is_on(kdamond))
			return -EPERM;
		set_state(kdamond, "off", -1);
		return fake.off_error;
	} else if (strcmp(word, "update_schemes_tried_regions") == 0) {
		return update_tried(kdamond);
	} else if (strcmp(word, "commit") == 0 && is_on(kdamond)) {
		if (fake.commit_kills)
			set_state(kdamond, "off", -1);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int write_operations(const char *word)
{
	const char *at = strstr(fake.operations, word);

	/* Only the first or a later whole line. */
	while (at && at != fake.operations && at[-1] != '\n')
		at = strstr(at + 1, word);
	return at ? 0 : -EINVAL;
}

/* What a write to `path` does besides being remembered. */
static int react(const char *path, const char *value)
{
	const unsigned n = (unsigned)strtoul(value, NULL, 10);
	char *file;
	unsigned kdamond;

	if (strcmp(path, "nr_kdamonds") == 0)
		return make_kdamonds(n);
	kdamond = (unsigned)strtoul(path, &file, 10);
	file++;
	if (strcmp(file, "contexts/nr_contexts") == 0)
		make_context(kdamond);
	else if (strcmp(file, CONTEXT "/targets/nr_targets") == 0)
		make_target(kdamond);
	else if (strcmp(file, CONTEXT "/schemes/nr_schemes") == 0)
		make_scheme(kdamond);
	else if (strcmp(file, TARGET "/regions/nr_regions") == 0)
		make_regions(kdamond, n);
	else if (strcmp(file, CONTEXT "/operations") == 0)
		return write_operations(value);
	return 0;
}

static long fake_write(const char *path, const char *text, size_t n)
{
	char value[128], line[sizeof(fake.log[0])];
	const char *file = strchr(path, '/');
	int err;

	assert_true(n < sizeof(value) && fake.writes < WRITES_MAX);
	memcpy(value, text, n);
	value[n] = 0;
	snprintf(line, sizeof(line), "%s %s", path, value);
	memcpy(fake.log[fake.writes++], line, sizeof(line));
	if (file && strcmp(file, "/state") == 0)
		err = write_state((unsigned)strtoul(path, NULL, 10), value);
	else
		err = react(path, value);
	if (err)
		return err;
	if (!file || strcmp(file, "/state"))
		tree_put(value, "%s", path);
	return (long)n;
}

static long fake_open(const char *path, long flags)
{
	const size_t root = strlen(fake.root);
	long fd;

	if (fake.deny_error)
		return fake.deny_error;
	if (!root || strncmp(path, fake.root, root)) {
		/* The machine's own DAMON may belong to somebody: nothing but looking. */
		if ((flags & O_ACCMODE) == O_WRONLY || flags & O_TRUNC)
			abort();
		return open(path, (int)flags);
	}
	fd = open(path, (int)flags & ~O_TRUNC);
	if (fd < 0)
		return -errno;
	assert_true(fd < 256);
	snprintf(fake.path[fd], sizeof(fake.path[0]), "%s", path + root + 1);
	return fd;
}

long __real_sys_call(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr != __NR_close && fake.fail_in >= 0 && fake.fail_in-- == 0)
		return -EMFILE;
	if (nr == __NR_openat)
		return fake_open((const char *)b, c);
	if (nr == __NR_write) {
		assert_true(*fake.path[a]);
		return fake_write(fake.path[a], (const char *)b, (size_t)c);
	}
	if (nr == __NR_close)
		*fake.path[a] = 0;
	return __real_sys_call(nr, a, b, c, d, e, f);
}

/* --- the tracepoint --- */

int __wrap_tracepoint_open(struct tracepoint *t, const char *root, const char *event, int tid,
			   const char *const names[TRACEPOINT_FIELDS]);
unsigned __wrap_tracepoint_read(struct tracepoint *t, tracepoint_fn *fn, void *arg, uint64_t *lost);
void __wrap_tracepoint_close(struct tracepoint *t);

int __wrap_tracepoint_open(struct tracepoint *t, const char *root, const char *event, int tid,
			   const char *const names[TRACEPOINT_FIELDS])
{
	const char *const wanted[] = {"start", "end", "nr_accesses", "age"};

	t->ring = NULL;
	if (fake.deny_listening)
		return fake.deny_listening;
	assert_string_equal(root, "/sys/kernel/tracing/events");
	assert_string_equal(event, "damon/damon_aggregated");
	assert_int_equal(tid, fake.next_pid - 1);
	for (unsigned i = 0; i < TRACEPOINT_FIELDS; i++)
		assert_string_equal(names[i], wanted[i]);
	assert_false(fake.listening);
	fake.listening = true;
	t->ring = &fake;
	return 0;
}

unsigned __wrap_tracepoint_read(struct tracepoint *t, tracepoint_fn *fn, void *arg, uint64_t *lost)
{
	unsigned n = 0;

	assert_ptr_equal(t->ring, &fake);
	for (; fake.said_next < fake.tried_count; fake.said_next++, n++) {
		const struct damon_region *r = &fake.tried[fake.said_next];
		const uint64_t value[] = {r->start, r->end, r->nr_accesses, r->age};

		fn(value, arg);
	}
	*lost = fake.said_lost;
	return n;
}

void __wrap_tracepoint_close(struct tracepoint *t)
{
	if (t->ring)
		fake.listening = false;
	t->ring = NULL;
}

static int kernel_begin(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.fail_in = -1;
	fake.deny_listening = -EACCES;
	fake.next_pid = 4711;
	fake.operations = "vaddr\nfvaddr\npaddr";
	strcpy(fake.root, "/tmp/predicomp-damon-XXXXXX");
	assert_non_null(mkdtemp(fake.root));
	tree_put("0", "nr_kdamonds");
	return 0;
}

static int kernel_end(void **state)
{
	(void)state;
	tree_remove(".");
	return rmdir(fake.root);
}

/* Somebody's kdamonds, of which `on` runs. */
static void occupy(unsigned count, unsigned on)
{
	char text[16];

	make_kdamonds(count);
	snprintf(text, sizeof(text), "%u", count);
	tree_put(text, "nr_kdamonds");
	set_state(on, "on", 99);
}

/* --- tests --- */

static const struct pc_span two[] = {{0x7f0000200000, 0x7f0000400000}, {0x1000, 0x3000}};

#define PID 1234

static struct damon d;

static const struct damon_detail detail = {.sample_ms = 20, .regions = 72};

static int start_two(void)
{
	return damon_start(&d, fake.root, PID, &detail, two, 2);
}

static void start_writes_the_whole_configuration(void **state)
{
	(void)state;
	assert_int_equal(damon_probe(fake.root), 0);
	assert_int_equal(fake.writes, 0);
	assert_int_equal(start_two(), 0);
	assert_true(d.running);
	assert_true(d.fixed_ranges);
	assert_int_equal(d.index, 0);
	assert_int_equal(d.kdamond_pid, 4711);
	assert_int_equal(d.aggr_ms, 200);
	assert_true(tree_is("nr_kdamonds", "1"));
	assert_true(tree_is("0/contexts/nr_contexts", "1"));
	assert_true(tree_is("0/" CONTEXT "/operations", "fvaddr"));
	assert_true(tree_is("0/" CONTEXT "/monitoring_attrs/intervals/sample_us", "20000"));
	assert_true(tree_is("0/" CONTEXT "/monitoring_attrs/intervals/aggr_us", "200000"));
	assert_true(tree_is("0/" CONTEXT "/monitoring_attrs/intervals/update_us", "1000003"));
	assert_true(tree_is("0/" CONTEXT "/monitoring_attrs/nr_regions/min", "72"));
	assert_true(tree_is("0/" CONTEXT "/monitoring_attrs/nr_regions/max", "1000"));
	assert_true(tree_is("0/" CONTEXT "/targets/nr_targets", "1"));
	assert_true(tree_is("0/" TARGET "/pid_target", "1234"));
	assert_true(tree_is("0/" SCHEME "/action", "stat"));
	assert_true(tree_is("0/" SCHEME "/access_pattern/sz/max", "18446744073709551615"));
	assert_true(tree_is("0/" SCHEME "/access_pattern/nr_accesses/max", "4294967295"));
	assert_true(tree_is("0/" SCHEME "/access_pattern/age/max", "4294967295"));
	assert_true(tree_is("0/state", "on"));
	assert_string_equal(fake.log[0], "nr_kdamonds 1");
	assert_string_equal(fake.log[fake.writes - 1], "0/state on");
}

static void regions_are_written_in_ascending_order(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	assert_true(tree_is("0/" TARGET "/regions/nr_regions", "2"));
	assert_int_equal(tree_number("0/" TARGET "/regions/0/start"), 0x1000);
	assert_int_equal(tree_number("0/" TARGET "/regions/0/end"), 0x3000);
	assert_int_equal(tree_number("0/" TARGET "/regions/1/start"), 0x7f0000200000);
	assert_int_equal(tree_number("0/" TARGET "/regions/1/end"), 0x7f0000400000);
}

static void vaddr_serves_where_fvaddr_is_missing(void **state)
{
	unsigned writes;

	(void)state;
	fake.operations = "vaddr\npaddr";
	assert_int_equal(start_two(), 0);
	assert_false(d.fixed_ranges);
	assert_true(tree_is("0/" CONTEXT "/operations", "vaddr"));
	assert_true(tree_is("0/" TARGET "/regions/nr_regions", "0"));
	writes = fake.writes;
	assert_int_equal(damon_retarget(&d, &detail, two, 1), 0);
	assert_int_equal(fake.writes, writes);
}

static void paddr_alone_is_no_use(void **state)
{
	(void)state;
	fake.operations = "paddr";
	assert_int_equal(start_two(), -ENOENT);
	assert_false(d.running);
	assert_true(tree_is("0/state", "off"));
	assert_int_equal(damon_probe(fake.root), -ENOENT);
	/* The word has to be a line of its own. */
	fake.operations = "xvaddr\nvaddrx\nfvaddr2";
	assert_int_equal(start_two(), -ENOENT);
}

static void someone_elses_is_left_alone(void **state)
{
	(void)state;
	occupy(1, 0);
	assert_int_equal(damon_probe(fake.root), -EBUSY);
	assert_int_equal(start_two(), -EBUSY);
	occupy(1, 0);
	set_state(0, "off", -1);
	occupy(3, 2);
	assert_int_equal(damon_probe(fake.root), -EBUSY);
	assert_int_equal(start_two(), -EBUSY);
	/* A state that is not known is not idle, nor is one that goes away. */
	set_state(2, "starting", -1);
	assert_int_equal(start_two(), -EBUSY);
	tree_remove("2");
	assert_int_equal(start_two(), -EBUSY);
	assert_int_equal(fake.writes, 0);
	assert_false(d.running);
	assert_int_equal(damon_stop(&d), 0);
	assert_int_equal(fake.writes, 0);
}

/* Two processes of ours: whoever holds the lock has it, from before its first write to its end. */
static void one_process_of_ours_at_a_time(void **state)
{
	struct damon other;
	unsigned writes;

	(void)state;
	assert_int_equal(start_two(), 0);
	set_state(0, "off", -1); /* not what keeps the other out */
	writes = fake.writes;
	assert_int_equal(damon_start(&other, fake.root, PID + 1, &detail, two, 2), -EBUSY);
	assert_int_equal(damon_probe(fake.root), -EBUSY);
	assert_int_equal(fake.writes, writes);
	set_state(0, "on", d.kdamond_pid);
	assert_int_equal(damon_stop(&d), 0);
	assert_int_equal(damon_start(&other, fake.root, PID + 1, &detail, two, 2), 0);
	assert_int_equal(start_two(), -EBUSY);
	/* One that has ended by itself holds nothing. */
	set_state(0, "off", -1);
	assert_int_equal(damon_retarget(&other, &detail, two, 2), -ESRCH);
	assert_int_equal(start_two(), 0);
	assert_int_equal(damon_stop(&d), 0);
}

/* The lock went with the exec; its kdamond watches the same process still. */
static void what_an_exec_left_is_taken_over(void **state)
{
	const int before = 4711;

	(void)state;
	assert_int_equal(start_two(), 0);
	sys_close(d.lock);
	assert_int_equal(start_two(), 0);
	assert_true(d.kdamond_pid > before);
	assert_true(is_on(0));
	sys_close(d.lock);
	/* Another process', or one without the mark, is somebody else's. */
	assert_int_equal(damon_start(&d, fake.root, PID + 1, &detail, two, 2), -EBUSY);
	tree_put("1000000", "0/" CONTEXT "/monitoring_attrs/intervals/update_us");
	assert_int_equal(start_two(), -EBUSY);
	assert_true(is_on(0));
}

/* Another tool wrote between our settings and our "on". */
static void settings_of_another_are_not_ours(void **state)
{
	(void)state;
	fake.foreign_target = true;
	assert_int_equal(start_two(), -EBUSY);
	assert_false(d.running);
	assert_true(tree_is("0/state", "off"));
}

static void idle_ones_of_others_are_not_taken_away(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	tree_put("2", "nr_kdamonds");
	assert_int_equal(damon_stop(&d), 0);
	assert_true(tree_is("nr_kdamonds", "2"));
}

static void idle_ones_do_not_hinder(void **state)
{
	(void)state;
	occupy(2, 1);
	set_state(1, "off", -1);
	assert_int_equal(damon_probe(fake.root), 0);
	assert_int_equal(start_two(), 0);
}

/* Somebody started between our look and our write: the kernel refuses, and nothing follows. */
static void race_is_lost_politely(void **state)
{
	(void)state;
	fake.make_error = -EBUSY;
	assert_int_equal(start_two(), -EBUSY);
	assert_int_equal(fake.writes, 1);
	fake.make_error = 0;
	fake.on_error = -EBUSY; /* DAMON_RECLAIM has no kdamond in sysfs */
	assert_int_equal(start_two(), -EBUSY);
	assert_false(d.running);
}

static void missing_and_forbidden_are_told_apart(void **state)
{
	const int errors[][2] = {
	    {-EACCES, -EACCES}, {-EPERM, -EACCES}, {-EROFS, -EACCES}, {-ENOENT, -ENOENT}};

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(errors); i++) {
		fake.deny_error = errors[i][0];
		assert_int_equal(damon_probe(fake.root), errors[i][1]);
		assert_int_equal(start_two(), errors[i][1]);
	}
	fake.deny_error = 0;
	tree_put("many", "nr_kdamonds");
	assert_int_equal(damon_probe(fake.root), -EINVAL);
	assert_int_equal(start_two(), -EINVAL);
	assert_int_equal(fake.writes, 0);
}

static void refuses_bad_ranges(void **state)
{
	const struct {
		unsigned count;
		struct pc_span range[3];
	} cases[] = {
	    {0, {{0}}},
	    {1, {{0x1000, 0x1000}}},
	    {1, {{0x2000, 0x1000}}},
	    {2, {{0x1000, 0x3000}, {0x2000, 0x4000}}},
	    {2, {{0x1000, 0x2000}, {0x1000, 0x2000}}},
	    {3, {{0x5000, 0x6000}, {0x1000, 0x9000}, {0x3000, 0x4000}}},
	};
	unsigned writes;

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++)
		assert_int_equal(
		    damon_start(&d, fake.root, PID, &detail, cases[i].range, cases[i].count),
		    -EINVAL);
	assert_int_equal(fake.writes, 0);
	assert_int_equal(start_two(), 0);
	writes = fake.writes;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++)
		assert_int_equal(damon_retarget(&d, &detail, cases[i].range, cases[i].count),
				 -EINVAL);
	assert_int_equal(fake.writes, writes);
	assert_true(d.running);
}

static void a_thousand_ranges_and_no_more(void **state)
{
	const unsigned max = DAMON_RANGES_MAX;
	struct pc_span *ranges = calloc(max + 1, sizeof(*ranges));

	(void)state;
	/* Highest first. */
	for (unsigned i = 0; i <= max; i++)
		ranges[i] = (struct pc_span){(max - i) * 0x4000, (max - i) * 0x4000 + 0x1000};
	assert_int_equal(damon_start(&d, fake.root, PID, &detail, ranges, max + 1), -E2BIG);
	assert_int_equal(fake.writes, 0);
	assert_int_equal(damon_start(&d, fake.root, PID, &detail, ranges, max), 0);
	for (unsigned i = 0; i < max; i++) {
		char path[64];

		snprintf(path, sizeof(path), "0/" TARGET "/regions/%u/start", i);
		assert_int_equal(tree_number(path), ranges[max - 1 - i].start);
	}
	free(ranges);
}

static void retarget_commits(void **state)
{
	const struct pc_span three[] = {{0x9000, 0xa000}, {0x5000, 0x6000}, {0x1000, 0x3000}};

	(void)state;
	assert_int_equal(start_two(), 0);
	assert_int_equal(damon_retarget(&d, &detail, three, 3), 0);
	assert_string_equal(fake.log[fake.writes - 1], "0/state commit");
	assert_true(tree_is("0/" TARGET "/regions/nr_regions", "3"));
	assert_int_equal(tree_number("0/" TARGET "/regions/0/start"), 0x1000);
	assert_int_equal(tree_number("0/" TARGET "/regions/1/start"), 0x5000);
	assert_int_equal(tree_number("0/" TARGET "/regions/2/start"), 0x9000);
	fake.commit_kills = true;
	assert_int_equal(damon_retarget(&d, &detail, two, 2), -ESRCH);
	assert_false(d.running);
	assert_int_equal(damon_retarget(&d, &detail, two, 2), -ESRCH);
}

/* --- reading --- */

static const struct damon_region some[] = {
    {0x1000, 0x3000, 20, 37},
    {0x7f0000200000, 0x7f0000300000, 0, 46},
    {0x7f0000300000, 0x7f0000400000, 3, 0},
};

static unsigned visited, visits_max;

static bool visit(const struct damon_region *r, void *arg)
{
	const struct damon_region *wanted = arg;

	assert_memory_equal(r, &wanted[visited], sizeof(*r));
	return ++visited != visits_max;
}

static int read_some(unsigned max)
{
	struct damon_region wanted[PC_ARRAY_LEN(some)];

	memcpy(wanted, some, sizeof(some));
	visited = 0;
	visits_max = max;
	return damon_read(&d, visit, wanted);
}

static void offer_some(void)
{
	memcpy(fake.tried, some, sizeof(some));
	fake.tried_count = PC_ARRAY_LEN(some);
}

static void reads_every_region(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	assert_int_equal(read_some(0), 0);
	offer_some();
	assert_int_equal(read_some(0), 3);
	assert_int_equal(visited, 3);
	assert_string_equal(fake.log[fake.writes - 1], "0/state update_schemes_tried_regions");
	assert_int_equal(read_some(2), 2);
	assert_int_equal(visited, 2);
	fake.tried_count = 1;
	assert_int_equal(read_some(0), 1);
}

static void listens_where_it_may(void **state)
{
	unsigned writes;

	(void)state;
	fake.deny_listening = 0;
	assert_int_equal(start_two(), 0);
	writes = fake.writes;
	offer_some();
	assert_int_equal(read_some(0), 3);
	assert_int_equal(visited, 3);
	/* What was told is not told again; who has heard enough is not told the rest. */
	assert_int_equal(read_some(0), 0);
	fake.said_next = 0;
	fake.said_lost = 7;
	assert_int_equal(read_some(2), 3);
	assert_int_equal(visited, 2);
	assert_int_equal(d.lost, 7);
	assert_int_equal(fake.writes, writes);
	set_state(0, "off", -1);
	assert_int_equal(read_some(0), -ESRCH);
	assert_false(fake.listening);
	assert_int_equal(start_two(), 0);
	assert_true(fake.listening);
	assert_int_equal(damon_stop(&d), 0);
	assert_false(fake.listening);
}

static void half_a_region_is_an_error(void **state)
{
	const char *const leaves[] = {"end", "nr_accesses", "age"};

	(void)state;
	assert_int_equal(start_two(), 0);
	offer_some();
	for (size_t i = 0; i < PC_ARRAY_LEN(leaves); i++) {
		fake.tried_lacks = leaves[i];
		assert_int_equal(read_some(0), -EIO);
		assert_int_equal(visited, 0);
	}
}

static void a_stopped_one_is_rearmed(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	set_state(0, "off", -1); /* the target has exited, say */
	assert_int_equal(read_some(0), -ESRCH);
	assert_false(d.running);
	assert_int_equal(damon_start(&d, d.root, PID, &detail, two, 2), 0);
	assert_string_equal(d.root, fake.root);
	assert_int_equal(d.kdamond_pid, 4712);
	fake.update_finds_it_off = true;
	assert_int_equal(read_some(0), -ESRCH);
	assert_false(d.running);
	assert_int_equal(read_some(0), -ESRCH);
}

static void a_refusal_is_no_stop(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	fake.update_error = -EINVAL;
	assert_int_equal(read_some(0), -EINVAL);
	assert_true(d.running);
	fake.update_error = 0;
	assert_int_equal(read_some(0), 0);
}

static void another_in_our_place_is_not_touched(void **state)
{
	unsigned writes;

	(void)state;
	for (int way = 0; way < 3; way++) {
		set_state(0, "off", -1);
		assert_int_equal(start_two(), 0);
		writes = fake.writes;
		set_state(0, "on", 99);
		if (way == 0)
			assert_int_equal(read_some(0), -ESRCH);
		else if (way == 1)
			assert_int_equal(damon_retarget(&d, &detail, two, 2), -ESRCH);
		assert_int_equal(damon_stop(&d), 0);
		assert_false(d.running);
		assert_int_equal(fake.writes, writes);
		assert_true(is_on(0));
	}
}

static void its_folder_may_vanish(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	tree_remove("0");
	assert_int_equal(read_some(0), -ESRCH);
	assert_int_equal(damon_stop(&d), 0);
}

static void stop_switches_ours_off(void **state)
{
	unsigned writes;

	(void)state;
	assert_int_equal(start_two(), 0);
	writes = fake.writes;
	assert_int_equal(damon_stop(&d), 0);
	assert_false(d.running);
	assert_int_equal(fake.writes, writes + 2);
	assert_string_equal(fake.log[writes], "0/state off");
	assert_string_equal(fake.log[writes + 1], "nr_kdamonds 0");
	assert_true(tree_is("nr_kdamonds", "0"));
	assert_int_equal(damon_stop(&d), 0);
	assert_int_equal(fake.writes, writes + 2);
}

static void stop_may_come_too_late(void **state)
{
	(void)state;
	assert_int_equal(start_two(), 0);
	fake.off_error = -EPERM; /* it ended between our look and our write */
	assert_int_equal(damon_stop(&d), 0);
	assert_false(d.running);
}

/* --- failures --- */

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void every_failed_call_is_reported(void **state)
{
	const unsigned before = open_descriptors();
	unsigned k;

	(void)state;
	for (k = 0;; k++) {
		int err;

		fake.fail_in = (int)k;
		err = start_two();
		if (fake.fail_in >= 0)
			break;
		assert_int_equal(err, -EMFILE);
		assert_false(d.running);
		assert_int_equal(open_descriptors(), before);
		assert_false(tree_is("0/state", "on"));
	}
	fake.fail_in = -1;
	assert_true(k > 40);
	assert_true(d.running);
}

static void every_failed_read_is_reported(void **state)
{
	unsigned before;
	int n;

	(void)state;
	assert_int_equal(start_two(), 0);
	before = open_descriptors();
	offer_some();
	for (int k = 0;; k++) {
		fake.fail_in = k;
		n = read_some(0);
		if (fake.fail_in >= 0)
			break;
		assert_int_equal(n, -EMFILE);
		assert_true(d.running);
		assert_int_equal(open_descriptors(), before);
	}
	fake.fail_in = -1;
	assert_int_equal(n, 3);
}

static void long_root_is_refused(void **state)
{
	char root[300];

	(void)state;
	memset(root, 'r', sizeof(root));
	root[0] = '/';
	root[sizeof(root) - 1] = 0;
	assert_int_equal(damon_start(&d, root, PID, &detail, two, 2), -ENAMETOOLONG);
	assert_false(d.running);
}

/* Reads only: fake_open() ends the test if this opens anything for writing alone. */
static void real_one_is_only_looked_at(void **state)
{
	const int err = damon_probe(DAMON_ROOT);

	(void)state;
	assert_true(err == 0 || err == -EBUSY || err == -ENOENT || err == -EACCES);
	assert_int_equal(fake.writes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kernel_begin, kernel_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(start_writes_the_whole_configuration),
	    TEST(regions_are_written_in_ascending_order),
	    TEST(vaddr_serves_where_fvaddr_is_missing),
	    TEST(paddr_alone_is_no_use),
	    TEST(someone_elses_is_left_alone),
	    TEST(idle_ones_do_not_hinder),
	    TEST(one_process_of_ours_at_a_time),
	    TEST(what_an_exec_left_is_taken_over),
	    TEST(settings_of_another_are_not_ours),
	    TEST(idle_ones_of_others_are_not_taken_away),
	    TEST(race_is_lost_politely),
	    TEST(missing_and_forbidden_are_told_apart),
	    TEST(refuses_bad_ranges),
	    TEST(a_thousand_ranges_and_no_more),
	    TEST(retarget_commits),
	    TEST(reads_every_region),
	    TEST(listens_where_it_may),
	    TEST(half_a_region_is_an_error),
	    TEST(a_stopped_one_is_rearmed),
	    TEST(a_refusal_is_no_stop),
	    TEST(another_in_our_place_is_not_touched),
	    TEST(its_folder_may_vanish),
	    TEST(stop_switches_ours_off),
	    TEST(stop_may_come_too_late),
	    TEST(every_failed_call_is_reported),
	    TEST(every_failed_read_is_reported),
	    TEST(long_root_is_refused),
	    TEST(real_one_is_only_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
