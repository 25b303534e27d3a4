/* access - in what order processes touch their memory, region by region, as far as faults tell. */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "attach.h"
#include "csv.h"
#include "family.h"
#include "kernel_view.h"
#include "perf_faults.h"
#include "pattern.h"
#include "watch.h"

static const char details[] =
    "\n"
    "The answer comes at the end of the process, at ^C, or after --interval TIME --count N. It is "
    "drawn\n"
    "from page faults alone: memory that is there and stays there is not seen again. Where the\n"
    "library packs memory, what it brings back is seen too.\n"
    "\n"
    "sequential, strided, random, mixed say in which order; thrash that most faults hit pages "
    "that\n"
    "had faulted before. +1 is the share of steps to the next page, STEP the most frequent one "
    "and\n"
    "its share, AGAIN the share of faults that came again, APART how many faults lay between.\n"
    "REFAULTS are those that the library counted since it started: back within ten cold ages.\n"
    "What the process starts has regions of its own, under its name and number. At most 64 "
    "processes\n"
    "are shown, those that live and those with most faults; what is left out is counted.\n"
    "Without CAP_BPF and CAP_PERFMON faults come from perf's events, as far as\n"
    "kernel.perf_event_paranoid lets them.\n";

#define LOOK_EVERY   (20 * PC_MS)
#define FILE_BLOCK   16u /* 64 KiB: what the kernel maps around a fault in a file */
#define SHIM_BLOCK   64u /* what the library restores around a fault at most */
#define SEARCH_LOOKS 25u
#define TABLE_LINES  40u
#define HELD_BACK    (500 * PC_MS) /* the newest faults of a thread that has no others wait so long */

struct area {
	struct region region; /* as large as it was ever seen */
	struct pattern pattern;
	uint64_t refaults;
	const struct member *process; /* when all is told */
};

/* What is known of one process. */
struct subject {
	struct target target;
	bool managed; /* target is attached, or was to the end */
	unsigned looks;
	struct area *area;
	size_t count, room;
};

struct study {
	struct watch watch;
	struct kernel_view *kernel; /* or, where that is not to be had, */
	struct perf_faults *perf;
	struct family family; /* a member's `own` is its subject, from its first fault on */
	struct area *area;    /* of all, when all is told */
	size_t count;
	uint64_t lost;	      /* faults for which there was no memory */
	uint64_t left_faults; /* of processes that are not shown */
};

/* --- areas ---------------------------------------------------------------------------------- */

static bool is_same_area(const struct region *a, const struct region *b)
{
	return a->class == b->class && strcmp(a->label, b->label) == 0 &&
	       span_overlaps(a->start, a->end, b->start, b->end);
}

static unsigned block_of(const struct subject *s, enum region_class class)
{
	if (class == REGION_FILE)
		return FILE_BLOCK;
	return s->managed && (class == REGION_ANON || class == REGION_HEAP) ? SHIM_BLOCK : 1;
}

static struct area *new_area(struct subject *s, const struct region *region)
{
	struct area *area = array_room(s->area, &s->room, s->count + 1, sizeof(*area));

	if (!area)
		return NULL;
	s->area = area;
	s->area[s->count] = (struct area){.region = *region};
	pattern_begin(&s->area[s->count].pattern, block_of(s, region->class));
	return &s->area[s->count++];
}

/* Mappings grow, at either end: an area that overlaps what is there now is the same. */
static struct area *area_of(struct subject *s, const struct region *region)
{
	for (size_t i = s->count; i-- > 0;) {
		struct region *known = &s->area[i].region;

		if (!is_same_area(known, region))
			continue;
		known->start = PC_MIN(known->start, region->start);
		known->end = PC_MAX(known->end, region->end);
		return &s->area[i];
	}
	return new_area(s, region);
}

/* Mapped and unmapped between two looks, or by a process that was not looked at in time. */
static const struct region gone = {
    .class = REGION_UNKNOWN,
    .label = "unmapped since",
    .end = PC_ADDR_MAX,
};
static const struct region unread = {
    .class = REGION_UNKNOWN,
    .label = FAMILY_UNREAD,
    .end = PC_ADDR_MAX,
};

static bool is_mapped(const struct member *m, const struct region *region)
{
	const struct regions *r = &m->layout.regions;

	for (size_t i = 0; i < r->count; i++)
		if (is_same_area(&r->at[i], region))
			return true;
	return false;
}

/* After an exec addresses mean something else: what is not part of the new program goes. */
static void drop_old_image(void *arg, struct member *m)
{
	struct subject *s = m->own;
	size_t kept = 0;

	(void)arg;
	for (size_t i = 0; s && i < s->count; i++) {
		if (is_mapped(m, &s->area[i].region)) {
			s->area[kept++] = s->area[i];
			continue;
		}
		m->events -= s->area[i].pattern.faults;
		pattern_end(&s->area[i].pattern);
	}
	if (s)
		s->count = kept;
}

static void free_subject(struct subject *s)
{
	for (size_t i = 0; s && i < s->count; i++)
		pattern_end(&s->area[i].pattern);
	if (s && s->managed)
		detach(&s->target);
	if (s)
		free(s->area);
	free(s);
}

static void leave_out(void *arg, struct member *m)
{
	struct study *s = arg;

	s->left_faults += m->events;
	free_subject(m->own);
}

static struct subject *subject_of(struct member *m)
{
	if (!m->own)
		m->own = calloc(1, sizeof(struct subject));
	return m->own;
}

static const struct region *region_of(const struct family *f, struct member *m, pc_addr address)
{
	const struct region *region = layout_at(&m->layout, address);

	if (region)
		return region;
	return family_unread(f, m) ? &unread : &gone;
}

static void take_fault(void *arg, const struct kernel_fault *fault)
{
	struct study *s = arg;
	struct member *m = family_of(&s->family, (pid_t)fault->tgid, fault->time);
	struct subject *of = m ? subject_of(m) : NULL;
	struct area *area = NULL;

	if (!m) {
		s->left_faults++;
		return;
	}
	family_advance(&s->family, m, fault->time);
	if (of)
		area = area_of(of, region_of(&s->family, m, fault->address));
	if (!area) {
		s->lost++;
		return;
	}
	pattern_fault(&area->pattern, fault->tid, fault->address >> PC_PAGE_SHIFT, fault->major);
	m->events++;
}

/* --- the library ---------------------------------------------------------------------------- */

static void add_refaults(struct subject *s, const struct report_unit *u)
{
	for (size_t i = 0; i < s->count && u->base; i++) {
		struct area *a = &s->area[i];

		if (!span_overlaps(a->region.start, a->region.end, u->base, u->base + PC_UNIT))
			continue;
		a->refaults += u->value[REPORT_UNIT_refaults];
		return;
	}
}

/* Now and then: the library starts when it does, and an exec brings another. */
static void find_library(struct subject *s, struct member *m)
{
	struct refusal why;
	struct target found;

	if (s->looks++ % SEARCH_LOOKS != 0 || !layout_lives(&m->layout) ||
	    attach(&found, m->pid, ATTACH_READ, &why) != STATUS_OK)
		return;
	if (s->managed)
		detach(&s->target);
	s->target = found;
	s->managed = true;
}

/* Also when the process has ended: the segment is still there for us. */
static void read_refaults(struct member *m)
{
	struct subject *s = subject_of(m);
	struct refusal why;

	if (!s)
		return;
	find_library(s, m);
	if (!s->managed || attach_reread(&s->target, &why) != STATUS_OK)
		return;
	m->layout.regions.owns = report_own(&s->target.report, m->layout.regions.own);
	for (size_t i = 0; i < s->count; i++)
		s->area[i].refaults = 0;
	for (uint32_t i = 1; i < s->target.report.unit_count; i++) {
		struct report_unit u = report_unit(&s->target.report, i);

		add_refaults(s, &u);
	}
}

/* --- watching ------------------------------------------------------------------------------- */

/* `settled`: all that happened before it was read. */
static void look(struct study *s, pc_ns settled)
{
	family_look(&s->family);
	family_hear(&s->family);
	if (s->kernel)
		kernel_view_faults(s->kernel, take_fault, s);
	else
		perf_faults_read(s->perf, take_fault, s);
	family_settle(&s->family, settled);
	for (size_t i = 0; i < s->family.count; i++)
		read_refaults(s->family.member[i]);
	family_prune(&s->family);
}

static void look_until_the_end(struct study *s)
{
	while (watch_wait(&s->watch, LOOK_EVERY) != WATCH_END)
		look(s, now_monotonic() - HELD_BACK);
	look(s, now_monotonic());
}

/* --- saying it ------------------------------------------------------------------------------ */

static int by_faults(const void *a, const void *b)
{
	const struct area *x = a, *y = b;

	return (x->pattern.faults < y->pattern.faults) - (x->pattern.faults > y->pattern.faults);
}

/* Those of a process together, in the order of processes by their faults. */
static int by_process(const void *a, const void *b)
{
	const struct area *x = a, *y = b;

	if (x->process == y->process)
		return by_faults(a, b);
	if (x->process->events != y->process->events)
		return x->process->events > y->process->events ? -1 : 1;
	return x->process->number < y->process->number ? -1 : 1;
}

/* All areas side by side; their patterns stay where they are. */
static bool gather(struct study *s)
{
	size_t all = 0;

	for (size_t i = 0; i < s->family.count; i++) {
		const struct subject *of = s->family.member[i]->own;

		all += of ? of->count : 0;
	}
	s->area = calloc(all + 1, sizeof(*s->area));
	for (size_t i = 0; s->area && i < s->family.count; i++) {
		const struct member *m = s->family.member[i];
		const struct subject *of = m->own;

		for (size_t k = 0; of && k < of->count; k++) {
			s->area[s->count] = of->area[k];
			s->area[s->count++].process = m;
		}
	}
	return s->area != NULL;
}

static bool is_managed(const struct study *s)
{
	for (size_t i = 0; i < s->family.count; i++) {
		const struct subject *of = s->family.member[i]->own;

		if (of && of->managed)
			return true;
	}
	return false;
}

static bool has_several(const struct study *s)
{
	for (size_t i = 1; i < s->count; i++)
		if (s->area[i].process != s->area[0].process)
			return true;
	return false;
}

static void words_of(const struct pattern *p, char *out, size_t size)
{
	snprintf(out, size, "%s%s", pattern_repeated(p) ? "thrash, " : "",
		 pattern_name(pattern_order(p)));
}

static uint64_t missing(const struct study *s)
{
	return s->lost + (s->kernel ? kernel_view_refused(s->kernel) : perf_faults_lost(s->perf));
}

static void print_area(const struct area *a)
{
	const struct pattern *p = &a->pattern;
	uint64_t count;
	int64_t step = pattern_step(p, &count);
	char words[40];

	words_of(p, words, sizeof(words));
	printf("%-10s %-22.22s %10s %9s  %-19s %4llu%% %9lld %4llu%% %5llu%% %9s %9s\n",
	       region_class_name(a->region.class), a->region.label,
	       a->region.class == REGION_UNKNOWN
		   ? "-"
		   : cell_size((int64_t)(a->region.end - a->region.start)).s,
	       cell_count(p->faults).s, words,
	       (unsigned long long)report_thousandths(p->forward, p->steps) / 10, (long long)step,
	       (unsigned long long)report_thousandths(count, p->steps) / 10,
	       (unsigned long long)report_thousandths(p->again, p->faults) / 10,
	       cell_count(pattern_distance(p)).s, cell_count(a->refaults).s);
}

/* The regions with most faults of all, under their processes where there are several. */
static void print_areas(const struct study *s)
{
	const size_t lines = PC_MIN(s->count, (size_t)TABLE_LINES);
	const bool several = has_several(s);

	if (several)
		qsort(s->area, lines, sizeof(*s->area), by_process);
	for (size_t i = 0; i < lines; i++) {
		const struct member *m = s->area[i].process;

		if (several && (!i || s->area[i - 1].process != m))
			printf("%s%s (%d)%s, %s faults\n", ink(stdout, INK_BOLD), m->name, m->pid,
			       ink(stdout, INK_PLAIN), cell_count(m->events).s);
		print_area(&s->area[i]);
	}
}

static void print_table(const struct study *s)
{
	printf("%s%-10s %-22s %10s %9s  %-19s %5s %9s %5s %6s %9s %9s%s\n", ink(stdout, INK_BOLD),
	       "CLASS", "REGION", "SIZE", "FAULTS", "PATTERN", "+1", "STEP", "", "AGAIN", "APART",
	       "REFAULTS", ink(stdout, INK_PLAIN));
	print_areas(s);
	if (s->count > TABLE_LINES)
		printf("and %zu regions with fewer faults; --json or --csv has all\n",
		       s->count - TABLE_LINES);
}

static void print_csv(const struct study *s)
{
	puts("class,region,start,end,faults,major,order,repeated,steps,forward_steps,step_pages,"
	     "step_count,step_slack,faults_again,reuse_distance,refaults,pid,program");
	for (size_t i = 0; i < s->count; i++) {
		const struct area *a = &s->area[i];
		const struct pattern *p = &a->pattern;
		uint64_t count;
		int64_t step = pattern_step(p, &count);

		printf("%s,", region_class_name(a->region.class));
		csv_word(stdout, a->region.label);
		printf(",0x%llx,0x%llx,%llu,%llu,%s,%d,%llu,%llu,%lld,%llu,%llu,%llu,%llu,%llu,%d,",
		       (unsigned long long)a->region.start, (unsigned long long)a->region.end,
		       (unsigned long long)p->faults, (unsigned long long)p->major,
		       pattern_name(pattern_order(p)), pattern_repeated(p),
		       (unsigned long long)p->steps, (unsigned long long)p->forward,
		       (long long)step, (unsigned long long)count, (unsigned long long)p->slack,
		       (unsigned long long)p->again, (unsigned long long)pattern_distance(p),
		       (unsigned long long)a->refaults, a->process->pid);
		csv_word(stdout, a->process->name);
		putchar('\n');
	}
}

static struct json_object *area_json(const struct area *a)
{
	struct json_object *object = json_object_new_object();
	const struct pattern *p = &a->pattern;
	char address[24];
	uint64_t count;
	int64_t step = pattern_step(p, &count);

	json_word(object, "class", region_class_name(a->region.class));
	json_word(object, "region", a->region.label);
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)a->region.start);
	json_word(object, "start", address);
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)a->region.end);
	json_word(object, "end", address);
	json_word(object, "order", pattern_name(pattern_order(p)));
	json_object_object_add(object, "repeated", json_object_new_boolean(pattern_repeated(p)));
	json_number(object, "faults", (int64_t)p->faults);
	json_number(object, "major", (int64_t)p->major);
	json_number(object, "steps", (int64_t)p->steps);
	json_ratio(object, "forward_share", report_thousandths(p->forward, p->steps));
	json_number(object, "step_pages", step);
	json_ratio(object, "step_share", report_thousandths(count, p->steps));
	json_number(object, "step_slack", (int64_t)p->slack);
	json_ratio(object, "again_share", report_thousandths(p->again, p->faults));
	json_number(object, "reuse_distance", (int64_t)pattern_distance(p));
	json_number(object, "pages_forgotten", (int64_t)p->forgotten);
	json_number(object, "refaults", (int64_t)a->refaults);
	json_number(object, "pid", a->process->pid);
	json_word(object, "program", a->process->name);
	return object;
}

static void print_json(const struct study *s)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	json_number(object, "pid", s->watch.pid);
	json_ratio(object, "seconds", watch_elapsed_ms(&s->watch));
	json_number(object, "faults_dropped", (int64_t)missing(s));
	json_number(object, "processes_left_out", (int64_t)s->family.left);
	json_number(object, "faults_left_out", (int64_t)s->left_faults);
	json_word(object, "source", s->kernel ? "bpf" : "perf");
	json_object_object_add(object, "under_library", json_object_new_boolean(is_managed(s)));
	for (size_t i = 0; i < s->count; i++)
		json_object_array_add(array, area_json(&s->area[i]));
	json_object_object_add(object, "regions", array);
	json_say(object, JSON_ALONE);
	json_object_put(object);
}

static int say(struct study *s)
{
	const uint64_t lost = missing(s);

	if (!gather(s))
		return complain(STATUS_NO, "no memory");
	if (s->count)
		qsort(s->area, s->count, sizeof(*s->area), by_faults);
	if (lost)
		complain(STATUS_OK,
			 "%llu faults came faster than they could be read and are missing",
			 (unsigned long long)lost);
	if (family_lost(&s->family))
		complain(STATUS_OK,
			 "%llu mappings came faster than they could be read: regions of processes "
			 "that have ended may be unknown, or those of another program",
			 (unsigned long long)family_lost(&s->family));
	if (s->family.left)
		complain(
		    STATUS_OK,
		    "%llu processes are not shown, with %llu faults in all: at most %u are, those "
		    "that live and those with most faults",
		    (unsigned long long)s->family.left, (unsigned long long)s->left_faults,
		    FAMILY_SHOWN);
	switch (s->watch.format) {
	case WATCH_TEXT:
		print_table(s);
		break;
	case WATCH_JSON:
		print_json(s);
		break;
	case WATCH_CSV:
		print_csv(s);
		break;
	}
	return STATUS_OK;
}

/* Programs in the kernel, or perf's events, or neither. */
static int open_faults(struct study *s)
{
	char why[512], more[256];

	s->kernel = kernel_view_open(s->watch.pidfd, KERNEL_EVENTS, why, sizeof(why));
	if (s->kernel)
		return STATUS_OK;
	s->perf = perf_faults_open(s->watch.pid, more, sizeof(more));
	complain(STATUS_NO, "%s", why);
	if (!s->perf)
		return complain(STATUS_NO, "%s", more);
	return complain(
	    STATUS_OK, "so faults come from perf's events%s",
	    perf_faults_sees_kernel(s->perf) ? "" : ", without those that system calls take");
}

static void close_faults(struct study *s)
{
	if (s->kernel)
		kernel_view_close(s->kernel);
	if (s->perf)
		perf_faults_close(s->perf);
}

static int study(struct study *s)
{
	int err = open_faults(s);

	if (err != STATUS_OK)
		return err;
	if (family_begin(&s->family, s->watch.pid, drop_old_image, leave_out, s) != 0)
		err = complain(STATUS_NO, "no memory");
	if (err == STATUS_OK)
		err = watch_release(&s->watch);
	if (err == STATUS_OK) {
		look_until_the_end(s);
		err = say(s);
	}
	close_faults(s);
	return err;
}

static void forget(struct study *s)
{
	for (size_t i = 0; i < s->family.count; i++)
		free_subject(s->family.member[i]->own);
	free(s->area);
	family_end(&s->family);
}

static const struct watch_verb verb = {.name = "access", .details = details, .answers = WATCH_ONCE};

int cmd_access(int argc, char **argv)
{
	struct study s = {0};
	bool helped = false;
	int err = watch_parse(&s.watch, &verb, &s, argc, argv, &helped);

	if (err != STATUS_OK || helped)
		return err;
	err = watch_start(&s.watch);
	if (err == STATUS_OK)
		err = study(&s);
	forget(&s);
	return watch_finish(&s.watch, err);
}
