/*
 * Some 120 system calls, each on buffers at seven kinds of places, give the same result, the same
 * errno and the same bytes on memory that has left as on shared memory, which never leaves.
 */
#include "host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>

/* Descriptors at fixed numbers, so that they can stand in a table. */
enum {
	FILE_FD = 100,
	SINK_FD,
	PIPE_IN_FD,
	PIPE_OUT_FD,
	DGRAM_FD,
	DGRAM_PEER_FD,
	DIR_FD,
	EPOLL_FD,
	TIMER_FD,
	INOTIFY_FD,
	FIRST_FREE_FD
};

#define BUFFER (-770001L) /* stands for the address of the buffer */
#define LENGTH (-770002L) /* and for its length */
#define AT(x)  ((long)(uintptr_t)(x))

struct call {
	const char *name;
	long number;
	long arg[6];
	size_t len; /* of the buffer */
	void (*prepare)(char *buffer);
	bool vague; /* the bytes differ from call to call */
};

static char scrap[65536];
static struct iovec scrap_vector = {scrap, 3000};
static struct timespec no_time;
static socklen_t address_room;
static uint64_t no_signals;

/* ---- what calls read ------------------------------------------------------------------------- */

#define PREPARE(name, ...)                                                                         \
	static void name(char *buffer)                                                             \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
		memcpy(buffer, &v, sizeof(v));                                                     \
	}

PREPARE(path_of_file, char v[] = "/proc/self/exe")
PREPARE(path_to_nothing, char v[] = "/proc/self/nothing/of/the/kind")
PREPARE(path_of_root, char v[] = "/")
PREPARE(a_name, char v[] = "user.nothing")
PREPARE(a_vector, struct iovec v[3] = {{scrap, 100}, {scrap + 200, 300}, {scrap + 900, 50}})
PREPARE(a_message, struct msghdr v = {.msg_iov = &scrap_vector, .msg_iovlen = 1})
PREPARE(messages, struct mmsghdr v[2] = {{.msg_hdr = {.msg_iov = &scrap_vector, .msg_iovlen = 1}},
					 {.msg_hdr = {.msg_iov = &scrap_vector, .msg_iovlen = 1}}})
PREPARE(unix_nowhere, struct sockaddr_un v = {AF_UNIX, "/proc/self/nothing"})
PREPARE(any_port, struct sockaddr_in v = {.sin_family = AF_INET})
PREPARE(a_short_time, struct timespec v = {0, 1000})
PREPARE(a_wrong_time, struct timespec v = {0, 2000000000})
PREPARE(a_timeval, struct timeval v = {3, 5})
PREPARE(a_timer, struct itimerspec v = {{0, 0}, {1000, 0}})
PREPARE(no_timer, struct itimerval v = {{0, 0}, {0, 0}})
PREPARE(poll_set, struct pollfd v[4] = {{-1, POLLIN, 0},
					{PIPE_IN_FD, POLLIN, 0},
					{FILE_FD, POLLIN | POLLOUT, 0},
					{900, POLLIN, 0}})
PREPARE(a_set, fd_set v; FD_ZERO(&v); FD_SET(PIPE_IN_FD, &v); FD_SET(FILE_FD, &v))
PREPARE(an_event, struct epoll_event v = {.events = EPOLLIN, .data = {.u64 = 5}})
PREPARE(one_signal, uint64_t v = 1ull << (SIGUSR2 - 1))
PREPARE(number_five, uint64_t v = 5)
PREPARE(two_utimes, struct timespec v[2] = {{1, 2}, {3, 4}})
PREPARE(a_lock, struct flock v = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10})
PREPARE(own_caps, struct __user_cap_header_struct v = {_LINUX_CAPABILITY_VERSION_3, 0})
PREPARE(open_how, struct open_how v = {.flags = O_RDONLY})
PREPARE(every_cpu, uint64_t v[16]; memset(v, 0xff, sizeof(v)))
PREPARE(a_limit, struct rlimit v = {0, RLIM_INFINITY}; getrlimit(RLIMIT_CORE, &v))
PREPARE(
    an_action, struct {
	    void *handler;
	    unsigned long flags;
	    void *restorer;
	    uint64_t mask;
    } v = {(void *)1, 0, NULL, 0}) /* SIG_IGN */
PREPARE(a_long_length, socklen_t v = sizeof(struct sockaddr_un))
PREPARE(a_sigevent, sigevent_t v = {.sigev_notify = SIGEV_NONE})

static void text(char *buffer)
{
	for (unsigned i = 0; i < 4096; i++)
		buffer[i] = (char)('a' + i % 23);
}

/* ---- the calls ------------------------------------------------------------------------------- */

#define NR(name) #name, SYS_##name

static const struct call calls[] = {
    /* the kernel writes */
    {NR(read), {FILE_FD, BUFFER, LENGTH}, 5000, NULL, false},
    {NR(pread64), {FILE_FD, BUFFER, LENGTH, 70}, 3000, NULL, false},
    {NR(recvfrom), {DGRAM_FD, BUFFER, LENGTH, MSG_DONTWAIT, 0, 0}, 2000, NULL, false},
    {"read of a pipe", SYS_read, {PIPE_IN_FD, BUFFER, LENGTH}, 600, NULL, false},
    {"read of a timer", SYS_read, {TIMER_FD, BUFFER, LENGTH}, 8, NULL, true},
    {"ioctl FIONREAD", SYS_ioctl, {PIPE_IN_FD, FIONREAD, BUFFER}, 4, NULL, false},
    {"ioctl TIOCGWINSZ", SYS_ioctl, {FILE_FD, TIOCGWINSZ, BUFFER}, 8, NULL, false},
    {NR(fstat), {FILE_FD, BUFFER}, sizeof(struct stat), NULL, true},
    {NR(newfstatat), {AT_FDCWD, AT("/"), BUFFER, 0}, sizeof(struct stat), NULL, true},
    {NR(statx), {AT_FDCWD, AT("/"), 0, STATX_TYPE, BUFFER}, sizeof(struct statx), NULL, true},
    {NR(fstatfs), {FILE_FD, BUFFER}, sizeof(struct statfs), NULL, true},
    {NR(readlink), {AT("/proc/self/exe"), BUFFER, LENGTH}, 400, NULL, false},
    {NR(getcwd), {BUFFER, LENGTH}, 4096, NULL, false},
    {NR(getdents64), {DIR_FD, BUFFER, LENGTH}, 2000, NULL, false},
    {NR(uname), {BUFFER}, sizeof(struct utsname), NULL, false},
    {NR(sysinfo), {BUFFER}, sizeof(struct sysinfo), NULL, true},
    {NR(getrusage), {RUSAGE_SELF, BUFFER}, sizeof(struct rusage), NULL, true},
    {NR(times), {BUFFER}, sizeof(struct tms), NULL, true},
    {NR(gettimeofday), {BUFFER, 0}, sizeof(struct timeval), NULL, true},
    {NR(clock_gettime), {CLOCK_REALTIME, BUFFER}, sizeof(struct timespec), NULL, true},
    {NR(clock_getres), {CLOCK_MONOTONIC, BUFFER}, sizeof(struct timespec), NULL, false},
    {NR(getrandom), {BUFFER, LENGTH, 0}, 3000, NULL, true},
    {NR(getrlimit), {RLIMIT_NOFILE, BUFFER}, sizeof(struct rlimit), NULL, false},
    {NR(prlimit64), {0, RLIMIT_CORE, 0, BUFFER}, sizeof(struct rlimit), NULL, false},
    {NR(getgroups), {100, BUFFER}, 400, NULL, false},
    {NR(getresuid), {BUFFER, AT(scrap), AT(scrap)}, 4, NULL, false},
    {NR(getitimer), {ITIMER_REAL, BUFFER}, sizeof(struct itimerval), NULL, false},
    {NR(getsockname), {DGRAM_FD, BUFFER, AT(&address_room)}, 110, NULL, false},
    {NR(getpeername), {DGRAM_FD, BUFFER, AT(&address_room)}, 110, NULL, false},
    {NR(getsockopt), {DGRAM_FD, SOL_SOCKET, SO_TYPE, BUFFER, AT(&address_room)}, 4, NULL, false},
    {NR(pipe2), {BUFFER, O_CLOEXEC}, 8, NULL, false},
    {NR(socketpair), {AF_UNIX, SOCK_STREAM, 0, BUFFER}, 8, NULL, false},
    {NR(epoll_wait), {EPOLL_FD, BUFFER, 8, 0}, 96, NULL, false},
    {NR(timerfd_gettime), {TIMER_FD, BUFFER}, sizeof(struct itimerspec), NULL, true},
    {NR(sched_getaffinity), {0, 128, BUFFER}, 128, NULL, false},
    {NR(sched_getparam), {0, BUFFER}, 4, NULL, false},
    {NR(sched_getattr), {0, BUFFER, 56, 0}, 56, NULL, false},
    {NR(sched_rr_get_interval), {0, BUFFER}, sizeof(struct timespec), NULL, true},
    {NR(getcpu), {BUFFER, 0, 0}, 4, NULL, true},
    {NR(rt_sigpending), {BUFFER, 8}, 8, NULL, false},
    {"sigaltstack, old", SYS_sigaltstack, {0, BUFFER}, sizeof(stack_t), NULL, false},
    {"rt_sigaction, old", SYS_rt_sigaction, {SIGUSR2, 0, BUFFER, 8}, 32, NULL, true},
    {"rt_sigprocmask, old", SYS_rt_sigprocmask, {SIG_BLOCK, 0, BUFFER, 8}, 8, NULL, false},
    {NR(wait4), {-1, BUFFER, WNOHANG, 0}, 4, NULL, false},
    {NR(waitid), {P_ALL, 0, BUFFER, WEXITED | WNOHANG, 0}, 128, NULL, false},
    {NR(mincore), {AT(scrap), 0, BUFFER}, 1, NULL, true},
    {"prctl PR_GET_NAME", SYS_prctl, {PR_GET_NAME, BUFFER}, 16, NULL, false},
    {"prctl PR_GET_PDEATHSIG", SYS_prctl, {PR_GET_PDEATHSIG, BUFFER}, 4, NULL, false},
    {NR(get_robust_list), {0, BUFFER, AT(scrap)}, 8, NULL, true},
    {"fcntl F_GETOWN_EX", SYS_fcntl, {PIPE_IN_FD, 16, BUFFER}, 8, NULL, false},
    {NR(flistxattr), {FILE_FD, BUFFER, LENGTH}, 100, NULL, false},
    {"read of inotify", SYS_read, {INOTIFY_FD, BUFFER, LENGTH}, 100, NULL, false},
    {NR(io_setup), {4, BUFFER}, 8, number_five, true},

    /* the kernel reads */
    {NR(write), {SINK_FD, BUFFER, LENGTH}, 4096, text, false},
    {NR(pwrite64), {SINK_FD, BUFFER, LENGTH, 100}, 4096, text, false},
    {"write to a pipe", SYS_write, {PIPE_OUT_FD, BUFFER, LENGTH}, 4096, text, false},
    {NR(sendto), {DGRAM_PEER_FD, BUFFER, LENGTH, MSG_DONTWAIT, 0, 0}, 4096, text, false},
    {NR(readv), {FILE_FD, BUFFER, 3}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(writev), {SINK_FD, BUFFER, 3}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(preadv), {FILE_FD, BUFFER, 3, 5, 0}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(pwritev), {SINK_FD, BUFFER, 3, 5, 0}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(preadv2), {FILE_FD, BUFFER, 3, 5, 0, 0}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(vmsplice), {PIPE_OUT_FD, BUFFER, 3, 0}, sizeof(struct iovec) * 3, a_vector, false},
    {NR(sendmsg), {DGRAM_PEER_FD, BUFFER, MSG_DONTWAIT}, sizeof(struct msghdr), a_message, false},
    {NR(recvmsg), {DGRAM_FD, BUFFER, MSG_DONTWAIT}, sizeof(struct msghdr), a_message, false},
    {NR(sendmmsg),
     {DGRAM_PEER_FD, BUFFER, 2, MSG_DONTWAIT},
     2 * sizeof(struct mmsghdr),
     messages,
     false},
    {NR(recvmmsg),
     {DGRAM_FD, BUFFER, 2, MSG_DONTWAIT, 0},
     2 * sizeof(struct mmsghdr),
     messages,
     false},
    {NR(open), {BUFFER, O_RDONLY}, 15, path_of_file, false},
    {NR(openat), {AT_FDCWD, BUFFER, O_RDONLY}, 15, path_of_file, false},
    {NR(openat2), {AT_FDCWD, AT("/proc/self/exe"), BUFFER, 24}, 24, open_how, false},
    {NR(access), {BUFFER, R_OK}, 15, path_of_file, false},
    {NR(stat), {BUFFER, AT(scrap)}, 15, path_of_file, false},
    {NR(statfs), {BUFFER, AT(scrap)}, 15, path_of_file, false},
    {"readlink, path", SYS_readlink, {BUFFER, AT(scrap), 500}, 15, path_of_file, false},
    {NR(chdir), {BUFFER}, 31, path_to_nothing, false},
    {NR(mkdir), {BUFFER, 0700}, 31, path_to_nothing, false},
    {NR(unlink), {BUFFER}, 31, path_to_nothing, false},
    {NR(rename), {BUFFER, AT("/proc/self/nothing")}, 31, path_to_nothing, false},
    {NR(link), {BUFFER, AT("/proc/self/nothing")}, 31, path_to_nothing, false},
    {NR(symlink), {AT("x"), BUFFER}, 31, path_to_nothing, false},
    {NR(chmod), {BUFFER, 0600}, 31, path_to_nothing, false},
    {NR(truncate), {BUFFER, 0}, 31, path_to_nothing, false},
    {NR(mount), {AT("x"), BUFFER, AT("none"), 0, 0}, 31, path_to_nothing, false},
    {NR(execve), {BUFFER, 0, 0}, 31, path_to_nothing, false},
    {NR(inotify_add_watch), {FILE_FD, BUFFER, IN_OPEN}, 2, path_of_root, false},
    {NR(getxattr), {AT("/"), BUFFER, AT(scrap), 100}, 13, a_name, false},
    {NR(memfd_create), {BUFFER, 0}, 13, a_name, false},
    {"prctl PR_SET_NAME", SYS_prctl, {PR_SET_NAME, BUFFER}, 16, a_name, false},
    {NR(connect), {DGRAM_FD, BUFFER, LENGTH}, 110, unix_nowhere, false},
    {NR(bind), {FILE_FD, BUFFER, LENGTH}, 16, any_port, false},
    {NR(setsockopt), {DGRAM_FD, SOL_SOCKET, SO_SNDTIMEO, BUFFER, 16}, 16, a_timeval, false},
    {"getsockname, length",
     SYS_getsockname,
     {DGRAM_FD, AT(scrap), BUFFER},
     4,
     a_long_length,
     false},
    {NR(nanosleep), {BUFFER, 0}, 16, a_short_time, false},
    {"nanosleep, refused", SYS_nanosleep, {BUFFER, 0}, 16, a_wrong_time, false},
    {NR(clock_nanosleep), {CLOCK_MONOTONIC, 0, BUFFER, 0}, 16, a_short_time, false},
    {NR(setitimer), {ITIMER_VIRTUAL, BUFFER, 0}, sizeof(struct itimerval), no_timer, false},
    {NR(timerfd_settime), {TIMER_FD, 0, BUFFER, 0}, sizeof(struct itimerspec), a_timer, false},
    {NR(timer_create), {CLOCK_MONOTONIC, BUFFER, AT(scrap)}, 64, a_sigevent, false},
    {NR(poll), {BUFFER, 4, 0}, 32, poll_set, false},
    {NR(ppoll), {BUFFER, 4, AT(&no_time), 0, 8}, 32, poll_set, false},
    {"ppoll, time", SYS_ppoll, {0, 0, BUFFER, 0, 8}, 16, a_short_time, false},
    {NR(select), {FIRST_FREE_FD, BUFFER, 0, 0, AT(scrap + 60000)}, 16, a_set, false},
    {NR(pselect6), {FIRST_FREE_FD, BUFFER, 0, 0, AT(&no_time), 0}, 16, a_set, false},
    {"epoll_ctl, refused",
     SYS_epoll_ctl,
     {EPOLL_FD, EPOLL_CTL_ADD, FILE_FD, BUFFER},
     12,
     an_event,
     false},
    {NR(epoll_ctl), {EPOLL_FD, EPOLL_CTL_MOD, PIPE_IN_FD, BUFFER}, 12, an_event, false},
    {"futex, wrong value",
     SYS_futex,
     {BUFFER, FUTEX_WAIT_PRIVATE, 6, AT(&no_time)},
     4,
     number_five,
     false},
    {"futex, time over",
     SYS_futex,
     {BUFFER, FUTEX_WAIT_PRIVATE, 5, AT(&no_time)},
     4,
     number_five,
     false},
    {NR(rt_sigprocmask), {SIG_UNBLOCK, BUFFER, 0, 8}, 8, one_signal, false},
    {NR(rt_sigaction), {SIGUSR2, BUFFER, 0, 8}, 32, an_action, false},
    {NR(rt_sigtimedwait), {BUFFER, 0, AT(&no_time), 8}, 8, one_signal, false},
    {NR(signalfd4), {-1, BUFFER, 8, SFD_CLOEXEC}, 8, one_signal, false},
    {NR(utimensat), {FILE_FD, 0, BUFFER, 0}, 32, two_utimes, false},
    {"fcntl F_SETLK", SYS_fcntl, {FILE_FD, F_SETLK, BUFFER}, sizeof(struct flock), a_lock, false},
    {"fcntl F_GETLK", SYS_fcntl, {FILE_FD, F_GETLK, BUFFER}, sizeof(struct flock), a_lock, false},
    {NR(sendfile), {SINK_FD, FILE_FD, BUFFER, 100}, 8, number_five, false},
    {NR(copy_file_range), {FILE_FD, BUFFER, SINK_FD, 0, 100, 0}, 8, number_five, false},
    {NR(splice), {FILE_FD, BUFFER, PIPE_OUT_FD, 0, 100, 0}, 8, number_five, false},
    {NR(capget), {BUFFER, AT(scrap)}, 8, own_caps, false},
    {NR(sched_setaffinity), {0, 128, BUFFER}, 128, every_cpu, false},
    {NR(setrlimit), {RLIMIT_CORE, BUFFER}, sizeof(struct rlimit), a_limit, false},
    {NR(process_vm_writev), {0, BUFFER, 3, BUFFER, 3, 0}, 48, a_vector, false},
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* ---- the state that calls meet --------------------------------------------------------------- */

static void place(int fd, int number)
{
	HOST_CHECK(fd >= 0 && dup2(fd, number) == number);
	close(fd);
}

static int file_with_text(void)
{
	int fd = memfd_create("text", 0);

	text(scrap);
	for (unsigned i = 0; i < 4; i++)
		HOST_CHECK(write(fd, scrap, 4096) == 4096);
	return fd;
}

static void open_all(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = 9}};
	int pair[2];

	place(file_with_text(), FILE_FD);
	place(memfd_create("sink", 0), SINK_FD);
	HOST_CHECK(pipe2(pair, O_NONBLOCK) == 0);
	place(pair[0], PIPE_IN_FD);
	place(pair[1], PIPE_OUT_FD);
	HOST_CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	place(pair[0], DGRAM_FD);
	place(pair[1], DGRAM_PEER_FD);
	place(open("/proc/self/ns", O_RDONLY | O_DIRECTORY), DIR_FD);
	place(epoll_create1(0), EPOLL_FD);
	place(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), TIMER_FD);
	place(inotify_init1(IN_NONBLOCK), INOTIFY_FD);
	HOST_CHECK(epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, PIPE_IN_FD, &event) == 0);
}

static void close_all(void)
{
	closefrom(3);
}

/* The same before each call: 300 bytes in the pipe, one datagram, offsets at the beginning. */
static void reset(void)
{
	struct itimerspec soon = {{0, 1}, {0, 1}};

	close_all();
	open_all();
	memset(scrap, 0, sizeof(scrap));
	text(scrap);
	memset(scrap + 60000, 0, 64);
	address_room = sizeof(struct sockaddr_un);
	HOST_CHECK(lseek(FILE_FD, 0, SEEK_SET) == 0);
	HOST_CHECK(write(PIPE_OUT_FD, scrap, 300) == 300);
	HOST_CHECK(send(DGRAM_PEER_FD, scrap, 700, 0) == 700);
	HOST_CHECK(timerfd_settime(TIMER_FD, 0, &soon, NULL) == 0);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, 8);
}

/* ---- where buffers lie ----------------------------------------------------------------------- */

enum place { INSIDE, ACROSS, OVER_THE_EDGE, ENDS_AT_EDGE, FORBIDDEN, READ_ONLY, NOWHERE, PLACES };

static const char *const place_name[] = {"inside",	"across two pages", "over the edge",
					 "at the edge", "forbidden",	    "read only",
					 "nowhere"};

#define AREA_PAGES 6u /* the last one is never accessible */
#define AREA	   (AREA_PAGES * PAGE)
#define EDGE	   (AREA - PAGE)

static char *buffer_in(char *area, enum place place, size_t len)
{
	switch (place) {
	case ACROSS:
		return area + 2 * PAGE - (len + 1) / 2;
	case OVER_THE_EDGE:
		return area + EDGE - len / 2;
	case ENDS_AT_EDGE:
		return area + EDGE - len;
	default:
		return area + PAGE + 64;
	}
}

static void fill(char *area, enum place place, const struct call *call)
{
	char image[2 * PAGE];
	char *buffer = buffer_in(area, place, call->len);
	size_t room = (size_t)(area + EDGE - buffer);

	memset(image, 0, sizeof(image));
	host_fill(area, EDGE, 3);
	if (!call->prepare)
		return;
	call->prepare(image);
	memcpy(buffer, image, call->len < room ? call->len : room);
}

static void protect(char *area, enum place place)
{
	HOST_CHECK(mprotect(area + EDGE, PAGE, PROT_NONE) == 0);
	if (place == FORBIDDEN)
		HOST_CHECK(mprotect(area, EDGE, PROT_NONE) == 0);
	if (place == READ_ONLY)
		HOST_CHECK(mprotect(area, EDGE, PROT_READ) == 0);
}

static void unprotect(char *area)
{
	HOST_CHECK(mprotect(area, AREA, PROT_READ | PROT_WRITE) == 0);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static long make(const struct call *call, char *buffer)
{
	long a[6], ret;

	for (unsigned i = 0; i < 6; i++)
		a[i] = call->arg[i] == BUFFER	? AT(buffer)
		       : call->arg[i] == LENGTH ? (long)call->len
						: call->arg[i];
	errno = 0;
	ret = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return ret == -1 ? -errno : ret;
}

static long make_at(const struct call *call, char *area, enum place place)
{
	char *buffer = place == NOWHERE ? (char *)24 : buffer_in(area, place, call->len);

	reset();
	return make(call, buffer);
}

static bool same_result(const struct call *call, long a, long b)
{
	/* Times are of the moment. */
	return a == b || (call->number == SYS_times && a > 0 && b > 0);
}

static void compare(const struct call *call, enum place place, char *shared, char *packed)
{
	long plain, cold;

	protect(shared, place);
	protect(packed, place);
	plain = make_at(call, shared, place);
	cold = make_at(call, packed, place);
	if (!same_result(call, plain, cold))
		HOST_FAIL("%s, buffer %s: %ld, and %ld in packed memory", call->name,
			  place_name[place], plain, cold);
	unprotect(shared);
	unprotect(packed);
	if (!call->vague && memcmp(shared, packed, EDGE))
		HOST_FAIL("%s, buffer %s: other bytes in packed memory", call->name,
			  place_name[place]);
}

int main(void)
{
	const size_t len = CALLS * PLACES * AREA;
	char *shared, *packed;

	shared = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	HOST_CHECK(shared != MAP_FAILED);
	packed = host_cold(len, 1); /* it can leave at all */
	for (size_t i = 0; i < CALLS * PLACES; i++) {
		fill(shared + i * AREA, (enum place)(i % PLACES), &calls[i / PLACES]);
		fill(packed + i * AREA, (enum place)(i % PLACES), &calls[i / PLACES]);
	}
	host_let_leave(packed, len);
	host_nap();
	for (size_t i = 0; i < CALLS * PLACES; i++)
		compare(&calls[i / PLACES], (enum place)(i % PLACES), shared + i * AREA,
			packed + i * AREA);
	printf("%zu calls, %d places\n", CALLS, PLACES);
	return 0;
}
