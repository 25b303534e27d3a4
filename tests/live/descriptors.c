/*
 * The table of descriptors is the program's own: it is printed at every step, and must be the same
 * as without the library. Everything is closed, overwritten, passed on and used up in between, and
 * memory that had left must come back each time.
 */
#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LEN  (4 * MIB)
#define TALK 900  /* where standard output is kept while everything else is closed */
#define MANY 1024 /* numbers that are overwritten */
#define FEW  48

static char *memory;

static void say(const char *line)
{
	HOST_CHECK(write(TALK, line, strlen(line)) == (ssize_t)strlen(line));
}

/* One line: the number and the kind of each open descriptor, and its close-on-exec flag. */
static void print_table(const char *when)
{
	char line[4096];
	int n = snprintf(line, sizeof(line), "%s:", when);

	for (int fd = 0; fd < 2048 && n < 4000; fd++) {
		int flags = fcntl(fd, F_GETFD);
		struct stat st;

		if (flags < 0 || fstat(fd, &st))
			continue;
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %d:%o%s", fd,
			      (unsigned)(st.st_mode & S_IFMT), flags & FD_CLOEXEC ? "e" : "");
	}
	snprintf(line + n, sizeof(line) - (size_t)n, "\n");
	say(line);
}

/* What /proc shows is the same table: as many as fcntl() knows, and the one that reads it. */
static void proc_agrees(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned listed = 0, open_now = 0;
	struct dirent *e;

	HOST_CHECK(d);
	while ((e = readdir(d)))
		listed += e->d_name[0] != '.';
	for (int fd = 0; fd < 4096; fd++)
		open_now += fcntl(fd, F_GETFD) >= 0;
	HOST_CHECK(listed == open_now);
	closedir(d);
}

static void memory_is_right(const char *when)
{
	print_table(when);
	HOST_CHECK(host_same(memory, LEN, 1));
	host_fill(memory, LEN, 1);
	host_let_leave(memory, LEN);
}

/* Numbers are handed out from the lowest free one on. */
static void next_numbers(void)
{
	char line[200];
	int fd[6], n = snprintf(line, sizeof(line), "next:");

	for (unsigned i = 0; i < 6; i++) {
		fd[i] = open("/dev/null", O_RDONLY);
		HOST_CHECK(fd[i] >= 0);
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %d", fd[i]);
	}
	snprintf(line + n, sizeof(line) - (size_t)n, "\n");
	say(line);
	for (unsigned i = 0; i < 6; i++)
		close(fd[i]);
}

static void by_closefrom(void)
{
	closefrom(TALK + 1);
	for (int fd = 0; fd < TALK; fd++)
		close(fd);
}

static void by_close_range(void)
{
	HOST_CHECK(close_range(0, TALK - 1, 0) == 0);
	HOST_CHECK(close_range(TALK + 1, ~0u, 0) == 0);
}

static void by_number(void)
{
	HOST_CHECK(syscall(SYS_close_range, 0, TALK - 1, 0) == 0);
	HOST_CHECK(syscall(SYS_close_range, TALK + 1, ~0u, CLOSE_RANGE_UNSHARE) == 0);
}

static void by_flag(void)
{
	HOST_CHECK(close_range(0, ~0u, CLOSE_RANGE_CLOEXEC) == 0);
}

static void by_dup2(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < MANY; fd++)
		if (fd != TALK && fd != null)
			HOST_CHECK(dup2(null, fd) == fd);
	HOST_CHECK(close_range(0, TALK - 1, 0) == 0);
	HOST_CHECK(close_range(TALK + 1, ~0u, 0) == 0);
}

static void by_dup3(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < MANY; fd++)
		if (fd != TALK && fd != null)
			HOST_CHECK(syscall(SYS_dup3, null, fd, O_CLOEXEC) == fd);
	close(null);
}

static const struct {
	const char *name;
	void (*run)(void);
} abuses[] = {
    {"closefrom", by_closefrom},
    {"close_range", by_close_range},
    {"close_range by number", by_number},
    {"close_range, on exec", by_flag},
    {"dup2", by_dup2},
    {"dup3", by_dup3},
    {"closefrom again", by_closefrom},
};

/* As many as without the library, and memory comes back when there is no number left. */
static void use_up(void)
{
	struct rlimit limit, few;
	char line[64];
	int count = 0;

	HOST_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	few = (struct rlimit){FEW, limit.rlim_max};
	HOST_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	while (open("/dev/null", O_RDONLY) >= 0)
		count++;
	HOST_CHECK(errno == EMFILE);
	snprintf(line, sizeof(line), "%d until EMFILE\n", count);
	say(line);
	HOST_CHECK(host_same(memory, LEN, 1));
	host_fill(memory, LEN, 1);
	host_let_leave(memory, LEN);
	HOST_CHECK(host_same(memory, LEN, 1));
	close_range(0, FEW - 1, 0);
	HOST_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* Every descriptor that the process has can be handed to somebody else, message in packed memory.
 */
static void pass_on(void)
{
	char *control = host_cold(LEN, 4);
	struct cmsghdr *c = (struct cmsghdr *)(void *)(control + PAGE - 8);
	struct iovec v = {control + 3 * PAGE, 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = c,
			   .msg_controllen = CMSG_SPACE(sizeof(int))};
	int pair[2], fd;

	HOST_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), pair, sizeof(int));
	host_let_leave(control, LEN);
	HOST_CHECK(sendmsg(pair[0], &m, 0) == 1);
	memset(c, 0, CMSG_SPACE(sizeof(int)));
	host_let_leave(control, LEN);
	HOST_CHECK(recvmsg(pair[1], &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	HOST_CHECK(c->cmsg_type == SCM_RIGHTS && fcntl(fd, F_GETFD) >= 0);
	print_table("passed on");
	close(pair[0]);
	close(pair[1]);
	close(fd);
	munmap(control, LEN);
}

/* A program that is put in our place inherits what was not to be closed, and nothing else. */
static void after_exec(void)
{
	print_table("after exec");
	memory = host_cold(LEN, 1);
	memory_is_right("after exec, cold");
}

static void into_exec(char *self)
{
	char *const argv[] = {self, (char *)(uintptr_t) "again", NULL};
	int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

	HOST_CHECK(kept >= 0 && closed >= 0);
	HOST_CHECK(fcntl(TALK, F_SETFD, 0) == 0);
	print_table("before exec");
	execv("/proc/self/exe", argv);
	HOST_FAIL("exec: errno %d", errno);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		after_exec();
		return 0;
	}
	HOST_CHECK(dup2(1, TALK) == TALK);
	print_table("at first");
	memory = host_cold(LEN, 1);
	memory_is_right("cold");
	next_numbers();
	proc_agrees();
	for (size_t i = 0; i < sizeof(abuses) / sizeof(abuses[0]); i++) {
		abuses[i].run();
		memory_is_right(abuses[i].name);
		next_numbers();
		proc_agrees();
	}
	use_up();
	memory_is_right("used up and closed");
	pass_on();
	into_exec(argv[0]);
}
