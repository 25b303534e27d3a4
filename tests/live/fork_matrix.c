/*
 * Every way to fork, from every kind of place, into every kind of life, by chance: the child sees
 * what the parent had and the parent sees nothing of what the child did. Handlers of the program's
 * own look at packed memory on both sides. A fork that no hook can see ends the child that reads
 * packed memory; it never reads zeros.
 *
 * Nothing leaves in the fifth of a second after a fork, so one in WAITED is made when memory has left
 * again; in the others the child meets what its parent has just brought home.
 *
 * HOST_FORKS is how many forks; without it 1000 where the library must do something, or as many as
 * HOST_FORK_SECONDS (60) are enough for; else 30.
 */
#include "host.h"
#include "support/forks.h"
#include "support/ways.h"

#include <pthread.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LEN	      (4 * MIB)
#define BUSY	      32
#define STACK	      (256 * 1024ul)
#define WAITED	      20
#define AMONG_THREADS 50 /* one fork in so many is made while there are threads */

static char *memory;
static uint64_t randomness;
static uint64_t world_seed = 1; /* of the pattern in `memory` */
static long begun, met;		/* forks, and how many of them found memory away */

static unsigned roll(unsigned n)
{
	return (unsigned)(host_random(&randomness) >> 20) % n;
}

static void look(void)
{
	size_t page = roll(LEN / PAGE) * PAGE;

	HOST_CHECK(host_page_begins(memory, page, world_seed));
}

/* ---- lives --------------------------------------------------------------------------------- */

static void reads_all(void)
{
	HOST_CHECK(host_same(memory, LEN, world_seed));
}

static void reads_some(void)
{
	for (int i = 0; i < 20; i++)
		look();
}

static void writes_all(void)
{
	host_fill(memory, LEN, 77);
	HOST_CHECK(host_same(memory, LEN, 77));
}

static void writes_some(void)
{
	size_t at = roll(LEN / PAGE) * PAGE;

	memset(memory + at, 0x5a, PAGE);
	for (size_t p = 0; p < LEN; p += PAGE)
		HOST_CHECK(p == at || host_page_begins(memory, p, world_seed));
	HOST_CHECK(memory[at + PAGE - 1] == 0x5a);
}

static void discards(void)
{
	size_t at = roll(LEN / PAGE / 2) * PAGE;

	HOST_CHECK(madvise(memory + at, LEN / 2, MADV_DONTNEED) == 0);
	HOST_CHECK(host_zero(memory + at, LEN / 2));
	HOST_CHECK(munmap(memory + at, LEN / 2) == 0);
}

static void stays(void)
{
	host_sleep_ms(10);
	reads_all();
	host_fill(memory, LEN, 78);
	host_sleep_ms(10);
	HOST_CHECK(host_same(memory, LEN, 78));
}

static void does_nothing(void)
{
}

static void executes(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(127);
}

static void forks_again(void)
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		reads_all();
		writes_some();
		_exit(0);
	}
	reads_some();
	HOST_CHECK(host_reap(pid) == 0);
	reads_all();
}

/* As a daemon does: the grandchild outlives the child, and says how it went. */
static void is_outlived(void)
{
	char word = 0;
	int end[2];
	pid_t pid;

	HOST_CHECK(pipe(end) == 0);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		pid = fork();
		if (pid)
			_exit(pid < 0);
		setsid();
		reads_all();
		writes_all();
		HOST_CHECK(write(end[1], "k", 1) == 1);
		_exit(0);
	}
	close(end[1]);
	HOST_CHECK(host_reap(pid) == 0);
	HOST_CHECK(read(end[0], &word, 1) == 1 && word == 'k');
	close(end[0]);
}

/* No descriptor can be had, so the child cannot take over. */
static void has_no_descriptors(void)
{
	const struct rlimit none = {0, 0};
	pid_t pid;

	HOST_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		reads_all();
		writes_all();
		_exit(0);
	}
	HOST_CHECK(host_reap(pid) == 0);
	reads_all();
}

/*
 * A user that may not have a userfaultfd, nor one more thread than a child: the pager, whose
 * threads keep their rights, still serves this process, and can do nothing for its children. By the
 * bare instruction, for libc's calls make the pager stop first.
 */
static void may_do_nothing(void)
{
	const long user = 300000 + getpid();
	const struct rlimit two = {2, 2};

	if (bare6(SYS_setresgid, user, user, user, 0, 0, 0) ||
	    bare6(SYS_setresuid, user, user, user, 0, 0, 0))
		return;
	if (roll(2))
		HOST_CHECK(setrlimit(RLIMIT_NPROC, &two) == 0);
	forks_again();
}

static void (*const lives[])(void) = {
    reads_all, reads_some,   writes_all,  writes_some, discards,	   stays,
    executes,  does_nothing, forks_again, is_outlived, has_no_descriptors, may_do_nothing,
};

/* ---- ways ---------------------------------------------------------------------------------- */

/* The kernel writes the child's number to memory that is packed, on both sides. */
static pid_t *numbers;

static pid_t clone_with_numbers(void)
{
	const long flags = SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID;
	pid_t *in_parent = &numbers[0], *in_child = &numbers[PAGE / sizeof(pid_t)];
	pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, in_parent, in_child, 0);

	HOST_CHECK(pid ? *in_parent == pid : *in_child == getpid());
	return pid;
}

/* What the call is told lies there too. */
static pid_t clone3_by_number(void)
{
	struct clone_args *a = (struct clone_args *)&numbers[2 * PAGE / sizeof(pid_t)];
	pid_t *in_parent = &numbers[0], *in_child = &numbers[PAGE / sizeof(pid_t)];
	pid_t pid;

	*a = (struct clone_args){
	    .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
	    .exit_signal = SIGCHLD,
	    .parent_tid = (uint64_t)(uintptr_t)in_parent,
	    .child_tid = (uint64_t)(uintptr_t)in_child,
	};
	pid = (pid_t)syscall(SYS_clone3, a, sizeof(*a));
	if (pid < 0 && (errno == ENOSYS || errno == EPERM))
		return fork();
	HOST_CHECK(pid ? *in_parent == pid : *in_child == getpid());
	return pid;
}

static volatile pid_t forked;

static void handler(int sig)
{
	(void)sig;
	forked = fork();
}

static pid_t from_handler(void)
{
	raise(SIGUSR1);
	return forked;
}

/* The handler's stack is memory like any other, and was packed like any other. */
static pid_t from_handler_elsewhere(void)
{
	raise(SIGUSR2);
	return forked;
}

/* The first three are fork() itself. */
static pid_t (*const ways[])(void) = {
    fork_plainly,   from_handler,    from_handler_elsewhere, fork_barely,
    fork_by_number, clone_by_number, clone_with_numbers,     clone3_by_number,
};
#define BY_FORK	    3u
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static void (*life_of_clone)(void);

static int cloned(void *arg)
{
	(void)arg;
	life_of_clone();
	_exit(0);
}

static char *clone_stack;

static pid_t begin(unsigned way, void (*life)(void))
{
	pid_t pid;

	if (way == COUNT_OF(ways)) {
		life_of_clone = life;
		return clone(cloned, clone_stack + STACK, SIGCHLD, NULL);
	}
	pid = ways[way]();
	if (pid == 0) {
		life();
		_exit(0);
	}
	return pid;
}

/* ---- unseen -------------------------------------------------------------------------------- */

/* Packed memory is not there for the child of a fork that nobody saw. It never reads zeros. */
static void unseen(void)
{
	bool absent = host_absent(memory, LEN) == LEN / PAGE;
	pid_t pid = (pid_t)bare6(SYS_fork, 0, 0, 0, 0, 0, 0);
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(host_same(memory, LEN, world_seed) ? 0 : 1);
	}
	status = host_reap(pid);
	if (status != 0 && status != 128 + SIGSEGV)
		HOST_FAIL("the child of an unseen fork ended with %d", status);
	if (absent && status == 0 && host_absent(memory, LEN) == LEN / PAGE)
		HOST_FAIL("the child of an unseen fork had memory that was away");
}

/* ---- one of all ----------------------------------------------------------------------------- */

static void wait_or_not(void)
{
	if (begun++ % WAITED)
		return;
	host_let_leave(memory, LEN);
	/* Time for some to be packed. */
	if (roll(2))
		host_sleep_ms(20);
	met += host_absent(memory, LEN) > 0;
}

static void one(unsigned ways_allowed)
{
	unsigned way = roll(ways_allowed), life = roll(COUNT_OF(lives));
	pid_t pid;
	int status;

	wait_or_not();
	pid = begin(way, lives[life]);
	HOST_CHECK(pid > 0);
	if (roll(2))
		look();
	status = host_reap(pid);
	if (status)
		HOST_FAIL("way %u, life %u: the child ended with %d", way, life, status);
	if (roll(4) == 0)
		reads_all();
	if (roll(10) == 0) {
		host_fill(memory, LEN, ++world_seed);
		host_wait_absent(memory, LEN, 60);
	}
	if (roll(40) == 0)
		unseen();
}

/* ---- threads ------------------------------------------------------------------------------- */

static volatile bool enough;

static void *busy(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg << 32, dice = seed + 1;
	char *at = host_map(LEN / 64);

	for (unsigned n = 1; !enough; n++) {
		host_fill(at, LEN / 64, seed + n);
		free(malloc(host_random(&dice) % 200000));
		host_sleep_ms(2);
		HOST_CHECK(host_same(at, LEN / 64, seed + n));
	}
	munmap(at, LEN / 64);
	return NULL;
}

/* How many forks there was time for. */
static long among_threads(long forks, uint64_t until)
{
	pthread_t t[BUSY];
	long i = 0;

	for (uintptr_t k = 0; k < BUSY; k++)
		HOST_CHECK(pthread_create(&t[k], NULL, busy, (void *)k) == 0);
	/* The others would leave the child with locks of libc that are held by threads it has not.
	 */
	for (; i < forks && host_now_ms() < until; i++)
		one(BY_FORK);
	enough = true;
	for (unsigned k = 0; k < BUSY; k++)
		HOST_CHECK(pthread_join(t[k], NULL) == 0);
	return i;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void on(int sig, int flags)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = flags};

	HOST_CHECK(sigaction(sig, &a, NULL) == 0);
}

static void prepare(void)
{
	const struct rlimit none = {0, 0};
	stack_t elsewhere = {.ss_size = STACK};

	memory = host_cold(LEN, world_seed);
	numbers = host_cold(STACK, 4);
	clone_stack = host_cold(STACK, 5);
	elsewhere.ss_sp = host_cold(STACK, 6);
	HOST_CHECK(sigaltstack(&elsewhere, NULL) == 0);
	on(SIGUSR1, 0);
	on(SIGUSR2, SA_ONSTACK);
	HOST_CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	HOST_CHECK(pthread_atfork(look, look, look) == 0);
}

int main(void)
{
	long forks = host_number("HOST_FORKS", host_number("HOST_MUST_LEAVE", 0) ? 1000 : 30);
	uint64_t until = host_now_ms() + (uint64_t)host_number("HOST_FORK_SECONDS", 60) * 1000;
	long threaded = forks / AMONG_THREADS, i = 0;

	randomness = host_seed();
	prepare();
	unseen();
	for (; i < forks - threaded && host_now_ms() < until; i++)
		one(COUNT_OF(ways) + 1);
	threaded = among_threads(threaded, until + 10000);
	reads_all();
	fprintf(stderr, "figure: %ld forks and %ld among %d threads, %ld with memory away\n", i,
		threaded, BUSY, met);
	if (host_number("HOST_MUST_LEAVE", 0) && met < begun / WAITED / 4)
		HOST_FAIL("only %ld of %ld forks met packed memory", met, begun);
	return 0;
}
