#include "workload.h"

#include <getopt.h>
#include <pthread.h>

#define WORKLOAD_WORKERS 512u
#define LONGEST		 300u /* seconds, without --unsafe-allow-long */
#define MOST_SECONDS	 86400u
#define MOST_OWN	 16u
#define COMMON		 7u
#define LONGEST_TURN	 100000u /* ms */

struct running {
	pthread_t thread;
	worker_fn *work;
	struct worker worker;
};

static _Noreturn void help(const struct workload *w, const struct workload_flag *flags,
			   size_t count)
{
	printf("usage: %s [options]\n%s\n\n", w->name, w->about);
	printf("  %-26s how long (%llu; at most %u)\n", "--duration-sec N",
	       (unsigned long long)w->duration_sec, LONGEST);
	printf("  %-26s threads, or children at a time (%llu)\n", "--workers N",
	       (unsigned long long)w->workers);
	printf("  %-26s of all that is random (%llu)\n", "--seed N", (unsigned long long)w->seed);
	printf("  %-26s one JSON object\n", "--json");
	printf("  %-26s any duration\n", "--unsafe-allow-long");
	printf("  %-26s say ready, begin when a line comes in\n", "--wait");
	printf("  %-26s say ready, work N ms for each line N that comes in\n", "--turns");
	for (size_t i = 0; i < count; i++) {
		printf("  --%s %-*s %s ", flags[i].name, 23 - (int)strlen(flags[i].name),
		       flags[i].text ? "PATH" : "N", flags[i].help);
		if (flags[i].text)
			printf("(%s)\n", *flags[i].text);
		else
			printf("(%llu)\n", (unsigned long long)*flags[i].number);
	}
	printf(
	    "\nExit status: 0 done, 1 something failed, 2 wrong usage, 3 wrong bytes in memory\n");
	exit(HOST_OK);
}

static void take_common(struct workload *w, int which)
{
	switch (which) {
	case 0:
		w->duration_sec = host_number(optarg, "--duration-sec", MOST_SECONDS);
		break;
	case 1:
		w->workers = host_number(optarg, "--workers", WORKLOAD_WORKERS);
		break;
	case 2:
		w->seed = host_number(optarg, "--seed", UINT64_MAX);
		break;
	}
}

static void take_own(const struct workload_flag *flag)
{
	if (flag->text)
		*flag->text = optarg;
	else
		*flag->number = host_number(optarg, flag->name, flag->most);
}

void workload_parse(struct workload *w, const struct workload_flag *flags, size_t count, int argc,
		    char **argv)
{
	int wants_help = 0, which;
	struct option options[COMMON + 1 + MOST_OWN + 1] = {
	    {"duration-sec", required_argument, NULL, 0},
	    {"workers", required_argument, NULL, 1},
	    {"seed", required_argument, NULL, 2},
	    {"json", no_argument, &w->json, 1},
	    {"unsafe-allow-long", no_argument, &w->allow_long, 1},
	    {"wait", no_argument, &w->wait, 1},
	    {"turns", no_argument, &w->turns, 1},
	    {"help", no_argument, &wants_help, 1},
	};

	for (size_t i = 0; i < count && i < MOST_OWN; i++)
		options[COMMON + 1 + i] =
		    (struct option){flags[i].name, required_argument, NULL, (int)(COMMON + 1 + i)};
	for (int got; (got = getopt_long(argc, argv, "", options, &which)) != -1;) {
		if (got == '?')
			host_die(HOST_USAGE, "%s --help lists the options", w->name);
		if (got > (int)COMMON)
			take_own(&flags[got - (int)COMMON - 1]);
		else if (!options[which].flag)
			take_common(w, got);
	}
	if (wants_help)
		help(w, flags, count);
	if (optind != argc)
		host_die(HOST_USAGE, "%s: %s is no option", w->name, argv[optind]);
	if (!w->workers || !w->duration_sec)
		host_die(HOST_USAGE, "neither --workers nor --duration-sec may be 0");
	if (w->duration_sec > LONGEST && !w->allow_long)
		host_die(HOST_USAGE, "--duration-sec: at most %u without --unsafe-allow-long",
			 LONGEST);
}

int workload_turn(struct workload *w)
{
	char line[64];

	if (w->taken++ && !w->turns)
		return 0;
	w->length = w->duration_sec * 1000000000u;
	if (!w->turns && !w->wait)
		return 1;
	if (w->taken == 1)
		printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	if (w->turns)
		w->length = host_number(line, "ms of a turn", LONGEST_TURN) * 1000000u;
	return 1;
}

void workload_ready(struct workload *w)
{
	if (w->turns)
		host_die(HOST_USAGE, "%s takes no turns", w->name);
	if (!workload_turn(w))
		host_die(HOST_FAILED, "nobody said when to begin");
}

static void *run(void *argument)
{
	struct running *r = argument;

	r->work(&r->worker);
	return NULL;
}

struct worker workload_run(const struct workload *w, worker_fn *work)
{
	struct running *all = calloc(w->workers, sizeof(*all));
	struct worker sum = {.workload = w, .start = host_now()};

	if (!all)
		host_die(HOST_FAILED, "no memory for %llu workers", (unsigned long long)w->workers);
	sum.deadline = sum.start + w->length;
	for (unsigned i = 0; i < w->workers; i++) {
		all[i].work = work;
		all[i].worker = sum;
		all[i].worker.index = i;
		all[i].worker.seed = w->seed + i;
		/* A single worker is the program itself, as most programs have it. */
		if (w->workers == 1)
			run(&all[i]);
		else if (pthread_create(&all[i].thread, NULL, run, &all[i]) != 0)
			host_die(HOST_FAILED, "no thread");
	}
	for (unsigned i = 0; i < w->workers; i++) {
		if (w->workers > 1)
			pthread_join(all[i].thread, NULL);
		sum.done += all[i].worker.done;
		sum.busy += all[i].worker.busy;
	}
	sum.deadline = host_now();
	free(all);
	return sum;
}

void workload_sleep_until(uint64_t when)
{
	struct timespec t = {(time_t)(when / 1000000000u), (long)(when % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		continue;
}

void workload_pace(uint64_t start, uint64_t done, uint64_t rate)
{
	if (rate)
		workload_sleep_until(start + done * 1000000000u / rate);
}

void workload_print_touches(const struct workload *w, uint64_t done, double seconds,
			    struct touches *took)
{
	struct touches_summary s = touches_sum(took, w->workers);
	const struct workload_figure figures[] = {
	    {"ops_per_s", (double)done / seconds},
	    {"touches", (double)s.touches},
	    {"mean_ns", s.mean},
	    {"p50_ns", s.p50},
	    {"p95_ns", s.p95},
	    {"p99_ns", s.p99},
	    {"p999_ns", s.p999},
	    {"max_ns", s.max},
	    {"stalls", (double)s.stalls},
	};

	workload_print(w, figures, sizeof(figures) / sizeof(figures[0]));
}

void workload_print(const struct workload *w, const struct workload_figure *figures, size_t count)
{
	if (w->json)
		printf("{\"workload\": \"%s\", \"workers\": %llu, \"seed\": %llu", w->name,
		       (unsigned long long)w->workers, (unsigned long long)w->seed);
	for (size_t i = 0; i < count; i++) {
		printf(w->json ? ", \"%s\": %.6g" : "%s=%.6g", figures[i].name, figures[i].value);
		if (!w->json)
			putchar(w->turns ? ' ' : '\n');
	}
	if (w->json || w->turns)
		printf("%s\n", w->json ? "}" : "");
}
