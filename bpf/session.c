#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define ADOPT_TRIES    100
#define ADOPT_PAUSE_NS 10000000

/* The last thing that libbpf complained of: the most exact reason there is. */
static char complaint[256];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(complaint, sizeof(complaint), format, args);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

static unsigned forgone; /* enum session_way */

void session_forgo(unsigned ways)
{
	forgone = ways;
}

static const struct place {
	const char *prefix;
	bool (*able)(const char *target);
	unsigned way;
} places[] = {
    {"tp_btf/", able_to_trace, 0},
    {"fentry/", able_to_enter, SESSION_FUNCTIONS},
    {"fexit/", able_to_enter, SESSION_FUNCTIONS},
    {"kprobe/", able_to_probe, SESSION_PROBES},
    {"kretprobe/", able_to_probe, SESSION_PROBES},
};

static bool is_possible(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const size_t length = strlen(places[i].prefix);

		if (strncmp(section, places[i].prefix, length) == 0)
			return !(places[i].way & forgone) && places[i].able(section + length);
	}
	return false;
}

const char *session_choose(struct bpf_program *const *ways, size_t count)
{
	struct unable why;

	if (able_to_load(&why) != 0)
		return NULL; /* session_load() will say so */
	for (size_t i = 0; i < count; i++) {
		if (is_possible(ways[i]) && bpf_program__set_autoload(ways[i], true) == 0)
			return bpf_program__section_name(ways[i]);
	}
	return NULL;
}

/*
 * libbpf switches programs of SEC("?...") off; those whose tracepoint is there are wanted. Those on
 * functions stand in for others, which session_choose() decides.
 */
static int choose_optional(struct bpf_object *object)
{
	struct bpf_program *program;
	int err;

	bpf_object__for_each_program(program, object)
	{
		const char *section = bpf_program__section_name(program);

		if (bpf_program__autoload(program) ||
		    strncmp(section, "tp_btf/", strlen("tp_btf/")) != 0 || !is_possible(program))
			continue;
		err = bpf_program__set_autoload(program, true);
		if (err)
			return err;
	}
	return 0;
}

int session_load(struct bpf_object_skeleton *skeleton, struct unable *why)
{
	int err = able_to_load(why);

	if (err)
		return err;
	libbpf_set_print(keep_complaint);
	complaint[0] = '\0';
	err = choose_optional(*skeleton->obj);
	if (!err)
		err = bpf_object__load_skeleton(skeleton);
	if (err)
		unable(why, err, "the kernel does not take the programs of %s: %s%s%s",
		       skeleton->name, strerror(-err), complaint[0] ? "; " : "", complaint);
	return err;
}

int session_attach(struct bpf_object_skeleton *skeleton, struct unable *why)
{
	int err;

	complaint[0] = '\0';
	err = bpf_object__attach_skeleton(skeleton);
	if (err)
		unable(why, err, "the programs of %s cannot be attached: %s%s%s", skeleton->name,
		       strerror(-err), complaint[0] ? "; " : "", complaint);
	return err;
}

/* Pieces never straddle two reads: the kernel hands out what one task wrote as a whole. */
static int read_pieces(int fd, size_t size, session_fn *fn, void *arg)
{
	char buf[16384];
	size_t held = 0;
	ssize_t n;

	while ((n = read(fd, buf + held, sizeof(buf) - held)) > 0 || (n < 0 && errno == EINTR)) {
		size_t at = 0;

		held += n > 0 ? (size_t)n : 0;
		for (; size && held - at >= size; at += size)
			fn(arg, buf + at);
		held = size ? held - at : 0;
		memmove(buf, buf + at, held);
	}
	return n < 0 ? -errno : 0;
}

int session_iterate(struct bpf_program *program, int pidfd, size_t size, session_fn *fn, void *arg)
{
	union bpf_iter_link_info one;
	struct bpf_iter_attach_opts opts;
	struct bpf_link *link;
	int fd, err;

	/* libbpf wants the padding zeroed too, which no initializer promises. */
	memset(&one, 0, sizeof(one));
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	if (pidfd >= 0) {
		one.task.pid_fd = (__u32)pidfd;
		opts.link_info = &one;
		opts.link_info_len = sizeof(one);
	}
	link = bpf_program__attach_iter(program, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? fd : read_pieces(fd, size, fn, arg);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

int session_adopt(struct bpf_program *follow_adopt, int pidfd, const __u64 *missed)
{
	const struct timespec pause = {.tv_nsec = ADOPT_PAUSE_NS};
	__u64 before;
	int err;

	for (int tries = 0; tries < ADOPT_TRIES; tries++) {
		before = __atomic_load_n(missed, __ATOMIC_RELAXED);
		err = session_iterate(follow_adopt, pidfd, 0, NULL, NULL);
		if (err || __atomic_load_n(missed, __ATOMIC_RELAXED) == before)
			return err;
		nanosleep(&pause, NULL);
	}
	return -ENOMEM;
}

int session_pidfd(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}
