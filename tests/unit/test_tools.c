/*
 * The command `predicomp` against processes that look managed: a child with a thread of the
 * library's name, which alone holds a segment, as a pager's does, and answers its mailbox as the
 * test wants.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/options.h"
#include "base/stats.h"
#include "base/sys.h"

#define LONG_NAME "PREDICOMP_A_NAME_THAT_IS_LONGER_THAN_ANY_OPTION_AND_THAN_ANY_BUFFER_FOR_ONE"
#define SKIPPED	 77
#define NOBODY	 65534
#define RESTORED 123

static char tool[PATH_MAX];

/* --- a managed process ---------------------------------------------------------------------- */

struct behaviour {
	enum { ANSWERS, SILENT, DIES } mailbox;
	enum { STAYS, GOES_ON, GOES_ON_ASKED } restart;
	int result;	      /* of every command */
	uint32_t version;     /* of the segment */
	uint32_t locked_by;   /* in the mailbox when it starts */
	uint32_t entry_count; /* 0: the true one */
	bool foreign;	      /* the segment is another process's */
	bool late;	      /* the segment is not ready */
};

#define SOUND                                                                                      \
	{                                                                                          \
		.version = PC_SEGMENT_VERSION                                                      \
	}

struct host {
	struct behaviour behaviour;
	int ready;   /* pipe */
	int segment; /* descriptor */
};

static void answer(struct pc_segment *s, const struct behaviour *b, uint32_t request)
{
	struct pc_mailbox *box = &s->mailbox;

	if (b->mailbox == DIES)
		_exit(0);
	if (box->command == PC_CMD_RESTORE && b->result == 0) {
		SET(pages_stored, 0);
		store_relaxed(&s->run_state, PC_STATE_INERT);
	}
	if (box->command == PC_CMD_SET && b->result == 0)
		store_relaxed(&s->option[box->arg[0]], box->arg[1]);
	box->result = b->result;
	box->done = box->command == PC_CMD_RESTORE ? RESTORED : 0;
	ADD(1, drains, 1);
	store_release(&box->answered, request); /* pairs with the tool's settle() */
	sys_futex_wake_shared(&box->answered, INT_MAX);
}

static int new_segment(void)
{
	int fd = memfd_create(PC_SEGMENT_NAME, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)stats_segment_bytes()) != 0 || fchmod(fd, 0600) != 0)
		_exit(1);
	return fd;
}

static struct pc_segment *map_segment(int fd)
{
	void *memory = mmap(NULL, stats_segment_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	return memory;
}

/* As a pager that restarts. */
static void go_on_in_another(struct pc_segment *s, struct host *host)
{
	const int fd = new_segment();
	struct pc_segment *copy = map_segment(fd);

	memcpy(copy, s, stats_segment_bytes());
	copy->mailbox.lock = 0;
	copy->mailbox.request = copy->mailbox.answered;
	copy->run_state = PC_STATE_WAITING;
	host->behaviour.restart = STAYS;
	store_release(&s->replaced, 1u); /* pairs with attach_reread and mailbox_ask */
	if (mmap(s, stats_segment_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    (void *)s)
		_exit(1);
	close(host->segment);
	host->segment = fd;
	SET(pages_stored, 77);
}

static void serve(struct pc_segment *s, struct host *host)
{
	const struct behaviour *b = &host->behaviour;
	uint32_t seen = 0;

	for (;;) {
		/* pairs with the tool's post() */
		uint32_t request = load_acquire(&s->mailbox.request);

		if (request != seen && b->restart != STAYS) {
			go_on_in_another(s, host);
			continue;
		}
		if (request != seen && b->mailbox != SILENT)
			answer(s, b, request);
		seen = request;
		sys_futex_wait_shared(&s->mailbox.request, seen,
				      b->restart == GOES_ON ? 100 * PC_MS : 0);
		if (b->restart == GOES_ON)
			go_on_in_another(s, host);
	}
}

static void fill(struct pc_segment *s, const struct behaviour *b)
{
	s->version = b->version;
	s->mailbox.lock = b->locked_by;
	s->option_count = PC_OPT_COUNT;
	s->option[PC_OPT_cold_age] = 5 * PC_SEC;
	s->run_state = PC_STATE_ACTIVE;
	if (b->entry_count)
		s->entry_count = b->entry_count;
	if (b->late)
		s->ready = 0;
	ADD(1, ranges_added, 2);
	ADD(1, pages_evicted, 4321);
	SET(pages_stored, 1000);
	SET(bytes_resident, 64 << 20);
}

static void *host_thread(void *arg)
{
	struct host *host = arg;
	struct pc_segment *memory;

	prctl(PR_SET_NAME, PC_THREAD_NAME);
	if (unshare(CLONE_FILES) != 0)
		_exit(1);
	host->segment = new_segment();
	memory = map_segment(host->segment);
	stats_start(memory, host->behaviour.foreign ? 1 : getpid(), "fake", sys_monotonic());
	fill(memory, &host->behaviour);
	if (write(host->ready, "r", 1) != 1)
		_exit(1);
	serve(memory, host);
	return NULL;
}

_Noreturn static void host_main(struct host *host)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, host_thread, host) != 0)
		_exit(1);
	pthread_join(thread, NULL);
	_exit(1);
}

static pid_t start_host(struct behaviour behaviour)
{
	struct host host = {.behaviour = behaviour};
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	host.ready = ready[1];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		host_main(&host);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_host(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* --- the command ---------------------------------------------------------------------------- */

struct outcome {
	int status;
	char out[65536], err[4096];
};

static struct outcome outcome;

static void read_back(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	close(fd);
}

#define WORDS_MAX 12u

/* Runs `predicomp` with the words of `line`; "%d" in it is `pid`. `uid` 0 stays what we are. */
static int run_as(uid_t uid, const char *line, pid_t pid)
{
	char words[512];
	char *argv[WORDS_MAX + 2] = {tool};
	char *rest = *line != '\0' ? words : NULL;
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	int program = open(tool, O_RDONLY | O_CLOEXEC);
	int status;
	pid_t child;

	assert_true(out >= 0 && err >= 0 && program >= 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(words, sizeof(words), line, pid);
#pragma GCC diagnostic pop
	for (unsigned i = 1; i <= WORDS_MAX && rest; i++)
		argv[i] = strsep(&rest, " ");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		if (uid != 0 && (setgid(uid) != 0 || setuid(uid) != 0))
			_exit(125);
		fexecve(program, argv, environ);
		_exit(125);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	close(program);
	read_back(out, outcome.out, sizeof(outcome.out));
	read_back(err, outcome.err, sizeof(outcome.err));
	outcome.status = WEXITSTATUS(status);
	return outcome.status;
}

static void expect(int status, const char *line, pid_t pid)
{
	if (run_as(0, line, pid) != status)
		fail_msg("%s: status %d, not %d\n%s%s", line, outcome.status, status, outcome.out,
			 outcome.err);
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* A refusal is one line, and nothing else. */
static void expect_refusal(int status, const char *line, pid_t pid, const char *why)
{
	expect(status, line, pid);
	assert_says(outcome.err, why);
	assert_memory_equal(outcome.err, "predicomp: ", 11);
	assert_ptr_equal(strchr(outcome.err, '\n'), outcome.err + strlen(outcome.err) - 1);
	assert_string_equal(outcome.out, "");
}

/* What the last row of the CSV that was said has in a column. */
static long long csv_value(const char *column)
{
	char *head = outcome.out, *row = strchr(head, '\n');
	const char *name, *value;

	assert_non_null(row);
	*row++ = '\0';
	while (strchr(row, '\n') && strchr(row, '\n')[1] != '\0')
		row = strchr(row, '\n') + 1;
	while ((name = strsep(&head, ",")) != NULL && (value = strsep(&row, ",")) != NULL)
		if (strcmp(name, column) == 0)
			return atoll(value);
	fail_msg("no column %s", column);
	return -1;
}

/* --- reading -------------------------------------------------------------------------------- */

static void list_shows_every_process(void **state)
{
	pid_t a = start_host((struct behaviour)SOUND), b = start_host((struct behaviour)SOUND);
	char part[64];

	(void)state;
	expect(0, "list", 0);
	snprintf(part, sizeof(part), "%8d  fake", a);
	assert_says(outcome.out, part);
	snprintf(part, sizeof(part), "%8d  fake", b);
	assert_says(outcome.out, part);
	expect(0, "list --json", 0);
	snprintf(part, sizeof(part), "\"pid\": %d", b);
	assert_says(outcome.out, part);
	assert_says(outcome.out, "\"memory_now\": 67108864");
	end_host(a);
	end_host(b);
}

static void stat_has_many_forms(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);

	(void)state;
	expect(0, "stat %d", pid);
	assert_says(outcome.out, "4321 left");
	assert_says(outcome.out, "COLD_AGE=5s");
	expect(0, "stat --all %d", pid);
	assert_says(outcome.out, "taken out of the program and packed");
	expect(0, "stat --json %d", pid);
	assert_says(outcome.out, "\"pages_evicted\": 4321");
	assert_says(outcome.out, "\"cold_age\": 5000000000");
	expect(0, "stat --csv %d", pid);
	assert_says(outcome.out, "program,pid,");
	assert_says(outcome.out, "\n\"fake\",");
	end_host(pid);
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void stat_repeats(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);

	(void)state;
	expect(0, "stat --csv --interval 20ms --count 3 %d", pid);
	assert_int_equal(lines_of(outcome.out), 4);
	expect(0, "stat --json --interval 20ms --count 2 %d", pid);
	assert_int_equal(lines_of(outcome.out), 2);
	expect(0, "stat --interval 20ms --count 2 %d", pid);
	assert_int_equal(lines_of(outcome.out), 3);
	assert_says(outcome.out, "EVICTED/s");
	end_host(pid);
}

static void top_works_without_a_terminal(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);
	char part[64];

	(void)state;
	snprintf(part, sizeof(part), "%8d  fake              active", pid);
	expect(0, "top --interval 20ms", 0);
	assert_says(outcome.out, part);
	assert_null(strchr(outcome.out, '\033'));
	expect(0, "top --json --interval 20ms", 0);
	assert_says(outcome.out, "\"pages_evicted_per_second\": 0");
	end_host(pid);
}

static void refusals_are_told_apart(void **state)
{
	struct behaviour newer = {.version = PC_SEGMENT_VERSION + 1};
	struct behaviour broken = {.version = PC_SEGMENT_VERSION, .entry_count = 100000};
	struct behaviour late = {.version = PC_SEGMENT_VERSION, .late = true};
	pid_t pid = start_host(newer);

	(void)state;
	expect_refusal(5, "stat %d", pid, "newer version");
	expect_refusal(5, "restore %d", pid, "newer version");
	end_host(pid);
	pid = start_host(broken);
	expect_refusal(1, "stat %d", pid, "table of names");
	end_host(pid);
	pid = start_host(late);
	expect_refusal(1, "stat %d", pid, "still being filled");
	end_host(pid);
	expect_refusal(3, "stat %d", pid, "no process");
	expect_refusal(3, "stat %d", getpid(), "does not run under the library");
	expect_refusal(3, "evict %d", getpid(), "does not run under the library");
}

/* Somebody who reads a segment holds it open, but it is not theirs. */
static void readers_are_not_owners(void **state)
{
	struct behaviour foreign = {.version = PC_SEGMENT_VERSION, .foreign = true};
	pid_t pid = start_host(foreign);
	char part[32];

	(void)state;
	expect_refusal(3, "stat %d", pid, "does not run under the library");
	run_as(0, "list --json", 0);
	snprintf(part, sizeof(part), "\"pid\": %d,", pid);
	assert_null(strstr(outcome.out, part));
	end_host(pid);
}

static void other_users_are_named(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);
	char part[32];

	(void)state;
	if (geteuid() != 0) {
		end_host(pid);
		skip();
	}
	assert_int_equal(run_as(NOBODY, "stat %d", pid), 4);
	assert_says(outcome.err, "another user's");
	assert_int_equal(run_as(NOBODY, "restore %d", pid), 4);
	assert_int_equal(run_as(NOBODY, "list", 0), 0);
	snprintf(part, sizeof(part), "%8d  ", pid);
	assert_says(outcome.out, part);
	assert_says(outcome.out, "another user's");
	end_host(pid);
}

/* --- asking --------------------------------------------------------------------------------- */

static void restore_asks_and_waits(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);

	(void)state;
	expect(0, "restore %d", pid);
	assert_says(outcome.out, "123 pages (492.0 KiB) restored in");
	expect(0, "restore --json %d", pid);
	assert_says(outcome.out, "\"pages\": 123");
	expect(0, "stat --json %d", pid);
	assert_says(outcome.out, "\"pages_stored\": 0");
	assert_says(outcome.out, "\"state\": \"inert\"");
	expect(0, "evict --quiet %d", pid);
	assert_string_equal(outcome.out, "");
	expect(0, "resume %d", pid);
	assert_says(outcome.out, "done in");
	end_host(pid);
}

static void set_changes_options(void **state)
{
	pid_t pid = start_host((struct behaviour)SOUND);

	(void)state;
	expect(0, "set %d cold-age=7s SOFT_CAP=25%%", pid);
	expect(0, "stat --json %d", pid);
	assert_says(outcome.out, "\"cold_age\": 7000000000");
	assert_says(outcome.out, "\"soft_cap\": \"25%\"");
	/* The second is wrong, so the first is not sent. */
	expect_refusal(2, "set %d cold-age=9s max-cpu=300%%", pid, "PREDICOMP_MAX_CPU=300%");
	expect(0, "stat --json %d", pid);
	assert_says(outcome.out, "\"cold_age\": 7000000000");
	expect_refusal(2, "set %d cold-age", pid, "option=value");
	expect_refusal(2, "set %d csv=x", pid, "fixed when the program starts");
	expect_refusal(2, "set %d", pid, "1 to");
	end_host(pid);
}

static void a_pager_may_refuse(void **state)
{
	struct behaviour refuses = {.version = PC_SEGMENT_VERSION, .result = -EPERM};
	pid_t pid = start_host(refuses);

	(void)state;
	expect_refusal(1, "set %d hotness=probe", pid, "HOTNESS: the pager does not allow");
	expect_refusal(1, "evict %d", pid, "evict: the pager does not allow");
	end_host(pid);
}

static void silence_times_out(void **state)
{
	struct behaviour silent = {.version = PC_SEGMENT_VERSION, .mailbox = SILENT};
	pid_t pid = start_host(silent);

	(void)state;
	expect_refusal(6, "restore --timeout 300ms %d", pid, "has not answered in time");
	/* The unanswered command is not overwritten. */
	expect_refusal(6, "evict --timeout 100ms %d", pid, "has not answered in time");
	end_host(pid);
}

static void death_ends_the_wait(void **state)
{
	struct behaviour dies = {.version = PC_SEGMENT_VERSION, .mailbox = DIES};
	pid_t pid = start_host(dies);

	(void)state;
	expect_refusal(3, "restore --timeout 20s %d", pid, "has ended");
	end_host(pid);
}

static void locks_of_the_dead_are_taken_over(void **state)
{
	struct behaviour locked = {.version = PC_SEGMENT_VERSION};
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	locked.locked_by = (uint32_t)pid;
	pid = start_host(locked);
	expect(0, "restore %d", pid);
	expect(0, "restore %d", pid); /* and given back afterwards */
	end_host(pid);
	locked.locked_by = (uint32_t)getpid();
	pid = start_host(locked);
	expect_refusal(6, "restore --timeout 100ms %d", pid, "has not answered in time");
	end_host(pid);
}

/* --- starting ------------------------------------------------------------------------------- */

/* A pager restarts when it has been asked: the command is carried out once, and the lock given back. */
static void commands_follow_a_restart(void **state)
{
	struct behaviour moves = {.version = PC_SEGMENT_VERSION, .restart = GOES_ON_ASKED};
	pid_t pid = start_host(moves);

	(void)state;
	expect(0, "restore --timeout 20s %d", pid);
	expect(0, "stat --csv %d", pid);
	assert_int_equal(csv_value("drains"), 1);
	expect(0, "set %d hotness=probe", pid);
	end_host(pid);
}

/* A series goes on with what the pager counts after its restart, which is 100 ms after its start. */
static void readers_follow_a_restart(void **state)
{
	struct behaviour moves = {.version = PC_SEGMENT_VERSION, .restart = GOES_ON};
	pid_t pid = start_host(moves);

	(void)state;
	expect(0, "stat --csv --interval 250ms --count 8 %d", pid);
	assert_int_equal(csv_value("pages_stored"), 77);
	end_host(pid);
}

static void run_builds_the_environment(void **state)
{
	Dl_info libc;
	char here[PATH_MAX], part[PATH_MAX + 64];

	(void)state;
	assert_true(dladdr((void *)(uintptr_t)getpid, &libc) != 0);
	assert_int_equal(setenv("PREDICOMP_LIBRARY", libc.dli_fname, 1), 0);
	assert_int_equal(setenv("LD_PRELOAD", "libc.so.6", 1), 0);
	expect(0, "run --cold-age=2s --csv=x.csv --summary stderr env", 0);
	assert_says(outcome.out, "PREDICOMP_COLD_AGE=2s\n");
	assert_says(outcome.out, "PREDICOMP_SUMMARY=stderr\n");
	snprintf(part, sizeof(part), "PREDICOMP_CSV=%s/x.csv\n", getcwd(here, sizeof(here)));
	assert_says(outcome.out, part);
	assert_says(outcome.out, ":libc.so.6\n");
	assert_null(strstr(outcome.out, "PREDICOMP_LIBRARY"));
	expect(3, "run -- sh -c exit${IFS}3", 0);
	expect_refusal(127, "run no-such-program", 0, "no-such-program: No such file");
	expect_refusal(126, "run /", 0, "/: Permission denied");
	assert_int_equal(setenv("PREDICOMP_LIBRARY", "/no/such/library.so", 1), 0);
	expect_refusal(126, "run true", 0, "/no/such/library.so: No such file");
	unsetenv("PREDICOMP_LIBRARY");
	unsetenv("LD_PRELOAD");
}

/* Either answer is right, depending on where the test runs; it must be one, and say why. */
static void check_asks_the_library(void **state)
{
	char library[PATH_MAX + 32];
	bool usable;

	(void)state;
	snprintf(library, sizeof(library), "%.*slibpredicomp.so",
		 (int)(strlen(tool) - strlen("predicomp")), tool);
	if (access(library, R_OK) != 0)
		skip();
	assert_int_equal(setenv("PREDICOMP_ENABLE", "off", 1), 0); /* must not matter */
	assert_int_equal(setenv(LONG_NAME, "off", 1), 0);	   /* nor this */
	usable = run_as(0, "check", 0) == 0;
	assert_says(outcome.out, usable ? "programs can be managed here" : "not managed: ");
	if (usable)
		assert_says(outcome.out, "UFFDIO_MOVE");
	expect(usable ? 0 : 1, "check --json", 0);
	assert_says(outcome.out, usable ? "\"usable\": true" : "\"usable\": false");
	unsetenv("PREDICOMP_ENABLE");
	unsetenv(LONG_NAME);
}

static void usage_errors_are_two(void **state)
{
	(void)state;
	expect(2, "", 0);
	expect_refusal(2, "no-such-verb", 0, "not a verb");
	expect_refusal(2, "stat", 0, "one process number");
	expect_refusal(2, "stat 1 2", 0, "one process number");
	expect_refusal(2, "stat x", 0, "x is not a process number");
	expect_refusal(2, "stat --interval 0 1", 0, "0 is not a time");
	expect_refusal(2, "stat --count 0 1", 0, "0 is not a number");
	expect_refusal(2, "list x", 0, "no arguments");
	expect_refusal(2, "run", 0, "which program");
	expect_refusal(2, "run --cold-age=x true", 0, "0 to 24h");
	expect(2, "run --no-such-option true", 0);
	assert_says(outcome.err, "predicomp run --help");
}

static void every_verb_explains_itself(void **state)
{
	static const char *const verbs[] = {"run",   "list",   "stat", "top",  "restore",
					    "evict", "resume", "set",  "check"};
	char line[64], part[64];

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(verbs); i++) {
		snprintf(line, sizeof(line), "%s --help", verbs[i]);
		expect(0, line, 0);
		snprintf(part, sizeof(part), "usage: predicomp %s ", verbs[i]);
		assert_says(outcome.out, part);
	}
	expect(0, "--help", 0);
	for (size_t i = 0; i < PC_ARRAY_LEN(verbs); i++) {
		snprintf(part, sizeof(part), "\n  %-9s", verbs[i]);
		assert_says(outcome.out, part);
	}
	expect(0, "--version", 0);
	assert_says(outcome.out, "predicomp ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(list_shows_every_process),
	    cmocka_unit_test(stat_has_many_forms),
	    cmocka_unit_test(stat_repeats),
	    cmocka_unit_test(top_works_without_a_terminal),
	    cmocka_unit_test(refusals_are_told_apart),
	    cmocka_unit_test(readers_are_not_owners),
	    cmocka_unit_test(other_users_are_named),
	    cmocka_unit_test(restore_asks_and_waits),
	    cmocka_unit_test(set_changes_options),
	    cmocka_unit_test(a_pager_may_refuse),
	    cmocka_unit_test(silence_times_out),
	    cmocka_unit_test(death_ends_the_wait),
	    cmocka_unit_test(locks_of_the_dead_are_taken_over),
	    cmocka_unit_test(commands_follow_a_restart),
	    cmocka_unit_test(readers_follow_a_restart),
	    cmocka_unit_test(run_builds_the_environment),
	    cmocka_unit_test(check_asks_the_library),
	    cmocka_unit_test(usage_errors_are_two),
	    cmocka_unit_test(every_verb_explains_itself),
	};
	const char *build = getenv("TEST_BUILD");

	snprintf(tool, sizeof(tool), "%s/predicomp", build ? build : ".");
	if (access(tool, X_OK) != 0) {
		printf("SKIP: %s is missing: TEST_BUILD names the folder it was built in\n", tool);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
