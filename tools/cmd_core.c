/* core - a core dump gets the pages back that were packed when the process died. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "packed.h"

static const char details[] =
    "  -o, --output FILE  the whole dump goes there; CORE stays as it is\n"
    "      --in-place     CORE itself is completed\n"
    "      --json         what was found, as JSON\n"
    "\n"
    "The kernel writes zeros into a core dump where pages were packed. The packed bytes are in "
    "the\n"
    "dump as well, in the library's own memory: fix checks them, unpacks them and writes them "
    "where\n"
    "they belong, so that a debugger reads what the program would have read.\n"
    "Pages that fail their check stay as they are and are named; the exit status is then 1.\n"
    "Save dumps whole: ulimit -c unlimited, and bits 0 and 1 of /proc/PID/coredump_filter set, as\n"
    "they are by default.\n";

enum { OPTION_OUTPUT = 'o', OPTION_IN_PLACE = 256, OPTION_JSON };

static const struct option longs[] = {
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"in-place", no_argument, NULL, OPTION_IN_PLACE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

struct request {
	const char *core, *output;
	bool in_place, json;
};

struct fixing {
	struct core core;
	struct packed packed;
	uint64_t pages[PACKED_KINDS];
	uint64_t unwritten; /* of those that were right */
	int error;	    /* errno of a write, the first */
};

/* ---- pages --------------------------------------------------------------------------------- */

static void put_back(void *arg, pc_addr at, enum packed_kind kind, const void *page)
{
	struct fixing *f = arg;

	f->pages[kind]++;
	if (kind == PACKED_WRONG)
		complain(STATUS_NO, "the page at %#" PRIx64 " cannot be told; it stays as it is",
			 at);
	if (!page || core_write(&f->core, at, page, PC_PAGE))
		return;
	f->unwritten++;
	if (!f->error)
		f->error = errno;
	if (!errno)
		complain(STATUS_NO, "the page at %#" PRIx64 " is in no segment of the dump", at);
}

static int verdict(const struct fixing *f)
{
	const uint64_t moving = f->pages[PACKED_MOVING];

	if (f->error)
		return complain(STATUS_NO, "%s: %s", f->core.path, strerror(f->error));
	if (moving)
		complain(STATUS_NO,
			 "%" PRIu64 " pages were on their way; they stay as the kernel wrote them",
			 moving);
	return f->pages[PACKED_WRONG] || f->unwritten || moving ? STATUS_NO : STATUS_OK;
}

static uint64_t put_pages(const struct fixing *f)
{
	return f->pages[PACKED_STORED] + f->pages[PACKED_SAME] + f->pages[PACKED_STAGED] -
	       f->unwritten;
}

static void tell(const struct fixing *f)
{
	const struct pc_segment *s = &f->packed.segment;

	printf("%.*s (process %d): %" PRIu64 " pages put back into %s: %" PRIu64 " packed, %" PRIu64
	       " of one word, %" PRIu64 " staged; %" PRIu64 " cannot be told\n",
	       (int)sizeof(s->program), s->program, s->pid, put_pages(f), f->core.path,
	       f->pages[PACKED_STORED], f->pages[PACKED_SAME], f->pages[PACKED_STAGED],
	       f->pages[PACKED_WRONG] + f->pages[PACKED_MOVING] + f->unwritten);
}

static void tell_json(const struct fixing *f)
{
	const struct pc_segment *s = &f->packed.segment;
	struct json_object *o = json_object_new_object();
	char program[sizeof(s->program) + 1] = "";

	memcpy(program, s->program, sizeof(s->program));
	json_word(o, "program", program);
	json_number(o, "pid", s->pid);
	json_word(o, "core", f->core.path);
	json_number(o, "pages", (int64_t)put_pages(f));
	json_number(o, "packed", (int64_t)f->pages[PACKED_STORED]);
	json_number(o, "same", (int64_t)f->pages[PACKED_SAME]);
	json_number(o, "staged", (int64_t)f->pages[PACKED_STAGED]);
	json_number(o, "moving", (int64_t)f->pages[PACKED_MOVING]);
	json_number(o, "wrong", (int64_t)f->pages[PACKED_WRONG]);
	json_number(o, "unwritten", (int64_t)f->unwritten);
	json_say(o, JSON_ALONE);
	json_object_put(o);
}

/* ---- files --------------------------------------------------------------------------------- */

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A dump holds secrets: for its owner alone. What was there before is emptied unless it is CORE. */
static int open_output(const struct request *q, int core)
{
	int fd = open(q->output, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return complain(-1, "%s: %s", q->output, strerror(errno));
	if (!same_file(fd, core) && !ftruncate(fd, 0))
		return fd;
	if (same_file(fd, core))
		complain(-1, "%s and %s are one file; --in-place completes it", q->core, q->output);
	else
		complain(-1, "%s: %s", q->output, strerror(errno));
	close(fd);
	return -1;
}

static int write_pages(struct fixing *f, const struct request *q)
{
	int err;

	packed_each(&f->packed, put_back, f);
	err = verdict(f);
	if (q->json)
		tell_json(f);
	else
		tell(f);
	return err;
}

static int fix_copy(struct fixing *f, const struct request *q)
{
	int fd = open_output(q, f->core.fd);
	int err = STATUS_NO;

	if (fd < 0)
		return STATUS_NO;
	if (core_copy(&f->core, fd, q->output))
		err = write_pages(f, q);
	else
		complain(STATUS_NO, "%s could not be written: %s", q->output, strerror(errno));
	if (fsync(fd))
		err = complain(STATUS_NO, "%s: %s", q->output, strerror(errno));
	if (close(fd))
		err = complain(STATUS_NO, "%s: %s", q->output, strerror(errno));
	return err;
}

static int fix(const struct request *q)
{
	struct fixing f = {0};
	int fd = open(q->core, (q->in_place ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	int err;

	if (fd < 0)
		return complain(errno == EACCES ? STATUS_PERMISSION : STATUS_NO, "%s: %s", q->core,
				strerror(errno));
	err = core_open(&f.core, fd, q->core);
	if (err != STATUS_OK)
		goto out;
	err = packed_open(&f.packed, &f.core);
	if (err == STATUS_OK)
		err = q->in_place ? write_pages(&f, q) : fix_copy(&f, q);
	core_close(&f.core);
out:
	close(fd);
	return err;
}

/* ---- the command line ---------------------------------------------------------------------- */

/* Without a CORE in *q when there is nothing to do: what was wrong, or help, has been said. */
static int parse(int argc, char **argv, struct request *q)
{
	int c;

	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		if (c == 'h') {
			show_help("core", details);
			return STATUS_OK;
		}
		if (c == '?')
			return bad_usage("core");
		q->in_place |= c == OPTION_IN_PLACE;
		q->json |= c == OPTION_JSON;
		if (c == OPTION_OUTPUT)
			q->output = optarg;
	}
	if (optind + 2 != argc || strcmp(argv[optind], "fix") != 0)
		return complain(STATUS_USAGE, "what is known is: predicomp core fix CORE");
	if (!q->output == !q->in_place)
		return complain(STATUS_USAGE, "say where the pages go: -o FILE or --in-place");
	q->core = argv[optind + 1];
	return STATUS_OK;
}

int cmd_core(int argc, char **argv)
{
	struct request q = {0};
	int err = parse(argc, argv, &q);

	return q.core ? fix(&q) : err;
}
