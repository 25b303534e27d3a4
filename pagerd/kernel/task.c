#include "kernel/task.h"

#include "base/sys.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>

#define PF_IO_WORKER   0x00000010u
#define PF_USER_WORKER 0x00004000u
#define STAT_FLAGS     9
#define STAT_CPU       39

struct dirent64_head {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static bool each_entry(const char *buf, long n, task_fn *fn, void *arg)
{
	for (long at = 0; at < n;) {
		const struct dirent64_head *d = (const void *)(buf + at);
		uint64_t tid;

		at += d->reclen;
		if (parse_u64(d->name, &tid))
			continue; /* . and .. */
		if (!fn((int)tid, arg))
			return false;
	}
	return true;
}

int task_each(task_fn *fn, void *arg)
{
	char buf[2048] __attribute__((aligned(8)));
	long fd = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n = 0;

	if (fd < 0)
		return (int)fd;
	do
		n = SYS3(__NR_getdents64, fd, buf, sizeof(buf));
	while (n > 0 && each_entry(buf, n, fn, arg));
	sys_close((int)fd);
	return n < 0 ? (int)n : 0;
}

bool task_alive(int tid)
{
	return SYS3(__NR_tgkill, sys_getpid(), tid, 0) == 0;
}

int64_t task_robust_list(int tid)
{
	uint64_t head = 0;
	size_t len = 0;
	long err = SYS3(__NR_get_robust_list, tid, &head, &len);

	return err < 0 ? err : (int64_t)head;
}

/* Field `want` (from 1) of /proc/self/task/TID/stat; the name in field 2 may hold anything. */
static int stat_field(int tid, int want, uint64_t *out)
{
	char path[64], buf[1024];
	struct text t = text_begin(path, sizeof(path));
	long fd, n, i, field = 2;

	text_str(&t, "/proc/self/task/");
	text_u64(&t, (uint64_t)tid);
	text_str(&t, "/stat");
	fd = sys_open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	n = sys_read((int)fd, buf, sizeof(buf) - 1);
	sys_close((int)fd);
	if (n < 0)
		return (int)n;
	buf[n] = 0;
	for (i = n; i > 0 && buf[i] != ')'; i--)
		;
	for (; i < n && field < want; i++)
		field += buf[i] == ' ';
	for (*out = 0; i < n && buf[i] >= '0' && buf[i] <= '9'; i++)
		*out = *out * 10 + (uint64_t)(buf[i] - '0');
	return 0;
}

bool task_is_kernel_made(int tid)
{
	uint64_t flags;

	return !stat_field(tid, STAT_FLAGS, &flags) && (flags & (PF_IO_WORKER | PF_USER_WORKER));
}

int task_cpu(int tid)
{
	uint64_t cpu;
	int err = stat_field(tid, STAT_CPU, &cpu);

	return err ? err : (int)cpu;
}
