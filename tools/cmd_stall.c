/* stall - how long page faults keep a process, seen from the kernel's side. */
#include <string.h>

#include "bpf/stall.h"
#include "watch.h"

static const char details[] =
    "\n"
    "WHOLE is from the exception until the kernel has accounted the fault: of faults that never "
    "slept,\n"
    "of those that waited for a userfaultfd handler, and of those that slept for something else "
    "(a\n"
    "disk, a lock). Of the waits for userfaultfd also the parts, where the handler is followed "
    "too:\n"
    "until it runs, until it wakes the thread (the library's own fault_all counts this one), and "
    "until\n"
    "the thread has a CPU again. Quantiles are at most one sixteenth too high.\n"
    "With an interval each line is of that interval, and the last of all.\n";

static const struct {
	const char *id, *text;
} kinds[STALL_KINDS] = {
    [STALL_RAN] = {"ran", "whole: never slept"},
    [STALL_UFFD] = {"userfaultfd", "whole: userfaultfd"},
    [STALL_OTHER] = {"other", "whole: disk, lock"},
    [STALL_REACH] = {"userfaultfd_reach", "until handler runs"},
    [STALL_SERVE] = {"userfaultfd_serve", "until it wakes us"},
    [STALL_RESUME] = {"userfaultfd_resume", "until we run"},
};

static void print_head(enum watch_format format)
{
	if (format == WATCH_CSV)
		puts("seconds,kind,count,mean_ns,p50_ns,p95_ns,p99_ns,max_ns,untimed");
	else if (format == WATCH_TEXT)
		printf("%s%9s  %-20s %12s %9s %9s %9s %9s %9s%s\n", ink(stdout, INK_BOLD),
		       "SECONDS", "", "FAULTS", "MEAN", "P50", "P95", "P99", "MAX",
		       ink(stdout, INK_PLAIN));
}

static uint64_t mean(const struct histogram *h)
{
	return h->count ? h->sum / h->count : 0;
}

/* What is shown: of an interval, or of all. */
struct view {
	const struct watch *watch;
	const struct histogram *histograms;
	uint64_t ms, untimed;
	const char *ends_by;
	bool total;
};

static struct json_object *kind_json(const struct histogram *h)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "count", (int64_t)h->count);
	json_number(object, "mean_ns", (int64_t)mean(h));
	json_number(object, "p50_ns", (int64_t)histogram_quantile(h, 500));
	json_number(object, "p95_ns", (int64_t)histogram_quantile(h, 950));
	json_number(object, "p99_ns", (int64_t)histogram_quantile(h, 990));
	json_number(object, "max_ns", (int64_t)h->max);
	return object;
}

static void say_json(const struct view *v)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", v->watch->pid);
	json_ratio(object, "seconds", v->ms);
	for (size_t i = 0; i < STALL_KINDS; i++)
		json_object_object_add(object, kinds[i].id, kind_json(&v->histograms[i]));
	json_number(object, "untimed", (int64_t)v->untimed);
	json_word(object, "ends_source", v->ends_by);
	if (v->total)
		watch_mark_total(v->watch, object);
	watch_say(v->watch, object);
}

static void say_row(const struct view *v, size_t kind)
{
	const struct histogram *h = &v->histograms[kind];
	const struct cell seconds = cell_ratio(v->ms);

	if (v->watch->format == WATCH_CSV)
		printf("%s,%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu\n", seconds.s, kinds[kind].id,
		       h->count, (unsigned long long)mean(h),
		       (unsigned long long)histogram_quantile(h, 500),
		       (unsigned long long)histogram_quantile(h, 950),
		       (unsigned long long)histogram_quantile(h, 990), h->max,
		       (unsigned long long)v->untimed);
	else
		printf("%9s  %-20s %12llu %9s %9s %9s %9s %9s\n", seconds.s, kinds[kind].text,
		       h->count, cell_time(mean(h)).s, cell_time(histogram_quantile(h, 500)).s,
		       cell_time(histogram_quantile(h, 950)).s,
		       cell_time(histogram_quantile(h, 990)).s, cell_time(h->max).s);
}

/* The first row of a process that is quiet says so, with zeros. */
static void say(const struct view *v)
{
	const enum watch_format format = v->watch->format;
	bool quiet = true;

	if (format == WATCH_JSON) {
		say_json(v);
		return;
	}
	for (size_t i = 0; i < STALL_KINDS; i++)
		quiet = quiet && !v->histograms[i].count;
	if (v->total)
		watch_head_total(v->watch);
	for (size_t i = 0; i < STALL_KINDS; i++) {
		if (v->histograms[i].count || format == WATCH_CSV || (quiet && !i))
			say_row(v, i);
	}
	fflush(stdout);
}

/* What there was at one moment. */
struct moment {
	struct histogram histogram[STALL_KINDS];
	uint64_t ms, untimed;
};

static void take_moment(struct moment *m, const struct watch *w, const struct stall *s)
{
	memcpy(m->histogram, stall_histograms(s), sizeof(m->histogram));
	m->ms = watch_elapsed_ms(w);
	m->untimed = stall_untimed(s);
}

static void say_interval(const struct watch *w, const struct moment *from, const struct moment *to,
			 const char *ends_by)
{
	struct histogram part[STALL_KINDS];

	for (size_t i = 0; i < STALL_KINDS; i++)
		histogram_since(&part[i], &to->histogram[i], &from->histogram[i]);
	say(&(struct view){w, part, to->ms - from->ms, to->untimed - from->untimed, ends_by,
			   false});
}

/* The total is of the last interval's end: they add up. */
static void watch_stall(struct watch *w, const struct stall *s)
{
	struct moment before = {0}, now;
	enum watch_event event;

	print_head(w->format);
	do {
		event = watch_wait(w, 0);
		take_moment(&now, w, s);
		if (!w->interval || event == WATCH_TIME)
			continue;
		say_interval(w, &before, &now, stall_ends_by(s));
		before = now;
	} while (event != WATCH_END);
	say(&(struct view){w, now.histogram, now.ms, now.untimed, stall_ends_by(s), true});
	if (w->format == WATCH_TEXT)
		printf("ends of faults are seen by %s\n", stall_ends_by(s));
	watch_tell_refused(stall_processes_refused(s));
}

static const struct watch_verb verb = {
    .name = "stall",
    .details = details,
    .scope = WATCH_ONE,
    .without = "predicomp stat PID shows what the library timed",
};

static int open_stall(struct stall **s, const struct watch *w)
{
	struct unable why;
	int err = stall_open(s, &why);

	if (err) {
		*s = NULL;
		return watch_unable(&verb, err, why.text);
	}
	if (stall_follow(*s, w->pid, w->pidfd, &why) != 0)
		return complain(STATUS_NO, "%s", why.text);
	return STATUS_OK;
}

int cmd_stall(int argc, char **argv)
{
	struct watch w;
	struct stall *s = NULL;
	bool helped = false;
	int err = watch_parse(&w, &verb, NULL, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&w);
	if (err == STATUS_OK)
		err = open_stall(&s, &w);
	if (err == STATUS_OK)
		err = watch_release(&w);
	if (err == STATUS_OK)
		watch_stall(&w, s);
	if (s)
		stall_close(s);
	return watch_finish(&w, err);
}
