/* trace - every page fault of a process as it happens, on standard output or for a trace viewer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/faults.h"
#include "output.h"
#include "watch.h"

static const char details[] =
    "  --output FILE      a trace for Perfetto or chrome://tracing instead of lines (JSON)\n"
    "  --buffer BYTES     between kernel and command, a power of two (16777216); what finds it "
    "full is\n"
    "                     lost, and counted\n"
    "\n"
    "A fault is shown when its thread's next one, or its end, has shown how it went.\n";

enum { OPTION_OUTPUT = 256, OPTION_BUFFER };

#define POLL (2 * PC_MS)

static const struct option options[] = {
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"buffer", required_argument, NULL, OPTION_BUFFER},
    {0},
};

struct request {
	struct watch watch;
	struct output output; /* without a path: lines */
	uint64_t buffer, events;
};

static const char *outcome(const struct fault_event *e)
{
	return e->flags & FAULT_MAJOR ? "major" : e->flags & FAULT_MINOR ? "minor" : "failed";
}

static const char *access_of(const struct fault_event *e)
{
	return e->flags & FAULT_FETCH ? "fetch" : e->flags & FAULT_WRITE ? "write" : "read";
}

static const char *mode(const struct fault_event *e)
{
	return e->flags & FAULT_GUP ? "gup" : e->flags & FAULT_USER ? "user" : "kernel";
}

static void print_viewer(const struct request *q, const struct fault_event *e)
{
	fprintf(q->output.to,
		"%s{\"name\":\"%s\",\"cat\":\"fault\",\"ph\":\"i\",\"s\":\"t\",\"ts\":%llu.%03u,"
		"\"pid\":%u,\"tid\":%u,\"args\":{\"address\":\"0x%llx\",\"ip\":\"0x%llx\","
		"\"access\":\"%s\",\"mode\":\"%s\"}}",
		q->events ? ",\n" : "", outcome(e), e->time / 1000, (unsigned)(e->time % 1000),
		e->tgid, e->tid, e->address, e->ip, access_of(e), mode(e));
}

static void print_json(const struct fault_event *e)
{
	printf("{\"time_ns\":%llu,\"pid\":%u,\"tid\":%u,\"fault\":\"%s\",\"mode\":\"%s\","
	       "\"access\":\"%s\",\"address\":\"0x%llx\",\"ip\":\"0x%llx\"}\n",
	       e->time, e->tgid, e->tid, outcome(e), mode(e), access_of(e), e->address, e->ip);
}

static void take_event(void *arg, const struct fault_event *e)
{
	struct request *q = arg;

	if (q->output.path)
		print_viewer(q, e);
	else if (q->watch.format == WATCH_JSON)
		print_json(e);
	else
		printf(
		    q->watch.format == WATCH_CSV ? "%llu,%u,%u,%s,%s,%s,0x%llx,0x%llx\n"
						 : "%18llu %8u %8u %-6s %-6s %-5s %18llx %18llx\n",
		    e->time, e->tgid, e->tid, outcome(e), mode(e), access_of(e), e->address, e->ip);
	q->events++;
}

static void begin(const struct request *q)
{
	output_begin(&q->output);
	if (q->output.path)
		fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", q->output.to);
	else if (q->watch.format == WATCH_CSV)
		puts("time_ns,pid,tid,fault,mode,access,address,ip");
	else if (q->watch.format == WATCH_TEXT)
		printf("%s%18s %8s %8s %-6s %-6s %-5s %18s %18s%s\n", ink(stdout, INK_BOLD),
		       "TIME-NS", "PID", "TID", "FAULT", "MODE", "", "ADDRESS", "IP",
		       ink(stdout, INK_PLAIN));
}

/* The count of what was lost belongs to the trace, not only to whoever watches it being made. */
static void finish(const struct request *q, uint64_t dropped)
{
	if (q->output.path)
		fprintf(q->output.to,
			"\n],\"otherData\":{\"events\":%llu,\"events_dropped\":%llu}}\n",
			(unsigned long long)q->events, (unsigned long long)dropped);
	else if (q->watch.format == WATCH_JSON)
		printf("{\"events\":%llu,\"events_dropped\":%llu}\n", (unsigned long long)q->events,
		       (unsigned long long)dropped);
	fprintf(stderr, "predicomp: %llu events, %llu dropped\n", (unsigned long long)q->events,
		(unsigned long long)dropped);
}

static int watch_trace(struct request *q, struct faults *f)
{
	struct faults_total total = {0};
	enum watch_event event;
	int err;

	begin(q);
	do {
		event = watch_wait(&q->watch, POLL);
		if (event == WATCH_END)
			faults_release(f);
		faults_events(f, take_event, q);
	} while (event != WATCH_END && !ferror(stdout) && !ferror(q->output.to));
	err = faults_read(f, &total, NULL, NULL);
	if (err)
		return complain(STATUS_NO, "threads cannot be read: %s", strerror(-err));
	finish(q, total.events_dropped);
	watch_tell_refused(total.processes_refused);
	return STATUS_OK;
}

static int parse_buffer(const char *s, uint64_t *bytes)
{
	char *end;

	*bytes = strtoull(s, &end, 10);
	if (*end || *bytes < 4096 || *bytes > 1ull << 30 || (*bytes & (*bytes - 1)))
		return complain(STATUS_USAGE, "%s is not a power of two from 4096 to 1073741824",
				s);
	return STATUS_OK;
}

static int take(void *arg, int which, const char *value)
{
	struct request *q = arg;

	if (which == OPTION_BUFFER)
		return parse_buffer(value, &q->buffer);
	q->output.path = value;
	return STATUS_OK;
}

static const struct watch_verb verb = {
    .name = "trace",
    .details = details,
    .scope = WATCH_ONE,
    .options = options,
    .take = take,
    .answers = WATCH_EVENTS,
    .without = "predicomp access -p PID sums up what perf's events show",
};

static int open_trace(struct faults **f, const struct request *q)
{
	const struct faults_wanted wanted = {.stream_bytes = (uint32_t)q->buffer};
	struct unable why;
	int err = faults_open(f, &wanted, &why);

	if (err) {
		*f = NULL;
		return watch_unable(&verb, err, why.text);
	}
	err = faults_follow(*f, q->watch.pidfd);
	if (err)
		return complain(STATUS_NO, "process %d cannot be followed: %s", q->watch.pid,
				strerror(-err));
	return STATUS_OK;
}

int cmd_trace(int argc, char **argv)
{
	struct request q = {.buffer = 16 << 20};
	struct faults *f = NULL;
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = output_open(&q.output);
	if (err != STATUS_OK)
		return err;
	err = watch_start(&q.watch);
	if (err == STATUS_OK)
		err = open_trace(&f, &q);
	if (err == STATUS_OK)
		err = watch_release(&q.watch);
	if (err == STATUS_OK)
		err = watch_trace(&q, f);
	if (f)
		faults_close(f);
	return watch_finish(&q.watch, output_close(&q.output, err));
}
