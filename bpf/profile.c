#include "profile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profile.skel.h"
#include "session.h"

#define BPF_FOLDER 0xcafe4a11 /* the file system's magic number */

_Static_assert(sizeof(struct profile_header) <= sizeof(struct profile_sample),
	       "the header has the place of one sample");

struct profile {
	struct profile_bpf *skeleton;
};

int profile_open(struct profile **out, struct unable *why)
{
	struct profile *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return unable(why, -ENOMEM, "no memory");
	p->skeleton = profile_bpf__open();
	if (!p->skeleton) {
		err = unable(why, -errno, "the programs of profile cannot be opened: %m");
		goto fail;
	}
	err = session_load(p->skeleton->skeleton, why);
	if (err)
		goto fail;
	err = bpf_map_freeze(bpf_map__fd(p->skeleton->maps.samples));
	if (err) {
		unable(why, err, "the samples cannot be frozen: %s", strerror(-err));
		goto fail;
	}
	*out = p;
	return 0;
fail:
	profile_close(p);
	return err;
}

void profile_close(struct profile *p)
{
	profile_bpf__destroy(p->skeleton);
	free(p);
}

int profile_tick(struct profile *p, struct unable *why)
{
	int err = session_iterate(p->skeleton->progs.profile_tick, -1, 0, NULL, NULL);

	return err ? unable(why, err, "processes cannot be read: %s", strerror(-err)) : 0;
}

/* --- pins ----------------------------------------------------------------------------------- */

struct path {
	char s[PATH_MAX];
};

static struct path in(const char *folder, const char *name)
{
	struct path path;

	snprintf(path.s, sizeof(path.s), "%s/%s", folder, name);
	return path;
}

/* Elsewhere a file of the same name is somebody's own. */
static int check_folder(const char *folder, struct unable *why)
{
	struct statfs fs;

	if (statfs(folder, &fs) != 0)
		return unable(why, -errno, "%s: %m", folder);
	if ((unsigned long)fs.f_type == BPF_FOLDER)
		return 0;
	return unable(why, -EINVAL, "%s is not in a bpf file system: mount -t bpf bpf /sys/fs/bpf",
		      folder);
}

/* What it is made in must be a file system for pins. */
static int make_folder(const char *folder, struct unable *why)
{
	const bool made = mkdir(folder, 0755) == 0;
	int err;

	if (!made && errno != EEXIST)
		return unable(why, -errno, "%s: %m", folder);
	err = check_folder(folder, why);
	if (err && made)
		rmdir(folder);
	return err;
}

static int pin(struct bpf_map *map, const struct path *path, mode_t mode, struct unable *why)
{
	int err = bpf_map__pin(map, path->s);

	if (!err && chmod(path->s, mode) != 0) {
		err = -errno;
		unlink(path->s);
	}
	return err ? unable(why, err, "%s: %s", path->s, strerror(-err)) : 0;
}

int profile_pin(struct profile *p, const char *folder, struct unable *why)
{
	const struct path samples = in(folder, "samples"), registered = in(folder, "registered");
	int err = make_folder(folder, why);

	if (err)
		return err;
	if (access(samples.s, F_OK) == 0)
		return unable(why, -EEXIST,
			      "%s is there: a sampler runs, or one was killed; predicomp profile "
			      "unpin takes it away",
			      samples.s);
	err = pin(p->skeleton->maps.samples, &samples, 0666, why);
	if (!err) {
		err = pin(p->skeleton->maps.registered, &registered, 0600, why);
		if (err)
			unlink(samples.s);
	}
	if (err)
		rmdir(folder);
	return err;
}

int profile_unpin(const char *folder, struct unable *why)
{
	const struct path samples = in(folder, "samples"), registered = in(folder, "registered");
	int err = check_folder(folder, why);

	if (err)
		return err;
	if (unlink(samples.s) != 0)
		return unable(why, -errno, "%s: %m", samples.s);
	if (unlink(registered.s) != 0 && errno != ENOENT)
		return unable(why, -errno, "%s: %m", registered.s);
	rmdir(folder);
	return 0;
}

/* --- who is registered ---------------------------------------------------------------------- */

/* The caller closes what it got by name; the sampler's own it must not. */
static int table(const struct profile *p, const char *folder, struct unable *why)
{
	const struct path path = in(folder ? folder : "", "registered");
	int fd = p ? dup(bpf_map__fd(p->skeleton->maps.registered)) : bpf_obj_get(path.s);

	return fd < 0 ? unable(why, -errno, "%s: %m; is a sampler there? predicomp profile serve",
			       path.s)
		      : fd;
}

/* The iterator knows processes by the numbers of the initial namespace; so must we. */
static int check_namespace(struct unable *why)
{
	char name[64] = "";

	if (readlink("/proc/self/ns/pid", name, sizeof(name) - 1) > 0 &&
	    strcmp(name, "pid:[4026531836]") != 0)
		return unable(why, -EOPNOTSUPP,
			      "process numbers of a namespace of their own are not "
			      "understood: register from outside the container");
	return 0;
}

int profile_register(struct profile *p, const char *folder, pid_t pid, struct unable *why)
{
	const struct profile_process fresh = {.seen = ~0u};
	const uint32_t tgid = (uint32_t)pid;
	int err = check_namespace(why), fd;

	if (err)
		return err;
	fd = table(p, folder, why);
	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(fd, &tgid, &fresh, BPF_NOEXIST);
	close(fd);
	return err ? unable(why, err, "process %d: %s", pid,
			    err == -EEXIST ? "it is registered already" : strerror(-err))
		   : 0;
}

int profile_unregister(struct profile *p, const char *folder, pid_t pid, struct unable *why)
{
	const uint32_t tgid = (uint32_t)pid;
	int fd = table(p, folder, why), err;

	if (fd < 0)
		return fd;
	err = bpf_map_delete_elem(fd, &tgid);
	close(fd);
	return err ? unable(why, err, "process %d: %s", pid,
			    err == -ENOENT ? "it is not registered, or has ended" : strerror(-err))
		   : 0;
}

struct profile_header *profile_map(struct profile *p, const char *folder, struct unable *why)
{
	const struct path path = in(folder ? folder : "", "samples");
	int fd = p ? dup(bpf_map__fd(p->skeleton->maps.samples)) : bpf_obj_get(path.s);
	void *memory;

	if (fd < 0) {
		unable(why, -errno, "%s: %m", path.s);
		return NULL;
	}
	memory = mmap(NULL, PROFILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		unable(why, -errno, "%s: %m", path.s);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

/*
 * Without the right to the table: what the sampler wrote at its last tick, a sample for each process
 * and then their sum.
 */
static int last_tick(const char *folder, profile_process_fn *fn, void *arg, struct unable *why)
{
	struct profile_header *head = profile_map(NULL, folder, why);
	const struct profile_sample *sum;
	uint64_t n;

	if (!head)
		return -EACCES;
	/* pairs with the program's addition after the sample */
	n = __atomic_load_n(&head->written, __ATOMIC_ACQUIRE);
	while (n > 0 && profile_at(head, n - 1)->tgid != 0)
		n--; /* a tick under way */
	sum = n > 0 ? profile_at(head, --n) : NULL;
	while (sum && n-- > 0) {
		const struct profile_sample *s = profile_at(head, n);
		const struct profile_process process = {
		    .minor = s->minor,
		    .major = s->major,
		    .cpu_ns = s->cpu_ns,
		    .known = 1,
		};

		if (s->tgid == 0 || s->time != sum->time)
			break;
		fn(arg, s->tgid, &process);
	}
	munmap(head, PROFILE_BYTES);
	return 0;
}

int profile_registered(const char *folder, profile_process_fn *fn, void *arg, struct unable *why)
{
	struct profile_process process;
	uint32_t tgid, next;
	int fd = table(NULL, folder, why), more;

	if (fd == -EACCES || fd == -EPERM)
		return last_tick(folder, fn, arg, why);
	if (fd < 0)
		return fd;
	more = bpf_map_get_next_key(fd, NULL, &next);
	while (more == 0) {
		tgid = next;
		if (bpf_map_lookup_elem(fd, &tgid, &process) == 0)
			fn(arg, tgid, &process);
		more = bpf_map_get_next_key(fd, &tgid, &next);
	}
	close(fd);
	return 0;
}
