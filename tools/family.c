#include "family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "array.h"
#include "name.h"

#define RING_BYTES  (128u * PC_PAGE) /* some thousand mappings between two looks */
#define RING_LEAST  (32u * PC_PAGE)  /* where no more memory may be locked */
#define PROCESS_MAX (4u << 20)	     /* numbers, as the kernel has it at most */
#define FOREVER	    UINT64_MAX
#define PATIENCE    (100 * PC_MS) /* for a birth that another CPU tells later than what follows */

enum news_kind { NEWS_FORK, NEWS_MAPPED, NEWS_NAME, NEWS_EXEC };

/* One thing that perf told, until it is known whose it is. */
struct family_news {
	pc_ns time;
	uint64_t order; /* of arrival: of two at one time, the first */
	enum news_kind kind;
	uint32_t pid, parent;
	struct region region;
	char name[16];
};

/* What waits for a member's clock. */
struct family_change {
	pc_ns time;
	enum news_kind kind;
	uint32_t child; /* its number */
	struct region region;
};

/* What follows a record, as asked for by sample_type. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
};

struct mmap_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	char name[];
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char name[];
};

struct fork_record {
	struct perf_event_header header;
	uint32_t pid, parent;
};

/* --- members -------------------------------------------------------------------------------- */

static void set_name(struct member *m, const char *name)
{
	snprintf(m->name, sizeof(m->name), "%s", name);
	printable(m->name);
}

static struct member *new_member(struct family *f, pid_t pid, pc_ns born)
{
	struct member **all = array_room(f->member, &f->room, f->count + 1, sizeof(void *));
	struct member *m = all ? calloc(1, sizeof(*m)) : NULL;

	if (all)
		f->member = all;
	if (!m)
		return NULL;
	m->number = m->from = f->born++;
	m->pid = pid;
	m->born = born;
	layout_begin(&m->layout, pid);
	f->member[f->count++] = m;
	return m;
}

static void free_member(struct member *m)
{
	layout_end(&m->layout);
	free(m->change);
	free(m);
}

struct member *family_numbered(const struct family *f, uint32_t number)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (f->member[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->count && f->member[low]->number == number ? f->member[low] : NULL;
}

/* The newest that was there at `time`. */
static struct member *find(const struct family *f, pid_t pid, pc_ns time)
{
	for (size_t i = f->count; i-- > 0;)
		if (f->member[i]->pid == pid && f->member[i]->born <= time)
			return f->member[i];
	return NULL;
}

/* One of which nobody told: what it is now is all that can be known. */
static void read_now(struct member *m)
{
	m->laid = true;
	layout_refresh(&m->layout);
	m->unread = !m->layout.regions.count && !layout_lives(&m->layout);
}

static struct member *meet(struct family *f, pid_t pid)
{
	struct member *m = new_member(f, pid, 0);

	if (!m)
		return NULL;
	process_name(pid, m->name, sizeof(m->name));
	image_changed(&m->layout.image, pid);
	read_now(m);
	return m;
}

/* --- those that left ------------------------------------------------------------------------ */

static bool has_left(const struct family *f, uint32_t pid)
{
	return f->gone && pid < PROCESS_MAX && f->gone[pid / 64] >> pid % 64 & 1;
}

/* Whoever has the number after it is a member, and found as such. */
static void note_left(struct family *f, uint32_t pid)
{
	if (!f->gone)
		f->gone = calloc(PROCESS_MAX / 64, sizeof(*f->gone));
	if (f->gone && pid < PROCESS_MAX)
		f->gone[pid / 64] |= 1ull << pid % 64;
}

/* --- hearing -------------------------------------------------------------------------------- */

static pc_ns time_of(const struct perf_event_header *record)
{
	struct trailer trailer;

	memcpy(&trailer, (const char *)record + record->size - sizeof(trailer), sizeof(trailer));
	return trailer.time;
}

static struct family_news *new_news(struct family *f, const struct perf_event_header *record,
				    enum news_kind kind, uint32_t pid)
{
	struct family_news *news =
	    array_room(f->news, &f->news_room, f->news_count + 1, sizeof(*news));

	if (!news) {
		f->lost++;
		return NULL;
	}
	f->news = news;
	news += f->news_count++;
	*news = (struct family_news){
	    .time = time_of(record), .order = f->arrived++, .kind = kind, .pid = pid};
	return news;
}

static void take_mapping(struct family *f, const struct mmap_record *r)
{
	struct family_news *news = new_news(f, &r->header, NEWS_MAPPED, r->pid);

	if (!news)
		return;
	news->region.start = r->start;
	news->region.end = r->start + r->length;
	region_name(&news->region, strcmp(r->name, "//anon") == 0 ? "" : r->name);
}

/* Of threads only the first gives its name to the process. */
static void take_name(struct family *f, const struct comm_record *r)
{
	const bool exec = r->header.misc & PERF_RECORD_MISC_COMM_EXEC;
	struct family_news *news = NULL;

	if (exec || r->pid == r->tid)
		news = new_news(f, &r->header, exec ? NEWS_EXEC : NEWS_NAME, r->pid);
	if (news)
		snprintf(news->name, sizeof(news->name), "%s", r->name);
}

static void take_fork(struct family *f, const struct fork_record *r)
{
	struct family_news *news = NULL;

	if (r->pid != r->parent) /* else a thread */
		news = new_news(f, &r->header, NEWS_FORK, r->pid);
	if (news)
		news->parent = r->parent;
}

static void take_record(void *arg, const struct perf_event_header *record)
{
	if (record->type == PERF_RECORD_MMAP)
		take_mapping(arg, (const struct mmap_record *)record);
	else if (record->type == PERF_RECORD_COMM)
		take_name(arg, (const struct comm_record *)record);
	else if (record->type == PERF_RECORD_FORK)
		take_fork(arg, (const struct fork_record *)record);
}

static int by_time(const void *a, const void *b)
{
	const struct family_news *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* False when there is no memory. */
static bool wait_for_clock(struct member *m, const struct family_change *change)
{
	struct family_change *at;

	if (m->next == m->count)
		m->next = m->count = 0;
	at = array_room(m->change, &m->room, m->count + 1, sizeof(*at));
	if (!at)
		return false;
	m->change = at;
	m->change[m->count++] = *change;
	return true;
}

static void birth(struct family *f, const struct family_news *news)
{
	struct member *parent = find(f, (pid_t)news->parent, news->time);
	struct member *child = new_member(f, (pid_t)news->pid, news->time);
	struct family_change change = {.time = news->time, .kind = NEWS_FORK};

	f->last = NULL;
	if (!child) {
		f->lost++;
		return;
	}
	child->parent = (pid_t)news->parent;
	if (parent)
		memcpy(child->name, parent->name, sizeof(child->name));
	else
		process_name(child->pid, child->name, sizeof(child->name));
	change.child = child->number;
	if (!parent || !wait_for_clock(parent, &change))
		read_now(child);
	else
		child->from = parent->number;
}

/* False where it is too early: what came before it may lie in the ring of another CPU. */
static bool hand_over(struct family *f, const struct family_news *news)
{
	const struct family_change change = {
	    .time = news->time, .kind = news->kind, .region = news->region};
	struct member *m;

	if (news->time > f->heard)
		return false;
	if (news->kind == NEWS_FORK) {
		birth(f, news);
		return true;
	}
	m = find(f, (pid_t)news->pid, news->time);
	if (!m)
		return has_left(f, news->pid) || f->heard - news->time > PATIENCE;
	if (news->kind != NEWS_MAPPED)
		set_name(m, news->name);
	if (news->kind != NEWS_NAME && !wait_for_clock(m, &change))
		f->lost++;
	return true;
}

/* What was lost is made up for by reading maps, of those that are known. */
static void read_soon(struct family *f)
{
	for (size_t i = 0; i < f->count; i++)
		f->member[i]->layout.next_maps = 0;
}

static void hear(struct family *f)
{
	const uint64_t lost = f->lost + f->rings.lost;
	size_t kept = 0;

	f->heard = now_monotonic();
	perf_rings_read(&f->rings, take_record, f);
	if (f->news_count)
		qsort(f->news, f->news_count, sizeof(*f->news), by_time);
	for (size_t i = 0; i < f->news_count; i++)
		if (!hand_over(f, &f->news[i]))
			f->news[kept++] = f->news[i];
	f->news_count = kept;
	if (f->lost + f->rings.lost != lost)
		read_soon(f);
}

/* --- clocks --------------------------------------------------------------------------------- */

static void give_birth(const struct family *f, const struct member *parent, uint32_t number)
{
	struct member *child = family_numbered(f, number);

	if (!child || child->laid)
		return;
	child->laid = true;
	if (!parent->layout.regions.count || layout_copy(&child->layout, &parent->layout) != 0)
		read_now(child);
}

static void become(struct family *f, struct member *m)
{
	layout_exec(&m->layout);
	m->unread = false;
	m->became = true;
	f->became(f->arg, m);
}

static void apply(struct family *f, struct member *m, const struct family_change *change)
{
	if (change->kind == NEWS_FORK)
		give_birth(f, m, change->child);
	else if (change->kind == NEWS_EXEC)
		become(f, m);
	else if (layout_put(&m->layout, &change->region) != 0)
		f->lost++;
}

/* What a process began with is known when its parent's clock has come to its birth. */
static void advance(struct family *f, struct member *m, pc_ns time)
{
	struct member *parent = m->laid ? NULL : family_numbered(f, m->from);

	if (parent && parent != m)
		advance(f, parent, m->born);
	m->laid = true;
	while (m->next < m->count && m->change[m->next].time <= time)
		apply(f, m, &m->change[m->next++]);
}

void family_advance(struct family *f, struct member *m, pc_ns time)
{
	if (f->told && time > f->heard)
		hear(f);
	advance(f, m, time);
}

void family_settle(struct family *f, pc_ns time)
{
	if (f->told && time > f->heard)
		hear(f);
	for (size_t i = 0; i < f->count; i++)
		advance(f, f->member[i], time);
}

/* One that has the number now had it from somebody who was let go. */
static bool is_foreign(const struct family *f, pid_t pid)
{
	return has_left(f, (uint32_t)pid) || find(f, pid, FOREVER);
}

struct member *family_of(struct family *f, pid_t pid, pc_ns time)
{
	struct member *m = f->last;

	if (f->told && time > f->heard)
		hear(f);
	else if (m && m->pid == pid && m->born <= time)
		return m;
	m = find(f, pid, time);
	if (!m && !is_foreign(f, pid))
		m = meet(f, pid);
	f->last = m == find(f, pid, FOREVER) ? m : NULL;
	return m;
}

struct member *family_now(struct family *f, pid_t pid)
{
	struct member *m = find(f, pid, FOREVER);

	if (m || has_left(f, (uint32_t)pid))
		return m;
	if (f->told)
		hear(f);
	m = find(f, pid, FOREVER);
	return m ? m : meet(f, pid);
}

/* --- all of it ------------------------------------------------------------------------------ */

/* Without an event that counts nothing perf would tell nothing. */
static int listen(struct family *f, pid_t pid, size_t bytes)
{
	const struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_DUMMY,
	    .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	    .sample_id_all = 1,
	    .inherit = 1,
	    .exclude_kernel = 1,
	    .mmap = 1,
	    .mmap_data = 1,
	    .comm = 1,
	    .comm_exec = 1,
	    .task = 1,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	};
	int err = perf_rings_begin(&f->rings, bytes);

	if (!err)
		err = perf_rings_add(&f->rings, pid, &attr);
	if (err)
		perf_rings_end(&f->rings);
	return err;
}

int family_begin(struct family *f, pid_t pid, family_fn *became, family_fn *leaves, void *arg)
{
	*f = (struct family){.became = became, .leaves = leaves, .arg = arg};
	f->told = listen(f, pid, RING_BYTES) == 0 || listen(f, pid, RING_LEAST) == 0;
	return meet(f, pid) ? 0 : -ENOMEM;
}

void family_end(struct family *f)
{
	if (f->told)
		perf_rings_end(&f->rings);
	for (size_t i = 0; i < f->count; i++)
		free_member(f->member[i]);
	free(f->member);
	free(f->gone);
	free(f->news);
}

/* Where perf tells nothing, an exec is seen by what it leaves. */
static void see(struct family *f, struct member *m)
{
	if (!layout_lives(&m->layout))
		return;
	process_name(m->pid, m->name, sizeof(m->name));
	if (!layout_replaced(&m->layout))
		return;
	m->became = true;
	f->became(f->arg, m);
}

/* Until the next look there may be many, and who has ended needs no descriptor. */
void family_hear(struct family *f)
{
	if (f->told)
		hear(f);
	for (size_t i = 0; f->count > FAMILY_SHOWN && i < f->count; i++)
		layout_lives(&f->member[i]->layout);
}

bool family_unread(const struct family *f, struct member *m)
{
	return m->unread || (!f->told && !layout_lives(&m->layout));
}

uint64_t family_lost(const struct family *f)
{
	return f->lost + perf_rings_lost(&f->rings);
}

void family_look(struct family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = f->member[i];

		if (!f->told)
			see(f, m);
		if (m->laid)
			layout_look(&m->layout);
	}
}

/* Those that are to leave come last. */
static int by_worth(const void *a, const void *b)
{
	const struct member *x = *(struct member *const *)a, *y = *(struct member *const *)b;

	if ((x->number == 0) != (y->number == 0))
		return x->number == 0 ? -1 : 1;
	if (x->lives != y->lives)
		return x->lives ? -1 : 1;
	if (x->events != y->events)
		return x->events > y->events ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
	const struct member *x = *(struct member *const *)a, *y = *(struct member *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static void let_go(struct family *f, struct member *m)
{
	f->leaves(f->arg, m);
	note_left(f, (uint32_t)m->pid);
	free_member(m);
	f->left++;
}

void family_prune(struct family *f)
{
	const size_t all = f->count;

	if (all <= FAMILY_SHOWN)
		return;
	for (size_t i = 0; i < all; i++) {
		struct member *m = f->member[i];

		advance(f, m, m->born); /* who stays has from the others what it began with */
		m->lives = layout_lives(&m->layout);
	}
	qsort(f->member, all, sizeof(void *), by_worth);
	qsort(f->member, FAMILY_SHOWN, sizeof(void *), by_number);
	f->count = FAMILY_SHOWN;
	f->last = NULL;
	for (size_t i = FAMILY_SHOWN; i < all; i++)
		let_go(f, f->member[i]);
}
