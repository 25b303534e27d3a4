/*
 * Pagers that do not answer, because a debugger holds them: for some seconds, and the fault is answered
 * when they may go on; for good, and the process is ended with a line, where it would wait for ever.
 * That once before they have read anything, and some times in the middle of whatever they do.
 */
#include "host.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#define LEN	(2 * MIB)
#define SEED	7
#define NAME	"predicomp"
#define TIDS	256
#define AWHILE	3000  /* ms */
#define ATLEAST 25000 /* ms until it is ended */
#define BUSY	3     /* processes that are at work when it happens */

struct watched {
	pid_t pid;
	int is_cold, said; /* pipes; the second is its standard error */
	int may_go;	   /* a byte to read the memory, one more to end */
	pid_t pager[TIDS];
	unsigned pagers;
};

/* Reads one page after the other, while others leave. */
_Noreturn static void stay_busy(const char *at)
{
	for (size_t page = 0;; page = (page + 7) % (LEN / PAGE)) {
		HOST_CHECK(host_page_begins(at, page * PAGE, SEED));
		if (page % 64 == 0)
			host_sleep_ms(1);
	}
}

_Noreturn static void be_watched(int is_cold, int may_go, int said, bool busy)
{
	const struct rlimit none = {0, 0};
	char byte = 0;
	char *at;

	HOST_CHECK(setrlimit(RLIMIT_CORE, &none) == 0 && dup2(said, 2) == 2);
	at = host_cold(LEN, SEED);
	HOST_CHECK(write(is_cold, "c", 1) == 1);
	if (busy)
		stay_busy(at);
	HOST_CHECK(read(may_go, &byte, 1) == 1);
	HOST_CHECK(host_same(at, LEN, SEED));
	HOST_CHECK(read(may_go, &byte, 1) == 1);
	_exit(0);
}

static struct watched start(bool busy)
{
	struct watched w = {0};
	int is_cold[2], may_go[2], said[2];
	char byte;

	HOST_CHECK(pipe(is_cold) == 0 && pipe(may_go) == 0 && pipe(said) == 0);
	w.pid = fork();
	HOST_CHECK(w.pid >= 0);
	if (!w.pid)
		be_watched(is_cold[1], may_go[0], said[1], busy);
	close(is_cold[1]);
	close(may_go[0]);
	close(said[1]);
	HOST_CHECK(read(is_cold[0], &byte, 1) == 1);
	close(is_cold[0]);
	w.may_go = may_go[1];
	w.said = said[0];
	return w;
}

static bool is_ours(pid_t pid, const char *tid)
{
	char path[300], name[32] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid, tid);
	comm = fopen(path, "r");
	if (comm) {
		if (!fgets(name, sizeof(name), comm))
			name[0] = 0;
		fclose(comm);
	}
	return strcmp(name, NAME "\n") == 0;
}

static void stop_thread(pid_t tid)
{
	int status;

	HOST_CHECK(ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0);
	HOST_CHECK(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0);
	HOST_CHECK(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status));
}

static unsigned cpus_of(pid_t tid)
{
	cpu_set_t set;

	return sched_getaffinity(tid, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}

/* Each is bound to a CPU; the work thread is not, and on a machine of one CPU it is the first of them. */
static void find_pagers(struct watched *w)
{
	const bool can_tell = cpus_of(0) > 1;
	const struct dirent *entry;
	pid_t first = 0, tid;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", w->pid);
	tasks = opendir(path);
	HOST_CHECK(tasks);
	while ((entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] == '.' || !is_ours(w->pid, entry->d_name))
			continue;
		tid = atoi(entry->d_name);
		HOST_CHECK(w->pagers < TIDS);
		if (can_tell ? cpus_of(tid) == 1 : first != 0)
			w->pager[w->pagers++] = tid;
		first = first ? first : tid;
	}
	closedir(tasks);
}

static void stop_pagers(struct watched *w)
{
	find_pagers(w);
	for (unsigned i = 0; i < w->pagers; i++)
		stop_thread(w->pager[i]);
}

static void go(const struct watched *w)
{
	HOST_CHECK(write(w->may_go, "g", 1) == 1);
}

static void end(const struct watched *w)
{
	close(w->may_go);
	close(w->said);
}

static void answered_later(void)
{
	struct watched w = start(false);

	stop_pagers(&w);
	go(&w);
	host_sleep_ms(AWHILE);
	for (unsigned i = 0; i < w.pagers; i++)
		HOST_CHECK(ptrace(PTRACE_DETACH, w.pager[i], NULL, NULL) == 0);
	go(&w);
	HOST_CHECK(host_reap(w.pid) == 0);
	end(&w);
}

/* Its threads are ours to reap before it is. */
static int reap_all(const struct watched *w)
{
	int status;

	for (unsigned i = 0; i < w->pagers; i++)
		while (waitpid(w->pager[i], &status, __WALL) == w->pager[i] && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, w->pager[i], NULL, NULL);
	return host_reap(w->pid);
}

static void expect_end(struct watched *w, uint64_t begun)
{
	char said[4096] = "";

	HOST_CHECK(reap_all(w) == 128 + SIGABRT && host_now_ms() - begun >= ATLEAST);
	HOST_CHECK(read(w->said, said, sizeof(said) - 1) >= 0);
	HOST_CHECK(strstr(said, "a fault is not answered"));
	end(w);
}

/* Without the library nobody is there to be held: then all end as they should, or are ended. */
static void never_answered(void)
{
	struct watched w[1 + BUSY];
	const uint64_t begun = host_now_ms();

	for (unsigned i = 0; i < 1 + BUSY; i++)
		w[i] = start(i > 0);
	for (unsigned i = 0; i < 1 + BUSY; i++) {
		host_sleep_ms(i);
		stop_pagers(&w[i]);
	}
	go(&w[0]);
	go(&w[0]);
	for (unsigned i = 0; i < 1 + BUSY; i++) {
		if (w[i].pagers) {
			expect_end(&w[i], begun);
			continue;
		}
		if (i > 0)
			kill(w[i].pid, SIGKILL);
		HOST_CHECK(host_reap(w[i].pid) == (i > 0 ? 128 + SIGKILL : 0));
		end(&w[i]);
	}
}

int main(void)
{
	char *at = host_cold(LEN, SEED);

	answered_later();
	never_answered();
	HOST_CHECK(host_same(at, LEN, SEED));
	return 0;
}
