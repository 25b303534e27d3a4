#include "pager.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "crew.h"
#include "flow/discover.h"
#include "flow/donate.h"
#include "flow/exclude.h"
#include "flow/fault.h"
#include "flow/forget.h"
#include "flow/forkless.h"
#include "flow/mapped.h"
#include "flow/reserve.h"
#include "flow/sample.h"
#include "flow/watch.h"
#include "flow/work.h"
#include "flow/world.h"
#include "kernel/anchor.h"
#include "kernel/caps.h"
#include "kernel/peek.h"
#include "kernel/pins.h"
#include "kernel/task.h"
#include "kernel/uapi.h"
#include "kernel/vma.h"
#include "mailbox.h"
#include "segment.h"
#include "state/codec.h"
#include "state/range.h"
#include "state/thread.h"
#include "tables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <signal.h>
#include <time.h>

#define PAGERS_MAX    64u
#define SCRATCH	      ((size_t)AROUND_MAX * PC_PAGE) /* of one pager */
#define LOOK_FIRST    (100 * PC_MS) /* how soon after its start a process is looked at */
#define LOOK_EVERY    PC_SEC
#define FORK_PATIENCE (5 * PC_SEC) /* a fork that copies much takes as long */
#define LOOK_SMALL    (64ull << 10) /* MIN_RSS up to here: look without delay */
#define MAP_SHARE     4u	    /* of vm.max_map_count that may be registered runs */
#define PROGRAM_BYTES 32u
#define CLOSE_UNSHARE 2u
#define LOOK_WAITS    100u /* of 1 ms */

_Static_assert(PAGERS_MAX + 24u <= POOL_REGIONS, "a stack for each pager, and all other regions");

struct world world;

/* What a thread of the program asks of the work thread. One at a time, under host.lock. */
enum request {
	REQUEST_NONE,
	REQUEST_RETURN,
	REQUEST_WILLNEED,
	REQUEST_COLD,
	REQUEST_PHASE,
	REQUEST_END_SAMPLING,
};

#define SIGNAL(number) (1ull << ((number)-1))

/* What a thread had blocked before it came here. */
struct mask {
	uint64_t signals;
	bool blocked; /* the kernel let us block the others */
};

static struct {
	struct lock lock; /* all of this, and every host call */
	struct mask mask; /* of the thread that holds it */
	int pid;	  /* whose pager this is: a vfork child shares our memory, not our pager */
	int pauser;	  /* number of a thread between pause and continue, if one is known, or 0 */
	bool started;
	bool quit;
	bool filtered; /* has quit, and the program's system calls are filtered */
	unsigned pauses;
	bool forking; /* between before and parent or child, with lock held */
	bool fork_paused;
	uint32_t still;	 /* the same, and nothing is away */
	uint32_t missed; /* somebody could not wait for the lock then */
	uint32_t looking; /* how many look into the table of units without the lock */
	char program[PROGRAM_BYTES];
} host;

/* What is written at each fork comes last, beside `host`: few pages are copied for it. */
static struct {
	struct fault_thread pager[PAGERS_MAX];
	struct work work;
	uint32_t stop; /* futex words follow */
	uint32_t wake;
	uint32_t request; /* enum request */
	uint32_t reason;  /* enum pc_inert, to be shown after a stop */
	pc_addr start, end;
	bool hinting;	  /* a hint is being carried out */
	bool serving;	  /* what somebody waits for is */
	uint32_t drained; /* asked to stay inert by the mailbox */
	uint32_t active;
	struct crew_member work_member;
	struct crew_member pager_member[PAGERS_MAX];
	unsigned pagers;      /* that run */
	unsigned ready;	      /* that have what they need */
	uint8_t *scratch;     /* of all of them, to restore from */
	unsigned scratch_for; /* so many of them */
	pc_ns looked_at;      /* by look_around() */
	pc_ns pager_cpu_gone; /* CPU time of pagers that have ended */
	struct anchor anchor;
	bool probed;
	bool opened; /* world is open */
	struct task_turn turn; /* of the work threads so far */
	bool turn_known;
	bool turn_refused; /* to the one there is, in part */
} crew;

static const char *const inert_texts[PC_INERT_COUNT] = {
#define PC_INERT(id, why) [PC_INERT_##id] = "not managed: " why,
#include "predicomp/inert.def"
#undef PC_INERT
};

static const char *const missing_texts[PC_CAP_COUNT] = {
#define PC_CAP(id, name, need, consequence, remedy)                                                \
	[PC_CAP_##id] = "not managed: no " name "; remedy: " remedy,
#include "predicomp/caps.def"
#undef PC_CAP
};

/* ---- showing -------------------------------------------------------------------------------- */

static void show(enum pc_run_state state, enum pc_inert reason)
{
	struct pc_segment *s = stats_segment();

	store_relaxed(&s->inert_reason, reason);
	store_release(&s->run_state, state); /* pairs with readers of the segment */
}

/* ---- the work thread: opening and closing the world ----------------------------------------- */

static int stderr_of(int tid, unsigned flags)
{
	long task = SYS2(__NR_pidfd_open, tid, flags);
	long fd;

	if (task < 0)
		return (int)task;
	fd = SYS3(__NR_pidfd_getfd, task, 2, 0);
	sys_close((int)task);
	return (int)fd;
}

/*
 * Before Linux 6.9 a thread's descriptor is not to be had, but what it leads to can be opened: a file,
 * from its beginning, and a pipe that nobody reads would be waited for.
 */
static int stderr_of_living(int tid)
{
	int fd = stderr_of(tid, PIDFD_THREAD);

	if (fd == -EINVAL)
		fd = task_open(tid, "fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
	return fd;
}

/*
 * A pager has no standard error; it borrows the program's for the length of a line. The first thread
 * has none either once it has left, while others go on.
 */
static int borrow_stderr(bool *close_it)
{
	int fd = stderr_of((int)sys_getpid(), 0);
	int tid = fd < 0 ? discover_living() : 0;

	*close_it = true;
	return tid ? stderr_of_living(tid) : fd;
}

/* Descriptors 0 to 2 are taken, so that nothing of ours can be mistaken for them. */
static int own_descriptors(void)
{
	long err = SYS3(__NR_close_range, 0, ~0u, CLOSE_UNSHARE);

	if (err)
		return (int)err;
	for (int i = 0; i < 3; i++)
		sys_open("/dev/null", O_RDWR | O_CLOEXEC);
	return 0;
}

/* What cannot be told counts as pinned: there is another look with each take. */
static bool may_be_pinned(void)
{
	int tid = discover_living();

	return !tid || pins_held(tid) != 0;
}

/*
 * The work thread is made by whichever thread of the program goes on, and would have its CPUs, policy and
 * nice value, and the pagers after it. The first one had those of the process.
 */
static void resume_turn(void)
{
	if (crew.turn_known)
		crew.turn_refused = !task_turn_take(&crew.turn);
}

/* Somebody may have changed it for the whole process. What was refused is wanted all the same. */
static void note_turn(void)
{
	struct task_turn now;

	if (crew.turn_refused || !task_turn_note(&now))
		return;
	crew.turn = now;
	crew.turn_known = true;
}

/* Faults would be answered when nobody else has anything to do. A program that is so itself gets no more. */
static bool became_idle(void)
{
	struct task_turn now;

	return crew.turn_refused && !task_is_idle(&crew.turn) && task_turn_note(&now) &&
	       task_is_idle(&now);
}

static enum pc_inert unfit(void)
{
	struct process_facts f;

	world.way = options.evict == EVICT_MADVISE ? WAY_MADVISE : WAY_MOVE;
	world.pinned = false;
	if (pressure_facts(&world.pressure, &f))
		return PC_INERT_MISSING_CAP;
	if (f.tracer_pid)
		return PC_INERT_TRACED;
	if (f.seccomp)
		return PC_INERT_SECCOMP;
	if (became_idle())
		return PC_INERT_IDLE;
	return world.way == WAY_MADVISE && may_be_pinned() ? PC_INERT_PINNED : PC_INERT_NONE;
}

static int missing_cap(void)
{
	return caps_missing(world.way == WAY_MOVE ? CAPS_TO_MOVE : CAPS_TO_MADVISE);
}

static bool capable(void)
{
	struct pc_segment *s = stats_segment();

	if (!crew.probed)
		caps_probe_all();
	crew.probed = true;
	for (unsigned i = 0; i < PC_CAP_COUNT; i++)
		s->cap[i] = caps.state[i];
	return missing_cap() < 0;
}

static void open_knobs(void)
{
	int64_t maps = pressure_max_map_count();

	world.cold_age = options.cold_age;
	world.keep_below = codec_keep_below((unsigned)options.min_savings);
	world.max_runs = (uint32_t)(PC_MAX(maps, 1024) / MAP_SHARE);
	world.everything = !options.cold_age;
	SET(soft_cap_bytes, options_resolve_cap(&options, pressure_limit()));
}

static int open_files(void)
{
	world.maps = (int)sys_open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	world.smaps = (int)sys_open("/proc/thread-self/smaps", O_RDONLY | O_CLOEXEC);
	if (world.maps < 0)
		return world.maps;
	if (world.smaps < 0)
		return world.smaps;
	if (world.way == WAY_MADVISE) {
		world.mem = peek_open();
		if (world.mem < 0)
			return world.mem;
	}
	world.mapping_at = caps_have(PC_CAP_VMA_QUERY) ? vma_query : vma_search;
	return pagemap_open(&world.pagemap,
			    caps_have(PC_CAP_PAGEMAP_SCAN) ? PAGEMAP_SCANNED : PAGEMAP_READ);
}

static int pager_main(void *arg)
{
	struct fault_thread *t = arg;

	SYS2(__NR_prctl, PR_SET_NAME, PC_THREAD_NAME);
	store_relaxed(&t->tid, (int)sys_gettid()); /* before it can be starved where it is pinned */
	task_pin(0, t->cpu);
	return fault_loop(t);
}

static int ready_pager(unsigned i, unsigned cpu)
{
	struct fault_thread *t = &crew.pager[i];

	memset(t, 0, sizeof(*t));
	t->index = i;
	t->cpu = cpu;
	t->restorer = (struct restorer){
	    .slot = GATE_PAGER0 + i,
	    .shard = 1 + i % (PC_SHARDS - 1),
	    .page = crew.scratch + i * SCRATCH,
	};
	restore_ready(&t->restorer, 1);
	t->nudge = (int)SYS2(__NR_eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
	return t->nudge < 0 ? t->nudge : 0;
}

/* One region for all of them: there are not so many regions as there may be pagers. */
static int ready_scratch(unsigned count)
{
	if (crew.scratch_for >= count)
		return 0;
	if (crew.scratch)
		pool_unmap(crew.scratch);
	crew.scratch = pool_map(count * SCRATCH, "restore");
	crew.scratch_for = crew.scratch ? count : 0;
	return crew.scratch ? 0 : -ENOMEM;
}

static int start_pagers(void)
{
	unsigned cpu[PAGERS_MAX], cpus = task_cpus(cpu, PAGERS_MAX);
	unsigned count = options.pager_threads ? (unsigned)options.pager_threads : cpus;
	int err = ready_scratch(count);

	gate_reset(&world.gate, GATE_PAGER0 + count);
	world.gate.late = watch_gate;
	for (; crew.ready < count && !err; crew.ready += !err)
		err = ready_pager(crew.ready, cpu[crew.ready % cpus]);
	fault_set(crew.pager, crew.ready);
	watch_start();
	/* All or none: the faults of a CPU are left to the pager that belongs there. */
	for (; crew.pagers < count && !err; crew.pagers += !err) {
		err = crew_start(&crew.pager_member[crew.pagers], "pager", pager_main,
				 &crew.pager[crew.pagers]);
		if (!err) {
			crew_stock(&crew.pager_member[crew.pagers]);
			discover_own_thread(crew.pager_member[crew.pagers].tid);
		}
	}
	return err;
}

static void stop_pagers(void)
{
	for (unsigned i = 0; i < crew.pagers; i++)
		crew.pager_cpu_gone += sys_cpu_of(crew.pager_member[i].tid);
	for (unsigned i = 0; i < crew.pagers; i++)
		fault_stop(&crew.pager[i]);
	for (unsigned i = 0; i < crew.pagers; i++)
		crew_join(&crew.pager_member[i]);
	for (unsigned i = 0; i < crew.ready; i++)
		sys_close(crew.pager[i].nudge);
	crew.pagers = crew.ready = 0;
}

/* The program may have mapped over it: then what lies there is the program's. */
static void drop_anchor(void)
{
	if (crew.anchor.ring && anchor_holds(&crew.anchor, world.mapping_at, world.maps))
		anchor_drop(&crew.anchor);
	crew.anchor = (struct anchor){0};
}

/* The anchor goes first: with it gone, closing releases the userfaultfd and whoever waits on it. */
static void close_world(void)
{
	drop_anchor();
	uffd_close(&world.uffd);
	uffd_close(&world.silent);
	reserve_stop();
	sys_close(world.maps);
	sys_close(world.smaps);
	sys_close(world.pagemap.fd);
	sys_close(world.mem);
	crew.opened = false;
}

static int open_world(void)
{
	int err = tables_start(pressure_limit());

	world.maps = world.smaps = world.mem = world.pagemap.fd = world.silent.fd = -1;
	if (!err)
		err = discover_start();
	if (!err)
		err = world.way == WAY_MOVE ? uffd_open(&world.uffd)
					    : uffd_open_protecting(&world.uffd);
	if (err)
		return err;
	crew.opened = true;
	reserve_start();
	err = open_files();
	if (!err)
		err = anchor_hold(&crew.anchor, world.uffd.fd);
	discover_forget();
	discover_own_thread((int)sys_gettid());
	open_knobs();
	if (!err)
		err = start_pagers();
	if (err) {
		stop_pagers();
		close_world();
	} else {
		donate_start(tables_where().store, tables_where().store_bytes);
		segment_own();
	}
	return err;
}

static void serve_host(void);

static bool ready_work(void)
{
	if (!crew.work.restorer.page)
		crew.work.restorer.page = pool_map(SCRATCH, "work");
	crew.work.restorer.slot = GATE_WORK;
	crew.work.restorer.shard = 0;
	crew.work.stop = &crew.stop;
	crew.work.serve = serve_host;
	work_start(&crew.work, sys_monotonic());
	return crew.work.restorer.page != NULL;
}

/* A missing capability by its name, for "something is missing" helps nobody. */
static void say_why(enum pc_inert reason)
{
	const int cap = reason == PC_INERT_MISSING_CAP && crew.probed ? missing_cap() : -1;

	log_say(LOG_INFO, cap >= 0 ? missing_texts[cap] : inert_texts[reason]);
}

static enum pc_inert cannot_start(int err)
{
	log_line(LOG_INFO, "cannot start", "errno", (uint64_t)-err, NULL, 0);
	return PC_INERT_MISSING_CAP;
}

static void leave_alone(enum pc_inert reason)
{
	say_why(reason);
	show(PC_STATE_INERT, reason);
}

/* False where the kernel refuses threads for the moment: to be tried again. */
static bool activate(void)
{
	enum pc_inert reason = unfit();
	int err;

	if (reason == PC_INERT_NONE && !capable())
		reason = PC_INERT_MISSING_CAP;
	if (reason == PC_INERT_NONE) {
		clock_settle();
		err = ready_work() ? open_world() : -ENOMEM;
		if (err == -EAGAIN) {
			show(PC_STATE_WAITING, PC_INERT_NO_THREAD);
			return false;
		}
		if (err)
			reason = cannot_start(err);
	}
	if (reason != PC_INERT_NONE) {
		leave_alone(reason);
		return true;
	}
	sample_start((int)sys_getpid());
	store_release(&crew.active, 1); /* pairs with host calls */
	show(PC_STATE_ACTIVE, PC_INERT_NONE);
	return true;
}

/*
 * False, to be tried again, also while a thread of the program is in a call of ours: a fork under way
 * took it that nothing was managed. That thread may wait for this one, so this one does not wait.
 */
static bool try_activate(void)
{
	bool done;

	if (!lock_try(&host.lock))
		return false;
	done = load_acquire(&crew.stop) || activate();
	lock_release(&host.lock);
	return done;
}

static void deactivate(enum pc_run_state then, enum pc_inert reason)
{
	show(PC_STATE_DRAINING, reason);
	sample_stop();
	work_drain(&crew.work);
	store_release(&crew.active, 0); /* pairs with host calls */
	stop_pagers();
	close_world();
	show(then, reason);
}

/* ---- the work thread: requests -------------------------------------------------------------- */

static uint64_t evict_everything(pc_addr start, pc_addr end)
{
	return work_evict_all(&crew.work, start, end);
}

static int act_restore(uint64_t *done)
{
	*done = stats_get(PC_V_pages_stored);
	if (crew.active)
		deactivate(PC_STATE_INERT, PC_INERT_DRAINED);
	crew.drained = 1;
	return 0;
}

static int act_resume(uint64_t *done)
{
	crew.drained = 0;
	*done = 0;
	if (!crew.active && !try_activate())
		return -EAGAIN;
	return crew.active ? 0 : -EPERM;
}

static int act_evict(uint64_t *done)
{
	int err = act_resume(done);

	if (!err)
		*done = evict_everything(0, PC_ADDR_MAX);
	return err;
}

static void note_options(void)
{
	struct pc_segment *s = stats_segment();

	for (unsigned i = 0; i < PC_OPT_COUNT; i++)
		s->option[i] = options_word(&options, (enum pc_option_id)i);
	log_set_level((enum log_level)options.log);
	if (crew.opened)
		open_knobs();
}

static int act_set(uint64_t option, uint64_t value)
{
	int err = options_set(&options, option, value);

	if (!err)
		note_options();
	return err;
}

static const struct mailbox_acts acts = {act_restore, act_resume, act_evict, act_set};

/* What the host holds up stays unanswered until it does not. */
static void serve_mailbox(void)
{
	if (mailbox_serve(&stats_segment()->mailbox, &acts) == -EAGAIN)
		sys_futex_wait(&crew.wake, load_relaxed(&crew.wake), PC_MS);
}

static bool is_hint(enum request what)
{
	return what == REQUEST_WILLNEED || what == REQUEST_COLD || what == REQUEST_PHASE;
}

static void follow_hint(enum request what, pc_addr start, pc_addr end)
{
	if (!crew.active)
		return;
	crew.hinting = true;
	if (what == REQUEST_WILLNEED)
		work_return(&crew.work, start, end);
	else if (what == REQUEST_COLD)
		evict_everything(start, end);
	else
		work_new_phase(&crew.work);
	crew.hinting = false;
}

static void do_awaited(enum request what, pc_addr start, pc_addr end)
{
	crew.serving = true;
	if (what == REQUEST_END_SAMPLING)
		sample_stop();
	else if (crew.active)
		work_return(&crew.work, start, end);
	crew.serving = false;
}

static void done_with_request(void)
{
	store_release(&crew.request, REQUEST_NONE); /* pairs with ask() */
	wake_sleepers(&crew.request, 1);
}

/*
 * Called between two units too, by what is being carried out, and each second. Nobody waits for a hint, and whoever
 * asks for more may not be kept by one: it makes room before it begins. One that comes meanwhile is
 * dropped.
 */
static void serve_host(void)
{
	enum request what = load_acquire(&crew.request); /* pairs with ask() */
	pc_addr start = crew.start, end = crew.end;

	if (crew.active)
		watch_look(sys_monotonic());
	if (what == REQUEST_NONE || crew.serving)
		return;
	if (!is_hint(what)) {
		do_awaited(what, start, end);
		done_with_request();
		return;
	}
	done_with_request();
	if (!crew.hinting)
		follow_hint(what, start, end);
}

/* Sleeps until the host or a tool asks for something, or the time has come. */
static void sleep_until_asked(pc_ns how_long)
{
	struct pc_mailbox *m = &stats_segment()->mailbox;
	uint32_t wake = load_acquire(&crew.wake); /* pairs with poke() */
	uint32_t asked = load_acquire(&m->request);
	pc_ns until = sys_monotonic() + how_long;
	struct timespec t = {(time_t)(until / PC_SEC), (long)(until % PC_SEC)};
	struct futex_waitv w[2] = {
	    {wake, (uint64_t)&crew.wake, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0},
	    {asked, (uint64_t)&m->request, FUTEX_32, 0},
	};

	if (load_acquire(&crew.stop) || load_acquire(&crew.request) ||
	    asked != load_relaxed(&m->answered))
		return;
	if (SYS6(__NR_futex_waitv, w, 2, 0, &t, CLOCK_MONOTONIC, 0) == -ENOSYS)
		sys_futex_wait(&crew.wake, wake, how_long);
}

/* ---- the work thread: its life -------------------------------------------------------------- */

/* Small processes are not worth a userfaultfd. */
static pc_ns look(pc_ns waited)
{
	int64_t anon = pressure_anon(&world.pressure);

	SET(bytes_resident, (uint64_t)PC_MAX(anon, 0));
	if (anon >= (int64_t)options.min_rss)
		try_activate();
	return PC_MIN(waited * 2, LOOK_EVERY);
}

static void show_pagers(void)
{
	uint64_t parked = 0;
	pc_ns cpu = crew.pager_cpu_gone;

	for (unsigned i = 0; i < crew.pagers; i++) {
		parked += load_relaxed(&crew.pager[i].parked);
		cpu += sys_cpu_of(crew.pager_member[i].tid);
	}
	SET(pager_cpu, cpu);
	SET(pagers_parked, parked);
	SET(pagers_waiting, crew.pagers - parked);
}

/* The program has mapped over the anchor: another one, or nothing may be away. */
static void keep_anchor(void)
{
	int err;

	if (anchor_holds(&crew.anchor, world.mapping_at, world.maps))
		return;
	err = anchor_hold(&crew.anchor, world.uffd.fd);
	if (err)
		deactivate(PC_STATE_INERT, cannot_start(err));
}

/* Once a second. The last of us to go ends the process, with the status of its first thread. */
static void look_around(void)
{
	pc_ns now = sys_monotonic();

	if (now - crew.looked_at < PC_SEC)
		return;
	crew.looked_at = now;
	clock_settle();
	if (discover_deserted())
		store_release(&crew.stop, 1);
	else if (crew.active)
		keep_anchor();
}

static void leave_pinned(void)
{
	log_say(LOG_INFO,
		"left alone: a descriptor was opened that EVICT=madvise does not go with");
	deactivate(PC_STATE_INERT, PC_INERT_PINNED);
}

static pc_ns round_of_work(pc_ns wait)
{
	serve_mailbox();
	serve_host();
	look_around();
	if (crew.active) {
		wait = work_tick(&crew.work, sys_monotonic());
		show_pagers();
		if (world.pinned)
			leave_pinned();
		return wait;
	}
	if (stats_segment()->run_state == PC_STATE_WAITING)
		return look(wait);
	return LOOK_EVERY;
}

/* Until the time has come for another round, or somebody asks for one. */
static void rest(pc_ns wait)
{
	pc_ns now = sys_monotonic(), begun;
	const pc_ns until = now + wait;

	for (;;) {
		begun = now;
		sleep_until_asked(PC_MIN(until - now, LOOK_EVERY));
		now = sys_monotonic();
		if (now >= until || now - begun < LOOK_EVERY)
			return;
		serve_host();
		look_around();
	}
}

/* What the work thread needs, managed or not. */
static int settle(void)
{
	int err = segment_start(host.program);

	if (!err)
		err = own_descriptors();
	if (!err)
		err = segment_publish();
	if (!err)
		err = pressure_open(&world.pressure);
	return err;
}

static void work_life(void)
{
	const bool begun = segment_started();
	int err;
	pc_ns wait = options.min_rss <= LOOK_SMALL ? PC_MS : LOOK_FIRST;

	/* Most processes end, or become another program, before they are worth a segment. */
	if (!begun)
		sleep_until_asked(wait);
	crew_stock(&crew.work_member);
	resume_turn();
	SYS2(__NR_prctl, PR_SET_NAME, PC_THREAD_NAME);
	clock_start();
	err = load_acquire(&crew.stop) ? 0 : settle();
	if (err) {
		leave_alone(cannot_start(err));
		return;
	}
	discover_forget();
	discover_own_thread((int)sys_gettid());
	crew.looked_at = sys_monotonic();
	show(crew.drained ? PC_STATE_INERT : PC_STATE_WAITING,
	     crew.drained ? PC_INERT_DRAINED : PC_INERT_SMALL);
	if (begun)
		sleep_until_asked(wait);
	while (!load_acquire(&crew.stop)) { /* pairs with stop_work */
		wait = round_of_work(PC_MAX(wait, LOOK_FIRST));
		rest(wait);
	}
	if (crew.active)
		deactivate(PC_STATE_INERT, (enum pc_inert)crew.reason);
	serve_host();
	note_turn();
}

static int work_main(void *unused)
{
	(void)unused;
	work_life();
	return 0;
}

/* ---- host calls ----------------------------------------------------------------------------- */

static struct mask block(uint64_t signals)
{
	struct mask old = {0};

	old.blocked =
	    !SYS4(__NR_rt_sigprocmask, SIG_BLOCK, &signals, &old.signals, sizeof(old.signals));
	return old;
}

static struct mask block_signals(void)
{
	return block(~0ull);
}

static void unblock_signals(struct mask old)
{
	if (!old.blocked)
		return;
	if (SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &old.signals, 0, sizeof(old.signals)))
		pc_fatal("a thread's signals cannot be unblocked", old.signals, 0);
}

bool pager_silent(void)
{
	return !host.started || load_relaxed(&host.filtered);
}

/* The number of a thread that only our process has, or 0 where none is known. */
static int witness(void)
{
	const int work = crew_tid(&crew.work_member);

	return work ? work : load_acquire(&host.pauser); /* pairs with pager_pause */
}

/*
 * False for a process that shares or copies our memory without being who started the pager. In a PID
 * namespace of its own it may have our number, but seldom our witness's as well. Where there is no witness
 * the number alone decides.
 */
static bool is_ours(void)
{
	const int tid = witness();

	if (pager_silent() || sys_getpid() != host.pid)
		return false;
	return !tid || task_alive(tid) || witness() != tid;
}

/*
 * libc's fork waits for locks of its own between our two halves, and whoever holds one of those may come
 * here. Nothing is away then. After a while it goes on as if nobody managed anything, and so it stays.
 */
static bool cannot_wait(void)
{
	if (!load_seq(&host.still))
		return false;
	store_seq(&host.missed, 1u); /* Dekker with pager_fork_parent */
	return load_seq(&host.still) != 0;
}

static bool take_host(void)
{
	const struct mask old = block_signals();

	while (!lock_take_for(&host.lock, FORK_PATIENCE)) {
		if (!cannot_wait())
			continue;
		unblock_signals(old);
		return false;
	}
	host.mask = old;
	return true;
}

static void leave_host(void)
{
	struct mask old = host.mask;

	lock_release(&host.lock);
	unblock_signals(old);
}

static bool enter_host(void)
{
	if (!is_ours() || !take_host())
		return false;
	/* Who held it until now may have left a witness where there was none. */
	if (is_ours())
		return true;
	leave_host();
	return false;
}

static void poke(void)
{
	add_acq_rel(&crew.wake, 1); /* pairs with sleep_until_asked */
	wake_sleepers(&crew.wake, 1);
}

static bool work_alive(void)
{
	return load_acquire(&crew.work_member.tid_word) != 0;
}

static void await_request(enum request what)
{
	while (load_acquire(&crew.request) && work_alive())
		sys_futex_wait(&crew.request, what, 10 * PC_MS);
}

/* A hint may lie there that the work thread has not come to. host.lock is held. */
static void post(enum request what, pc_addr start, pc_addr end)
{
	await_request(load_relaxed(&crew.request));
	if (!work_alive())
		return;
	crew.start = start;
	crew.end = end;
	store_release(&crew.request, what); /* pairs with serve_host */
	poke();
}

/* When it returns, that has been carried out. */
static void ask(enum request what, pc_addr start, pc_addr end)
{
	post(what, start, end);
	await_request(what);
}

/* Dropped while another one waits to be looked at. */
static void suggest(enum request what, pc_addr start, pc_addr end)
{
	if (!load_relaxed(&crew.request))
		post(what, start, end);
}

static int start_work(void)
{
	store_relaxed(&crew.stop, 0);
	return crew_start(&crew.work_member, "work", work_main, NULL);
}

static void stop_work(enum pc_inert reason)
{
	crew.reason = reason;
	store_release(&crew.stop, 1); /* pairs with work_life */
	poke();
	crew_join(&crew.work_member);
	show(PC_STATE_INERT, reason);
}

static void copy_program(const char *program)
{
	size_t n = PC_MIN(strlen(program), PROGRAM_BYTES - 1);

	memcpy(host.program, program, n);
	host.program[n] = 0;
}

/* Where it cannot be told, what lies beside the block stays with it. */
static void note_home(pc_addr local)
{
	const int64_t control = task_robust_list((int)sys_gettid());
	struct pc_span home;

	if (control <= 0)
		return;
	home = thread_around((pc_addr)control);
	home.start = PC_MIN(home.start, page_floor(local));
	thread_set_home(home);
}

void pager_begin_counting(void)
{
	struct mask old;

	/* Nor for a child of a fork that nobody saw, whose numbers would be its parent's. */
	if (!host.started || segment_started() || sys_getpid() != host.pid)
		return;
	old = block_signals();
	segment_start(host.program);
	unblock_signals(old);
}

int pager_start(const char *program, const void *local)
{
	struct mask old = block_signals();
	int err;

	copy_program(program);
	note_home((pc_addr)local);
	log_set_level((enum log_level)options.log);
	log_set_borrow(borrow_stderr);
	err = start_work();
	host.pid = (int)sys_getpid();
	host.started = !err;
	if (err)
		show(PC_STATE_INERT, PC_INERT_NO_THREAD);
	unblock_signals(old);
	return err;
}

void pager_refuse(enum pc_inert reason)
{
	show(PC_STATE_INERT, reason);
}

static void pause_inside(enum pc_inert reason)
{
	if (host.pauses++ == 0 && !host.quit)
		stop_work(reason);
}

static void go_on(void)
{
	if (host.pauses == 0 && !host.quit && start_work())
		show(PC_STATE_INERT, PC_INERT_NO_THREAD);
}

static void continue_inside(void)
{
	PC_ASSERT(host.pauses > 0);
	host.pauses--;
	go_on();
}

int pager_pause(enum pc_inert reason)
{
	int pid, tid;

	if (!enter_host())
		return 0;
	tid = (int)sys_gettid();
	pause_inside(reason);
	/* A handler that waits to run here may fork: its child has not paused. */
	pid = host.pid;
	/* The first thread's number is the process's: it tells nobody apart. */
	if (tid != pid)
		store_release(&host.pauser, tid); /* pairs with witness */
	leave_host();
	return pid;
}

void pager_continue(int paused)
{
	if (!paused || pager_silent() || !take_host())
		return;
	/* Others may still be at it; which ones is not known. */
	if (host.pauser == (int)sys_gettid())
		store_release(&host.pauser, 0);
	if (paused != host.pid)
		pause_inside(PC_INERT_IDENTITY);
	continue_inside();
	leave_host();
}

/*
 * Who looks into the table of units has no lock. It does so for microseconds; where it does not end,
 * the caller may be a handler that has interrupted it.
 */
static bool nobody_looks(void)
{
	/* pairs with pager_holds */
	for (unsigned i = 0; i < LOOK_WAITS && load_seq(&host.looking); i++)
		sys_nap(PC_MS);
	return !load_seq(&host.looking);
}

static void quit_inside(enum pc_inert reason)
{
	if (!host.quit && !host.pauses)
		stop_work(reason);
	if (!host.quit) {
		tables_stop(nobody_looks());
		segment_own();
	}
	host.quit = true;
	store_relaxed(&host.filtered, host.filtered || reason == PC_INERT_SECCOMP);
	show(PC_STATE_INERT, reason);
}

void pager_quit(enum pc_inert reason)
{
	/* A vfork child's filter counts as its parent's: to tell them apart takes a call. */
	if (!host.started && reason == PC_INERT_SECCOMP)
		pager_refuse(reason);
	if (!enter_host())
		return;
	quit_inside(reason);
	leave_host();
}

/*
 * host.lock is held from before to parent or child, with signals blocked. A work thread that only
 * watches may stay: it takes no step without the lock.
 */
bool pager_fork_before(void)
{
	if (!enter_host())
		return false;
	host.forking = true;
	host.fork_paused = load_acquire(&crew.active);
	if (host.fork_paused)
		pause_inside(PC_INERT_FORKING);
	/* Last, for the work thread asks as well. */
	mapped_freeze();
	store_seq(&host.still, 1u);
	return true;
}

static bool end_of_stillness(void)
{
	store_seq(&host.still, 0u); /* Dekker with cannot_wait */
	return load_seq(&host.missed) != 0;
}

void pager_fork_parent(void)
{
	if (!host.forking)
		return;
	host.forking = false;
	mapped_thaw();
	if (end_of_stillness())
		quit_inside(PC_INERT_UNTRACKED);
	/* A child that forks is here to stay; where there is no memory for it, nothing is counted. */
	pager_begin_counting();
	segment_count(PC_V_forks);
	if (host.fork_paused)
		continue_inside();
	else if (crew.work_member.refused)
		go_on();
	leave_host();
}

/* No thread but this one lived on, and nothing was away: all is set back to its beginning. */
static void reset_in_child(pc_addr control)
{
	host.forking = false;
	host.pauses = 0;
	host.pauser = 0;
	host.pid = (int)sys_getpid();
	lock_reset(&host.lock);
	crew_forget(&crew.work_member);
	for (unsigned i = 0; i < PAGERS_MAX; i++)
		crew_forget(&crew.pager_member[i]);
	crew.request = REQUEST_NONE;
	crew.active = 0;
	crew.opened = false;
	/* The work thread may just have been about to end them, on a tool's behalf. */
	crew.pagers = crew.ready = 0;
	crew.pager_cpu_gone = 0;
	/* The thread that forked is all there is of the process: it is as that one was. */
	crew.turn_known = crew.turn_refused = false;
	/* The mapping was MADV_DONTFORK: there is none here. */
	crew.anchor = (struct anchor){0};
	/* The kernel has no robust list of a thread that a bare fork made: nobody else could tell. */
	thread_fork_child(host.pid, control);
	exclude_reset();
	forkless_reset();
	mapped_reset();
}

/* A child whose fork was not prepared (a raw one's own child) is left alone for good. */
void pager_fork_child(pc_addr control)
{
	struct mask old = host.mask;

	if (!host.forking)
		return;
	host.quit |= end_of_stillness();
	reset_in_child(control);
	if (segment_leave() || host.quit || start_work())
		show(PC_STATE_INERT, host.quit ? (enum pc_inert)crew.reason : PC_INERT_NO_THREAD);
	unblock_signals(old);
}

void pager_exclude(pc_addr start, pc_addr end)
{
	bool full;

	if (!enter_host())
		return;
	full = !exclude_add(start, end);
	ask(REQUEST_RETURN, page_floor(start), page_ceil(end));
	leave_host();
	/* What cannot be remembered cannot be kept out: the whole process is left alone. */
	if (full)
		pager_quit(PC_INERT_UNTRACKED);
}

static bool try_hold(pc_addr start, pc_addr end, uint32_t *hold)
{
	*hold = 0;
	if (!enter_host())
		return true;
	*hold = exclude_hold(start, end);
	if (*hold)
		ask(REQUEST_RETURN, page_floor(start), page_ceil(end));
	leave_host();
	return *hold != 0;
}

struct pager_held pager_hold(pc_addr start, pc_addr end)
{
	/* These tell a thread of what it did wrong itself, in realloc() for one. */
	const uint64_t own = SIGNAL(SIGSEGV) | SIGNAL(SIGBUS) | SIGNAL(SIGILL) | SIGNAL(SIGFPE) |
			     SIGNAL(SIGTRAP) | SIGNAL(SIGSYS) | SIGNAL(SIGABRT);
	struct pager_held held = {0};
	struct mask old;

	if (!is_ours())
		return held;
	old = block(~own);
	held.signals = old.signals;
	held.blocked = old.blocked;
	while (!try_hold(start, end, &held.number))
		sys_yield();
	if (!held.number)
		unblock_signals(old);
	return held;
}

static void let_signals(struct pager_held held)
{
	unblock_signals((struct mask){.signals = held.signals, .blocked = held.blocked});
}

void pager_release(struct pager_held held)
{
	if (!held.number)
		return;
	if (enter_host()) {
		exclude_release(held.number);
		leave_host();
	}
	let_signals(held);
}

void pager_forkless(pc_addr start, pc_addr end, bool on)
{
	bool noted = true;

	if (!enter_host())
		return;
	if (on)
		noted = forkless_add(page_floor(start), page_ceil(end));
	else
		forkless_remove(page_floor(start), page_ceil(end));
	leave_host();
	if (!noted)
		pager_exclude(start, end);
}

uint32_t pager_forkless_notes(void)
{
	return forkless_notes();
}

/* Without the host's lock, for it follows any munmap(), and a fork may hold that one for long. */
void pager_forkless_gone(pc_addr start, pc_addr end, uint32_t notes)
{
	struct mask old;

	if (pager_silent() || !forkless_any())
		return;
	old = block_signals();
	forkless_gone(start, end, notes);
	unblock_signals(old);
}

void pager_forkless_moved(pc_addr start, pc_addr end, pc_addr to, pc_addr to_end, bool left,
			  uint32_t notes)
{
	bool noted;

	if (pager_silent() || !forkless_any() || !enter_host())
		return;
	noted =
	    forkless_follow(page_floor(start), page_ceil(end), to, page_ceil(to_end), left, notes);
	leave_host();
	if (!noted)
		pager_exclude(to, to_end);
}

bool pager_follows(void)
{
	return options.evict == EVICT_MADVISE && !pager_silent();
}

void pager_mapped(pc_addr start, pc_addr end)
{
	struct mask old = block_signals();

	mapped_add(start, end);
	unblock_signals(old);
}

void pager_unmapping(pc_addr start, pc_addr end)
{
	struct mask old = block_signals();

	mapped_remove(start, end);
	unblock_signals(old);
}

bool pager_is_mapped(pc_addr start, pc_addr end)
{
	struct mask old = block_signals();
	bool all = mapped_all(start, end);

	unblock_signals(old);
	return all;
}

struct pager_held pager_discard_begin(pc_addr start, pc_addr end)
{
	const struct mask old = block_signals();

	return (struct pager_held){old.signals, mapped_hold(start, end), old.blocked};
}

/* The gate is closed by a thread of the program here, and here alone. */
void pager_forget(pc_addr start, pc_addr end)
{
	if (!pager_holds(start, end) || !enter_host())
		return;
	/* Who had the lock may have quit, and the tables are gone. */
	if (pager_active()) {
		gate_close(&world.gate);
		forget_away(0, start, end);
		gate_open(&world.gate);
	}
	leave_host();
}

void pager_discard_end(struct pager_held held)
{
	mapped_release(held.number);
	let_signals(held);
}

static bool holds(pc_addr start, pc_addr end)
{
	if (!pager_active() || end > PC_ADDR_MAX)
		return false;
	/* A remap that its caller knows to be done may be read and not in the table yet. */
	if (gate_closed(&world.gate))
		return true;
	for (pc_addr at = unit_floor(start); at < end; at += PC_UNIT) {
		bool unsure;
		const struct unit *u = range_find_outside(at, &unsure);

		if (unsure || (u && unit_any_registered(u)))
			return true;
	}
	return false;
}

bool pager_holds(pc_addr start, pc_addr end)
{
	bool held;

	add_seq(&host.looking, 1); /* pairs with nobody_looks */
	held = holds(start, end);
	sub_acq_rel(&host.looking, 1);
	return held;
}

void pager_include(pc_addr start, pc_addr end)
{
	if (!enter_host())
		return;
	exclude_remove(start, end);
	leave_host();
}

void pager_thread_creating(void)
{
	thread_creating(task_alive);
}

void pager_thread_unborn(void)
{
	thread_created();
}

void pager_thread_born(int tid, pc_addr thread_pointer, pc_addr stack)
{
	struct mask old = block_signals();

	thread_add(tid, thread_pointer, stack);
	thread_created();
	unblock_signals(old);
}

int pager_hint(enum pager_hint hint, pc_addr start, pc_addr end)
{
	static const enum request what[] = {REQUEST_WILLNEED, REQUEST_COLD, REQUEST_PHASE};

	if (hint != PAGER_PHASE && page_ceil(start) >= page_floor(end))
		return -EINVAL;
	if (!pager_active() || !enter_host())
		return -EAGAIN;
	suggest(what[hint], page_ceil(start), page_floor(end));
	leave_host();
	return 0;
}

const char *pager_inert_text(enum pc_inert reason)
{
	return inert_texts[reason];
}

void pager_give_back(void)
{
	if (!sample_by_damon() || !enter_host())
		return;
	ask(REQUEST_END_SAMPLING, 0, 0);
	leave_host();
}

int pager_active(void)
{
	return (int)load_acquire(&crew.active); /* pairs with activate */
}

bool pager_owns(pc_addr start, pc_addr end)
{
	return pool_owns(start, end);
}
