#include "kernel/task.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "kernel/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#define NICE_BASE      20 /* the kernel gives it as 20 - nice, to be no error */
#define PF_IO_WORKER   0x00000010u
#define PF_USER_WORKER 0x00004000u
#define STAT_STATE     3
#define STAT_FLAGS     9
#define STAT_CPU       39

int task_each(task_fn *fn, void *arg)
{
	long fd = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return (int)fd;
	err = procfile_numbers((int)fd, fn, arg);
	sys_close((int)fd);
	return err;
}

/* Who is taken for dead is lost: it has to be said twice. */
bool task_alive(int tid)
{
	const siginfo_t nothing = {.si_code = SI_QUEUE};
	const long pid = sys_getpid();

	return SYS3(__NR_tgkill, pid, tid, 0) != -ESRCH ||
	       SYS4(__NR_rt_tgsigqueueinfo, pid, tid, 0, &nothing) != -ESRCH;
}

int64_t task_robust_list(int tid)
{
	uint64_t head = 0;
	size_t len = 0;
	long err = SYS3(__NR_get_robust_list, tid, &head, &len);

	return err < 0 ? err : (int64_t)head;
}

int task_open(int tid, const char *file, int flags)
{
	char path[64];
	struct text t = text_begin(path, sizeof(path));

	text_str(&t, "/proc/self/task/");
	text_u64(&t, (uint64_t)tid);
	text_char(&t, '/');
	text_str(&t, file);
	return (int)sys_open(path, flags | O_CLOEXEC);
}

struct stat_text {
	char text[1024];
};

/* Points at field `want` (from 1) of /proc/self/task/TID/stat; field 2, a name, may hold anything. */
static const char *stat_field(int tid, int want, struct stat_text *s)
{
	int fd = task_open(tid, "stat", O_RDONLY), field = 2;
	long n, i;

	if (fd < 0)
		return NULL;
	n = sys_read(fd, s->text, sizeof(s->text) - 1);
	sys_close(fd);
	if (n < 0)
		return NULL;
	s->text[n] = 0;
	for (i = n; i > 0 && s->text[i] != ')'; i--)
		;
	for (; i < n && field < want; i++)
		field += s->text[i] == ' ';
	return s->text + i;
}

static uint64_t number_at(const char *p)
{
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

bool task_is_kernel_made(int tid)
{
	struct stat_text s;
	const char *flags = stat_field(tid, STAT_FLAGS, &s);

	return flags && number_at(flags) & (PF_IO_WORKER | PF_USER_WORKER);
}

bool task_is_zombie(int tid)
{
	struct stat_text s;
	const char *state = stat_field(tid, STAT_STATE, &s);

	return state && (*state == 'Z' || *state == 'X');
}

int task_cpu(int tid)
{
	struct stat_text s;
	const char *cpu = stat_field(tid, STAT_CPU, &s);

	return cpu ? (int)number_at(cpu) : -ESRCH;
}

unsigned task_cpus(unsigned *cpu, unsigned max)
{
	uint64_t mask[TASK_CPU_WORDS] = {1};
	unsigned n = 0;

	SYS3(__NR_sched_getaffinity, 0, sizeof(mask), mask);
	for (unsigned i = 0; i < TASK_CPU_WORDS * 64 && n < max; i++)
		if (mask[i / 64] >> (i % 64) & 1)
			cpu[n++] = i;
	if (!n)
		cpu[n++] = 0;
	return n;
}

bool task_turn_note(struct task_turn *t)
{
	memset(t, 0, sizeof(*t));
	t->policy = (int)SYS1(__NR_sched_getscheduler, 0);
	t->nice = NICE_BASE - (int)SYS2(__NR_getpriority, PRIO_PROCESS, 0);
	return t->policy >= 0 && t->nice < NICE_BASE &&
	       SYS3(__NR_sched_getaffinity, 0, sizeof(t->cpus), t->cpus) > 0;
}

/* What is the same already is left: a cpuset that grows later is for those who never chose. */
bool task_turn_take(const struct task_turn *t)
{
	const struct sched_param none = {0};
	struct task_turn now;

	if (!task_turn_note(&now))
		return false;
	/* As after most forks: nothing was changed, and need not be looked at again. */
	if (memcmp(&now, t, sizeof(now)) == 0)
		return true;
	if (memcmp(now.cpus, t->cpus, sizeof(t->cpus)) != 0)
		SYS3(__NR_sched_setaffinity, 0, sizeof(t->cpus), t->cpus);
	if (now.policy != t->policy)
		SYS3(__NR_sched_setscheduler, 0, t->policy, &none);
	if (now.nice != t->nice)
		SYS3(__NR_setpriority, PRIO_PROCESS, 0, t->nice);
	return task_turn_note(&now) && memcmp(&now, t, sizeof(now)) == 0;
}

bool task_is_idle(const struct task_turn *t)
{
	return t->policy == SCHED_IDLE;
}

void task_pin(int tid, unsigned cpu)
{
	uint64_t mask[TASK_CPU_WORDS] = {0};

	mask[cpu / 64] = 1ull << (cpu % 64);
	SYS3(__NR_sched_setaffinity, tid, sizeof(mask), mask);
}

void task_let_run(int tid, int where)
{
	uint64_t mask[TASK_CPU_WORDS] = {0};

	if (SYS3(__NR_sched_getaffinity, where, sizeof(mask), mask) > 0)
		SYS3(__NR_sched_setaffinity, tid, sizeof(mask), mask);
}
