/* heatmap - where in a process memory was faulted, evicted and restored, and when. */
#include "chart.h"
#include "observe.h"
#include "output.h"
#include "watch.h"

static const char details[] =
    "  -o, --output FILE  where the map goes; its ending says in which form: .html, .svg, .csv,\n"
    "                     .json or .txt. Without it txt, or what is asked for, on standard output\n"
    "  --duration TIME    stop after TIME\n"
    "\n"
    "The interval is the time between two looks, 100ms where none is given; a long record is "
    "shown\n"
    "in coarser columns. Each row is a unit of 2 MiB of one process's address space; what the "
    "process\n"
    "starts has rows of its own, and every form says whose a row is. At most 64 processes are "
    "shown,\n"
    "those that live and those with most faults; what is left out is counted.\n"
    "Layers: kernel faults, minor and major, want CAP_BPF and CAP_PERFMON; evictions, restores "
    "and\n"
    "the packed share want the process to run under the library, as in\n"
    "predicomp heatmap -o map.html -- predicomp run ./app\n";

#define INTERVAL   (100 * PC_MS)
#define HEAR_EVERY (20 * PC_MS) /* of births and mappings, however long the interval */

enum { OPTION_OUTPUT = 'o', OPTION_DURATION = 256 };

static const struct option options[] = {
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {0},
};

struct request {
	struct watch watch;
	struct output output;
	enum chart_format format;
	pc_ns duration; /* 0: until the end */
};

static int set_output(struct request *q, const char *path)
{
	q->output.path = path;
	q->format = chart_format_of(path);
	if (q->format == FORMATS)
		return complain(STATUS_USAGE, "%s ends in none of .html .svg .csv .json .txt",
				path);
	return STATUS_OK;
}

static int take_option(void *arg, int which, const char *value)
{
	struct request *q = arg;

	if (which == OPTION_DURATION)
		return parse_period(value, &q->duration);
	return set_output(q, value);
}

/* --- the record ----------------------------------------------------------------------------- */

/* Said beside the map as well as in it: who reads a picture may be somebody else. */
static void tell_sources(const struct observe_source source[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (source[i].text[0])
			complain(STATUS_OK, "%s layers: %s",
				 i == SOURCE_KERNEL ? "kernel" : "library", source[i].text);
}

static pc_ns time_left(const struct request *q, pc_ns began)
{
	const pc_ns gone = now_monotonic() - began;

	if (!q->duration)
		return HEAR_EVERY;
	return gone < q->duration ? PC_MIN(q->duration - gone, HEAR_EVERY) : 1;
}

static void look_until_the_end(struct request *q, struct observer *o)
{
	const pc_ns began = now_monotonic();
	enum watch_event event = WATCH_INTERVAL;

	while (event != WATCH_END && !(q->duration && now_monotonic() - began >= q->duration)) {
		if (event == WATCH_INTERVAL)
			observe_look(o);
		else
			observe_hear(o);
		event = watch_wait(&q->watch, time_left(q, began));
	}
	observe_look(o);
}

static int show(const struct observed *o, time_t began, const struct request *q)
{
	const struct observe_source *source = o->source;
	const struct chart c = {.seen = o, .m = &o->m, .began = began};

	tell_sources(source);
	if (!source[SOURCE_KERNEL].present && !source[SOURCE_SHIM].present)
		return complain(STATUS_NO, "nothing of process %d can be seen", q->watch.pid);
	output_begin(&q->output);
	chart_write(q->output.to, &c, q->format);
	return STATUS_OK;
}

static int end(struct observer *o, time_t began, const struct request *q)
{
	struct observed seen;
	int err = STATUS_NO;

	if (observe_end(o, &seen))
		err = show(&seen, began, q);
	else
		complain(STATUS_NO, "no memory");
	observed_free(&seen);
	return err;
}

static int record(struct request *q)
{
	const time_t began = time(NULL);
	struct observer *o = observe_begin(q->watch.pid, q->watch.pidfd, q->watch.interval);
	int err;

	if (!o)
		return complain(STATUS_NO, "no memory");
	err = watch_release(&q->watch);
	if (err == STATUS_OK)
		look_until_the_end(q, o);
	return err == STATUS_OK ? end(o, began, q) : err;
}

static const struct watch_verb verb = {
    .name = "heatmap",
    .details = details,
    .options = options,
    .letters = "o:",
    .take = take_option,
    .answers = WATCH_ONCE,
};

int cmd_heatmap(int argc, char **argv)
{
	struct request q = {.format = FORMATS};
	bool helped = false;
	int err = watch_parse(&q.watch, &verb, &q, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	if (q.format == FORMATS)
		q.format = q.watch.format == WATCH_JSON	 ? FORMAT_json
			   : q.watch.format == WATCH_CSV ? FORMAT_csv
							 : FORMAT_txt;
	if (!q.watch.interval)
		q.watch.interval = INTERVAL;
	err = output_open(&q.output);
	if (err != STATUS_OK)
		return err;
	err = watch_start(&q.watch);
	if (err == STATUS_OK)
		err = record(&q);
	return watch_finish(&q.watch, output_close(&q.output, err));
}
