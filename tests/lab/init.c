/*
 * init - process 1 of the guests that tools/lab starts: brings up the machine's own tree, runs one
 * command in it, and says what became of it.
 *
 * The host's root is a read-only 9p share below an overlay in memory, so a guest may write anywhere
 * and nothing of it reaches the host. Over /var/tmp lies an empty disk of the run's own. The
 * command's output crosses by virtio-serial ports, for the console is slow and mixes with the
 * kernel's own lines.
 *
 * WHAT THE HOST MAY BELIEVE  A status alone proves little: a machine that breaks down ends as QEMU
 * pleases. So the last thing said, on a port of its own, is the status with the number of bytes
 * that were written to the two others, and the machine then ends by a value that nothing else uses.
 * tools/lab takes all of it or none.
 *
 * /lab in the initramfs
 *   modules   paths of kernel modules, in the order in which they load
 *   job       lines: uid, gid, folder, folder of results or nothing, "tty" or nothing, then one
 *             argument after another, each ended by a NUL
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT	  "/root"
#define EXIT_PORT 0xf4
#define EXIT_CODE 42 /* QEMU ends with 2 * 42 + 1 */
#define ARGS_MAX  256
#define JOB_MAX	  (128 * 1024)

struct job {
	uid_t uid;
	gid_t gid;
	char *folder, *results;
	bool tty;
	char *argv[ARGS_MAX + 1];
};

struct stream {
	int from;
	int port;
	unsigned long long bytes;
};

/* --- the end -------------------------------------------------------------------------------- */

/* Without this the host sees a machine that went away, which is a failure as well. */
_Noreturn static void power_off(void)
{
	sync();
	if (ioperm(EXIT_PORT, 4, 1) == 0)
		outl(EXIT_CODE, EXIT_PORT);
	for (;;)
		pause();
}

/* To the console, which the host shows when there is no status. */
_Noreturn static void give_up(const char *what, const char *which)
{
	dprintf(2, "lab: %s %s: %s\n", what, which, strerror(errno));
	power_off();
}

static void complain(const char *what, const char *which)
{
	dprintf(2, "lab: %s %s: %s\n", what, which, strerror(errno));
}

/* --- the machine ---------------------------------------------------------------------------- */

static char text[JOB_MAX];

/* The file's text, until the next file is read. */
static char *slurp(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		give_up("open", path);
	*len = 0;
	while ((n = read(fd, text + *len, sizeof(text) - 1 - *len)) > 0)
		*len += (size_t)n;
	close(fd);
	text[*len] = '\0';
	return text;
}

static void load_modules(void)
{
	size_t len;

	for (char *path = strtok(slurp("/lab/modules", &len), "\n"); path;
	     path = strtok(NULL, "\n")) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
			complain("load", path);
		if (fd >= 0)
			close(fd);
	}
}

static void must_mount(const char *from, const char *at, const char *type, unsigned long flags,
		       const char *options)
{
	mkdir(at, 0755);
	if (mount(from, at, type, flags, options) != 0)
		give_up("mount", at);
}

/* Not every kernel has each of these; a test that misses one says so. */
static void may_mount(const char *at, const char *type)
{
	mkdir(at, 0755);
	mount(type, at, type, 0, NULL);
}

static void mount_host(void)
{
	const char share[] = "trans=virtio,version=9p2000.L,cache=loose,msize=512000";

	must_mount("host", "/host", "9p", MS_RDONLY, share);
	must_mount("tmpfs", "/memory", "tmpfs", 0, "mode=0755,size=75%");
	mkdir("/memory/upper", 0755);
	mkdir("/memory/work", 0755);
	must_mount("overlay", ROOT, "overlay", 0,
		   "lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work");
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Not over what the command needs. */
static void mount_disk(const struct job *job)
{
	if (is_below(job->folder, "/var/tmp") || is_below(job->results, "/var/tmp"))
		return;
	must_mount("/dev/vda", ROOT "/var/tmp", "ext4", MS_NOATIME, NULL);
	if (chmod(ROOT "/var/tmp", 01777) != 0)
		complain("chmod", "/var/tmp");
}

static void mount_kernel(void)
{
	must_mount("proc", ROOT "/proc", "proc", 0, NULL);
	must_mount("sysfs", ROOT "/sys", "sysfs", 0, NULL);
	must_mount("devtmpfs", ROOT "/dev", "devtmpfs", 0, NULL);
	must_mount("devpts", ROOT "/dev/pts", "devpts", 0, "ptmxmode=0666");
	must_mount("tmpfs", ROOT "/dev/shm", "tmpfs", 0, "mode=1777");
	must_mount("tmpfs", ROOT "/run", "tmpfs", 0, "mode=0755");
	may_mount(ROOT "/sys/kernel/tracing", "tracefs");
	may_mount(ROOT "/sys/kernel/debug", "debugfs");
	may_mount(ROOT "/sys/fs/cgroup", "cgroup2");
	may_mount(ROOT "/sys/fs/bpf", "bpf");
	if (symlink("/proc/self/fd", ROOT "/dev/fd") != 0)
		complain("link", "/dev/fd");
}

/* Below the overlay's root, so that the command sees it under the name it has on the host. */
static void mount_results(const struct job *job)
{
	char at[4096];

	if (!*job->results)
		return;
	snprintf(at, sizeof(at), ROOT "%s", job->results);
	must_mount("results", at, "9p", 0, "trans=virtio,version=9p2000.L,cache=mmap,msize=512000");
}

/* Servers of the tests listen there. */
static void raise_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		complain("raise", "lo");
	if (fd >= 0)
		close(fd);
}

/* Tests that would harm the machine of a person run only where this exists. */
static void leave_mark(void)
{
	int fd = open(ROOT "/run/predicomp-lab", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);

	if (fd < 0)
		give_up("create", "/run/predicomp-lab");
	close(fd);
}

/* --- the job -------------------------------------------------------------------------------- */

static char *take_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (!end) {
		errno = EINVAL;
		give_up("read", "/lab/job");
	}
	*end = '\0';
	*at = end + 1;
	return line;
}

static struct job read_job(void)
{
	struct job job = {0};
	size_t len, count = 0;
	char *at = slurp("/lab/job", &len);

	job.uid = (uid_t)atol(take_line(&at));
	job.gid = (gid_t)atol(take_line(&at));
	job.folder = take_line(&at);
	job.results = take_line(&at);
	job.tty = strcmp(take_line(&at), "tty") == 0;
	for (; at < text + len && count < ARGS_MAX; at += strlen(at) + 1)
		job.argv[count++] = at;
	return job;
}

static void set_environment(const struct job *job)
{
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", job->uid ? "/tmp" : "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TERM", job->tty ? "vt100" : "dumb", 1);
}

static void take_terminal(void)
{
	int fd = open("/dev/ttyS0", O_RDWR);

	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
		complain("take", "/dev/ttyS0");
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
}

static void take_pipes(int out, int err)
{
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(err, 2);
}

_Noreturn static void become(const struct job *job, int out, int err)
{
	setsid();
	if (chroot(ROOT) != 0 || chdir(job->folder) != 0)
		give_up("enter", job->folder);
	if (job->tty)
		take_terminal();
	else
		take_pipes(out, err);
	set_environment(job);
	if (setgroups(0, NULL) != 0 || setgid(job->gid) != 0 || setuid(job->uid) != 0)
		_exit(126);
	execvp(job->argv[0], job->argv);
	dprintf(2, "lab: %s: %s\n", job->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* --- its output ----------------------------------------------------------------------------- */

static bool port_is(const char *port, const char *name)
{
	char path[512], found[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, found, sizeof(found) - 1);
	close(fd);
	found[n > 0 ? n : 0] = '\0';
	found[strcspn(found, "\n")] = '\0';
	return strcmp(found, name) == 0;
}

/* The file of the port called `name`, or -1. */
static int find_port(const char *name)
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	struct dirent *port;
	char path[512];
	int fd = -1;

	while (ports && fd < 0 && (port = readdir(ports))) {
		if (!port_is(port->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", port->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (ports)
		closedir(ports);
	return fd;
}

/* They appear some time after their driver was loaded. */
static int must_open_port(const char *name)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	for (int tries = 0; tries < 1000; tries++) {
		int fd = find_port(name);

		if (fd >= 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	give_up("open port", name);
}

/* A port can be opened only once, so the command is given pipes and we write for it. */
static struct stream open_stream(const char *port, int *writer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		give_up("pipe", port);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*writer = ends[1];
	return (struct stream){.from = ends[0], .port = must_open_port(port)};
}

static void write_all(int fd, const char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno != EINTR)
			give_up("write to", "a port");
		if (n < 0)
			continue;
		from += n;
		len -= (size_t)n;
	}
}

/* All that is there now; false when nobody can write any more. */
static bool pump(struct stream *s)
{
	char part[65536];
	ssize_t n;

	while ((n = read(s->from, part, sizeof(part))) > 0) {
		write_all(s->port, part, (size_t)n);
		s->bytes += (unsigned long long)n;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Orphans come to process 1 too; only the command's own end counts. */
static bool has_ended(pid_t pid, int *status)
{
	pid_t who;

	while ((who = waitpid(-1, status, WNOHANG)) > 0)
		if (who == pid)
			return true;
	return false;
}

static void on_child(int sig)
{
	(void)sig;
}

/* What servers left behind hold open is not waited for: the command ended, and its output is here.
 */
static int watch(pid_t pid, struct stream streams[2])
{
	struct pollfd wait[2] = {{.fd = streams[0].from, .events = POLLIN},
				 {.fd = streams[1].from, .events = POLLIN}};
	int status;

	while (!has_ended(pid, &status)) {
		poll(wait, 2, 100);
		for (int i = 0; i < 2; i++)
			if (wait[i].fd >= 0 && !pump(&streams[i]))
				wait[i].fd = -1;
	}
	for (int i = 0; i < 2; i++)
		pump(&streams[i]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	struct sigaction child = {.sa_handler = on_child};
	struct stream streams[2];
	struct job job;
	int out, err, status;
	pid_t pid;

	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	must_mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	job = read_job();
	mount_host();
	mount_kernel();
	mount_disk(&job);
	mount_results(&job);
	raise_loopback();
	sethostname("lab", strlen("lab"));
	leave_mark();
	sigaction(SIGCHLD, &child, NULL);
	streams[0] = open_stream("out", &out);
	streams[1] = open_stream("err", &err);
	pid = fork();
	if (pid == 0)
		become(&job, out, err);
	close(out);
	close(err);
	if (pid < 0)
		give_up("fork for", job.argv[0]);
	status = watch(pid, streams);
	dprintf(must_open_port("status"), "status %d out %llu err %llu\n", status, streams[0].bytes,
		streams[1].bytes);
	power_off();
}
