#include "kernel/pins.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>

#define O_DIRECT_BIT 040000u /* of the x86-64 ABI; fcntl.h shows O_DIRECT to GNU sources only */
#define LINK_MAX     64u     /* as much of a link as can decide */
#define PATH_MAX_FD  64u
#define MOUNTS_MAX   16u /* different mounts that files may be on */

static const char *const harmless[] = {
    "pipe:",
    "socket:",
    "pidfd:",
    "net:",
    "mnt:",
    "user:",
    "pid:",
    "ipc:",
    "uts:",
    "cgroup:",
    "time:",
    "anon_inode:[eventpoll]",
    "anon_inode:[eventfd]",
    "anon_inode:[timerfd]",
    "anon_inode:[signalfd]",
    "anon_inode:inotify",
    "anon_inode:[fanotify]",
    "anon_inode:[pidfd]",
    "/memfd:",
};

/* Those whose read(2) goes through the page cache, or copies. */
static const char cached[] =
    "ext2,ext3,ext4,xfs,btrfs,f2fs,bcachefs,zfs,jfs,reiserfs,minix,tmpfs,ramfs,rootfs,devtmpfs,"
    "overlay,squashfs,erofs,iso9660,udf,vfat,msdos,exfat,ntfs3,nfs,nfs4,proc,sysfs,devpts,cgroup,"
    "cgroup2,debugfs,tracefs,securityfs,bpf,configfs,mqueue,hugetlbfs,efivarfs,pstore,"
    "binfmt_misc,autofs,rpc_pipefs,romfs";

enum pin_verdict pins_judge_link(const char *link)
{
	for (size_t i = 0; i < PC_ARRAY_LEN(harmless); i++) {
		const char *at = link;

		if (scan_word(&at, harmless[i]))
			return PIN_NONE;
	}
	return *link == '/' ? PIN_ASK : PIN_SOME;
}

bool pins_judge_file_system(const char *type)
{
	return !text_list_has(cached, type);
}

/* Majors of the kernel's devices.txt: 1 memory, 4 and 5 terminals, 136 to 143 pseudo terminals. */
static bool harmless_device(unsigned major, unsigned minor)
{
	if (major == 1)
		return minor == 3 || minor == 5 || (minor >= 7 && minor <= 9) || minor == 11;
	return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

/* ---- one look at a table of descriptors ----------------------------------------------------- */

struct look {
	int tid;
	int dir;
	unsigned seen;
	unsigned mounts;
	uint64_t mount[MOUNTS_MAX];
	bool pinned;
	int err;
};

static bool note_mount(struct look *l, uint64_t id)
{
	for (unsigned i = 0; i < l->mounts; i++)
		if (l->mount[i] == id)
			return true;
	if (l->mounts == MOUNTS_MAX)
		return false;
	l->mount[l->mounts++] = id;
	return true;
}

struct file_facts {
	uint64_t flags, mount;
	bool have_flags, have_mount;
};

static bool read_fact(const char *line, void *arg)
{
	struct file_facts *f = arg;

	if (scan_word(&line, "flags:")) {
		scan_blanks(&line);
		f->have_flags = scan_oct(&line, &f->flags);
	} else if (scan_word(&line, "mnt_id:")) {
		scan_blanks(&line);
		f->have_mount = scan_dec(&line, &f->mount);
	}
	return !f->have_flags || !f->have_mount;
}

static bool plain_file(struct look *l, int fd)
{
	struct file_facts f = {0};
	char path[PATH_MAX_FD];
	struct text t = text_begin(path, sizeof(path));
	int err;

	text_str(&t, "/proc/self/task/");
	text_u64(&t, (uint64_t)l->tid);
	text_str(&t, "/fdinfo/");
	text_u64(&t, (uint64_t)fd);
	err = procfile_lines(path, read_fact, &f);
	if (err || !f.have_flags || !f.have_mount)
		return err == -ENOENT; /* closed meanwhile */
	return !(f.flags & O_DIRECT_BIT) && note_mount(l, f.mount);
}

/* Without asking whoever serves the file: that may take for ever. */
static bool harmless_file(struct look *l, const char *name, int fd)
{
	struct statx s;
	long err = SYS6(__NR_statx, l->dir, name, AT_STATX_DONT_SYNC, STATX_TYPE, &s, 0);

	if (err)
		return err == -ENOENT;
	switch (s.stx_mode & S_IFMT) {
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	case S_IFCHR:
		return harmless_device(s.stx_rdev_major, s.stx_rdev_minor);
	case S_IFREG:
	case S_IFDIR:
		return plain_file(l, fd);
	}
	return false;
}

static bool look_at(int fd, void *arg)
{
	struct look *l = arg;
	char name[24], link[LINK_MAX];
	struct text t = text_begin(name, sizeof(name));
	long n;

	text_u64(&t, (uint64_t)fd);
	l->seen++;
	n = SYS4(__NR_readlinkat, l->dir, name, link, sizeof(link) - 1);
	if (n == -ENOENT)
		return true; /* closed since it was listed */
	link[PC_MAX(n, 0)] = 0;
	switch (n < 0 ? PIN_SOME : pins_judge_link(link)) {
	case PIN_NONE:
		return true;
	case PIN_ASK:
		l->pinned = !harmless_file(l, name, fd);
		break;
	case PIN_SOME:
		l->pinned = true;
	}
	return !l->pinned;
}

/* ---- what the files are on ------------------------------------------------------------------ */

struct mounts {
	const struct look *look;
	unsigned found;
	bool pinning;
};

/* "36 35 98:0 /root /at options [fields] - type source options": the type follows the dash. */
static const char *type_of(const char *line, char *type, size_t size)
{
	size_t n = 0;

	while (*line && !scan_word(&line, " - "))
		line++;
	while (line[n] && line[n] != ' ' && n + 1 < size) {
		type[n] = line[n];
		n++;
	}
	type[n] = 0;
	return type;
}

static bool judge_mount(const char *line, void *arg)
{
	struct mounts *m = arg;
	const char *at = line;
	char type[32];
	uint64_t id;

	if (!scan_dec(&at, &id))
		return true;
	for (unsigned i = 0; i < m->look->mounts; i++) {
		if (m->look->mount[i] != id)
			continue;
		m->found++;
		m->pinning |= pins_judge_file_system(type_of(line, type, sizeof(type)));
	}
	return !m->pinning && m->found < m->look->mounts;
}

/* A mount that is not listed belongs to somebody else's view of the files: nothing is known of it.
 */
static int judge_mounts(const struct look *l)
{
	struct mounts m = {.look = l};
	int err = l->mounts ? procfile_lines("/proc/thread-self/mountinfo", judge_mount, &m) : 0;

	if (err)
		return err;
	return m.pinning || m.found < l->mounts;
}

/* A thread that is ending has an empty table: that tells nothing. */
int pins_held(int tid)
{
	char path[PATH_MAX_FD];
	struct text t = text_begin(path, sizeof(path));
	struct look l = {.tid = tid};
	int err;

	text_str(&t, "/proc/self/task/");
	text_u64(&t, (uint64_t)tid);
	text_str(&t, "/fd");
	l.dir = (int)sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.dir < 0)
		return l.dir;
	err = procfile_numbers(l.dir, look_at, &l);
	sys_close(l.dir);
	if (err)
		return err;
	if (!l.seen)
		return -ENOENT;
	return l.pinned ? 1 : judge_mounts(&l);
}
