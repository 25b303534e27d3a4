/*
 * A program with threads that changes who it is for a while, and comes back, as servers do that act for
 * their users: each call answers as without the library and takes hold of the same threads, and packed
 * memory reads right, by whoever the program is then. Nobody in the process stays who it was, be it a
 * thread of the program or not.
 */
#include "host.h"
#include "support/tasks.h"

#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#define LEN	(4 * MIB)
#define THREADS 4
#define NOBODY	65534
#define AS_IS	((uid_t)-1)

/* libc's, of which no header of its own tells. */
int capset(cap_user_header_t head, const struct __user_cap_data_struct *data);

/* ---- threads of the program ----------------------------------------------------------------- */

static char *memory;
static _Atomic bool enough;
static int tids[THREADS + 1];
static pthread_barrier_t ready;

/* Half of them touch some of the packed memory all the while, the others sleep. */
static void *be_there(void *arg)
{
	const unsigned n = (unsigned)(uintptr_t)arg;

	tids[n] = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&ready);
	for (size_t p = n * PAGE; !enough; p = (p + 5 * PAGE) % (LEN / 8)) {
		HOST_CHECK(n % 2 || host_page_begins(memory, p, 1));
		host_sleep_ms(1);
	}
	return NULL;
}

/* What the kernel says of one thread, a line of /proc/self/task/TID/status for each word of it. */
static void show_thread(unsigned n)
{
	static const char *const fields[] = {"Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:"};
	char task[16], line[512];
	FILE *f;

	snprintf(task, sizeof(task), "%d", tids[n]);
	f = task_status(task);
	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f))
		for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			if (!strncmp(line, fields[i], strlen(fields[i])))
				printf("  thread %u %s", n, line);
	fclose(f);
}

static void show_threads(void)
{
	for (unsigned i = 0; i <= THREADS; i++)
		show_thread(i);
}

struct who {
	unsigned uid[3], gid[3]; /* real, effective, saved */
	char groups[64];
};

/* False when there is no such thread any more. */
static bool ask_who(const char *task, struct who *who)
{
	char line[512];
	unsigned found = 0;
	FILE *f = task_status(task);

	*who = (struct who){0};
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		found +=
		    sscanf(line, "Uid: %u %u %u", &who->uid[0], &who->uid[1], &who->uid[2]) == 3;
		found +=
		    sscanf(line, "Gid: %u %u %u", &who->gid[0], &who->gid[1], &who->gid[2]) == 3;
		if (strncmp(line, "Groups:", 7) != 0)
			continue;
		snprintf(who->groups, sizeof(who->groups), "%.60s", line + 7);
		found++;
	}
	fclose(f);
	return found == 3;
}

static void check_all_threads(void)
{
	struct who first, other;
	char main_task[16];
	DIR *d = tasks_open();
	const char *task;

	snprintf(main_task, sizeof(main_task), "%d", tids[0]);
	HOST_CHECK(ask_who(main_task, &first));
	while ((task = tasks_next(d)))
		if (ask_who(task, &other))
			HOST_CHECK(memcmp(&first, &other, sizeof(first)) == 0);
	closedir(d);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static const gid_t some[] = {7, 8, 9};

/* Of the calling thread alone: one capability is put aside, or taken up again. */
static int have_sys_time(bool on)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	const uint32_t bit = 1u << CAP_SYS_TIME;

	HOST_CHECK(syscall(SYS_capget, &head, data) == 0);
	data[0].effective = on ? data[0].effective | bit : data[0].effective & ~bit;
	return capset(&head, data);
}

/*
 * In this order; each with its words is what is printed. A program that is not root at the moment is
 * refused most of it.
 */
/* clang-format off */
#define CALLS(X)                                                                                   \
	X(setgroups(3, some))                                                                      \
	X(initgroups("root", 0))                                                                   \
	X(initgroups("no such user", 11))                                                          \
	X(setgroups(1ul << 20, some))                                                              \
	X(setgroups(0, NULL))                                                                      \
	X(setegid(NOBODY))                                                                         \
	X(setegid(0))                                                                              \
	X(setregid(1, 2))                                                                          \
	X(setregid(0, 0))                                                                          \
	X(setresgid(1, 2, 3))                                                                      \
	X(setresgid(AS_IS, 0, AS_IS))                                                              \
	X(setgid(0))                                                                               \
	X(seteuid(AS_IS))                                                                          \
	X(have_sys_time(false))                                                                    \
	X(have_sys_time(true))                                                                     \
	X(setfsgid(NOBODY))                                                                        \
	X(setfsuid(NOBODY))                                                                        \
	X(setfsuid(0))                                                                             \
	X(setfsgid(0))                                                                             \
	X(seteuid(NOBODY))                                                                         \
	X(setgroups(3, some))                                                                      \
	X(setgid(5))                                                                               \
	X(setuid(5))                                                                               \
	X(setresuid(5, 5, 5))                                                                      \
	X(have_sys_time(true))                                                                     \
	X(seteuid(0))                                                                              \
	X(setreuid(AS_IS, 1))                                                                      \
	X(setreuid(AS_IS, 0))                                                                      \
	X(setresuid(1, 2, 0))                                                                      \
	X(setresuid(2, 1, 0))                                                                      \
	X(setresuid(0, 0, 0))
/* clang-format on */

#define NAME(call) #call,
static const char *const names[] = {CALLS(NAME)};
#define COUNT (sizeof(names) / sizeof(names[0]))

static int make(unsigned n)
{
	unsigned i = 0;

#define MAKE(call)                                                                                 \
	if (i++ == n)                                                                              \
		return call;
	CALLS(MAKE)
	return 0;
}

/* A user who may have no userfaultfd keeps all that there is. Short, for there are many. */
static void turn_cold(void)
{
	const long patience = host_number("HOST_PATIENCE_MS", 50);
	const bool must = geteuid() == 0 && host_number("HOST_MUST_LEAVE", 0);

	host_fill(memory, LEN, 1);
	if (!host_wait_absent(memory, LEN, must ? patience : patience / 50) && must)
		HOST_FAIL("no page of %lu KiB left", LEN >> 10);
	host_sleep_ms(60);
}

static void one(unsigned n)
{
	int ret, err;

	turn_cold();
	errno = 0;
	ret = make(n);
	err = errno;
	printf("%s = %d, %s\n", names[n], ret, strerror(err));
	show_threads();
	check_all_threads();
	HOST_CHECK(host_same(memory, LEN, 1));
}

/* The calling thread alone is somebody else then. Last, for the library leaves such a program. */
static void by_number(void)
{
	turn_cold();
	HOST_CHECK(syscall(SYS_setresgid, 1, 2, 3) == 0);
	HOST_CHECK(syscall(SYS_setresuid, 1, 2, 0) == 0);
	show_threads();
	HOST_CHECK(host_same(memory, LEN, 1));
	HOST_CHECK(syscall(SYS_setresuid, 0, 0, 0) == 0);
	show_threads();
}

int main(void)
{
	pthread_t t[THREADS];

	if (getuid() != 0)
		HOST_SKIP("only root can be somebody else");
	memory = host_cold(LEN, 1);
	tids[0] = getpid();
	HOST_CHECK(pthread_barrier_init(&ready, NULL, THREADS + 1) == 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&t[i], NULL, be_there, (void *)(i + 1)) == 0);
	pthread_barrier_wait(&ready);
	for (unsigned n = 0; n < COUNT; n++)
		one(n);
	by_number();
	enough = true;
	for (unsigned i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(t[i], NULL) == 0);
	HOST_CHECK(host_same(memory, LEN, 1));
	return 0;
}
