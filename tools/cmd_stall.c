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
    "Needs CAP_BPF and CAP_PERFMON. Without them: predicomp stat PID shows what the library "
    "timed.\n";

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

static void say_json(const struct watch *w, const struct histogram *h, uint64_t untimed,
		     const char *ends_by)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "pid", w->pid);
	json_ratio(object, "seconds", watch_elapsed_ms(w));
	for (size_t i = 0; i < STALL_KINDS; i++)
		json_object_object_add(object, kinds[i].id, kind_json(&h[i]));
	json_number(object, "untimed", (int64_t)untimed);
	json_word(object, "ends_source", ends_by);
	watch_say(w, object);
}

static void say_row(const struct watch *w, size_t kind, const struct histogram *h, uint64_t untimed)
{
	const struct cell seconds = cell_ratio(watch_elapsed_ms(w));

	if (w->format == WATCH_CSV)
		printf("%s,%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu\n", seconds.s, kinds[kind].id,
		       h->count, (unsigned long long)mean(h),
		       (unsigned long long)histogram_quantile(h, 500),
		       (unsigned long long)histogram_quantile(h, 950),
		       (unsigned long long)histogram_quantile(h, 990), h->max,
		       (unsigned long long)untimed);
	else
		printf("%9s  %-20s %12llu %9s %9s %9s %9s %9s\n", seconds.s, kinds[kind].text,
		       h->count, cell_time(mean(h)).s, cell_time(histogram_quantile(h, 500)).s,
		       cell_time(histogram_quantile(h, 950)).s,
		       cell_time(histogram_quantile(h, 990)).s, cell_time(h->max).s);
}

static void say(const struct watch *w, const struct stall *s)
{
	const struct histogram *h = stall_histograms(s);

	if (w->format == WATCH_JSON) {
		say_json(w, h, stall_untimed(s), stall_ends_by(s));
		return;
	}
	for (size_t i = 0; i < STALL_KINDS; i++) {
		if (h[i].count || w->format == WATCH_CSV)
			say_row(w, i, &h[i], stall_untimed(s));
	}
	fflush(stdout);
}

static int open_stall(struct stall **s, const struct watch *w)
{
	struct unable why;

	if (stall_open(s, &why) != 0) {
		*s = NULL;
		return complain(STATUS_PERMISSION, "%s", why.text);
	}
	if (stall_follow(*s, w->pid, w->pidfd, &why) != 0)
		return complain(STATUS_NO, "%s", why.text);
	return STATUS_OK;
}

static const struct watch_verb verb = {.name = "stall", .details = details, .scope = WATCH_ONE};

int cmd_stall(int argc, char **argv)
{
	struct watch w;
	struct stall *s = NULL;
	enum watch_event event;
	bool helped = false;
	int err = watch_parse(&w, &verb, NULL, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&w);
	if (err == STATUS_OK)
		err = open_stall(&s, &w);
	if (err == STATUS_OK)
		err = watch_release(&w);
	if (err == STATUS_OK) {
		print_head(w.format);
		while ((event = watch_wait(&w, 0)) != WATCH_END) {
			if (event == WATCH_INTERVAL)
				say(&w, s);
		}
		say(&w, s);
		if (w.format == WATCH_TEXT)
			printf("ends of faults are seen by %s\n", stall_ends_by(s));
	}
	if (s)
		stall_close(s);
	return watch_finish(&w, err);
}
