#include "kernel/uffd.h"

#include "base/check.h"
#include "base/sys.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <fcntl.h>

#define FEATURES_NEEDED                                                                            \
	(UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE)
#define FEATURES_PROTECTING                                                                        \
	(UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_PAGEFAULT_FLAG_WP)

/* The device first: it asks for no capability, only for permission on a file. */
static int open_full(void)
{
	long dev = sys_open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	long fd = -EACCES;

	if (dev >= 0) {
		fd = SYS3(__NR_ioctl, dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		sys_close((int)dev);
	}
	if (fd < 0)
		fd = SYS1(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return (int)fd;
}

static int handshake(int fd, uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	return (int)sys_ioctl(fd, UFFDIO_API, &api);
}

/* A refused handshake spends the descriptor, so each attempt opens a new one. */
static int open_with(uint64_t features)
{
	int fd = open_full();
	int err;

	if (fd < 0)
		return fd;
	err = handshake(fd, features);
	if (err) {
		sys_close(fd);
		return err;
	}
	return fd;
}

static int open_for(struct uffd *u, uint64_t features)
{
	int fd = open_with(features | UFFD_FEATURE_THREAD_ID);

	u->silent = false;
	u->thread_id = fd >= 0;
	if (fd == -EINVAL)
		fd = open_with(features);
	u->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

int uffd_open(struct uffd *u)
{
	u->protects = false;
	return open_for(u, FEATURES_NEEDED);
}

int uffd_open_protecting(struct uffd *u)
{
	u->protects = true;
	return open_for(u, FEATURES_PROTECTING);
}

int uffd_open_silent(struct uffd *u)
{
	int fd = open_with(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	*u = (struct uffd){.fd = fd < 0 ? -1 : fd, .protects = true, .silent = true};
	return fd < 0 ? fd : 0;
}

void uffd_close(struct uffd *u)
{
	if (u->fd >= 0)
		sys_close(u->fd);
	u->fd = -1;
}

/* Some mode there must be. What is silent protects nothing, so that no fault is reported. */
int uffd_register(const struct uffd *u, pc_addr start, pc_addr end)
{
	struct uffdio_register r = {
	    .range = {.start = start, .len = end - start},
	    .mode = (u->silent ? 0 : UFFDIO_REGISTER_MODE_MISSING) |
		    (u->protects ? UFFDIO_REGISTER_MODE_WP : 0),
	};

	return (int)sys_ioctl(u->fd, UFFDIO_REGISTER, &r);
}

int uffd_unregister(const struct uffd *u, pc_addr start, pc_addr end)
{
	struct uffdio_range r = {.start = start, .len = end - start};

	return (int)sys_ioctl(u->fd, UFFDIO_UNREGISTER, &r);
}

void uffd_wake(const struct uffd *u, pc_addr start, pc_addr end)
{
	struct uffdio_range r = {.start = start, .len = end - start};

	long err = sys_ioctl(u->fd, UFFDIO_WAKE, &r);

	if (err)
		pc_fatal("a waiting thread cannot be woken", start, (uint64_t)-err);
}

static enum uffd_result result_of(long err, int *error)
{
	*error = (int)err;
	switch (-err) {
	case 0:
		return UFFD_DONE;
	case EAGAIN:
		return UFFD_AGAIN;
	case EEXIST:
		return UFFD_EXISTS;
	case ENOENT:
	case ESRCH:
		return UFFD_GONE;
	case EBUSY:
		return UFFD_BUSY;
	case EINVAL:
		return UFFD_INVALID;
	case ENOMEM:
		return UFFD_NOMEM;
	}
	return UFFD_FAILED;
}

/*
 * The kernel answers a partial transfer with EAGAIN and the count; what stopped it is only learnt
 * by calling again from there, which is what callers do with UFFD_AGAIN and *done > 0.
 */
enum uffd_result uffd_move(const struct uffd *u, pc_addr to, pc_addr from, uint64_t len,
			   uint64_t *done, int *error)
{
	struct uffdio_move m = {
		.dst = to,
		.src = from,
		.len = len,
	};
	long err;

	PC_ASSERT(len <= UFFD_MOVE_MAX);
	PC_ASSERT((to - from) % PC_UNIT != 0);
	err = sys_ioctl(u->fd, UFFDIO_MOVE, &m);
	*done = m.move > 0 ? (uint64_t)m.move : 0;
	return result_of(err, error);
}

enum uffd_result uffd_copy(const struct uffd *u, pc_addr to, const void *from, uint64_t len,
			   bool wake, uint64_t *done, int *error)
{
	struct uffdio_copy c = {
		.dst = to,
		.src = (uint64_t)from,
		.len = len,
		.mode = wake ? 0 : UFFDIO_COPY_MODE_DONTWAKE,
	};
	long err = sys_ioctl(u->fd, UFFDIO_COPY, &c);

	*done = c.copy > 0 ? (uint64_t)c.copy : 0;
	return result_of(err, error);
}

enum uffd_result uffd_zero(const struct uffd *u, pc_addr to, uint64_t len)
{
	struct uffdio_zeropage z = {.range = {.start = to, .len = len}};
	int error;

	return result_of(sys_ioctl(u->fd, UFFDIO_ZEROPAGE, &z), &error);
}

static enum uffd_result set_protection(const struct uffd *u, pc_addr start, pc_addr end,
				       uint64_t mode)
{
	struct uffdio_writeprotect w = {
		.range = {.start = start, .len = end - start},
		.mode = mode,
	};
	int error;

	return result_of(sys_ioctl(u->fd, UFFDIO_WRITEPROTECT, &w), &error);
}

enum uffd_result uffd_protect(const struct uffd *u, pc_addr start, pc_addr end)
{
	return set_protection(u, start, end, UFFDIO_WRITEPROTECT_MODE_WP);
}

enum uffd_result uffd_unprotect(const struct uffd *u, pc_addr start, pc_addr end)
{
	return set_protection(u, start, end, 0);
}

/*
 * An empty range is refused as invalid, but not before a pending event has been looked for. Any
 * other answer leaves it open whether one is.
 */
bool uffd_pending(const struct uffd *u)
{
	struct uffdio_zeropage z = {.range = {.start = 0, .len = 0}};

	return sys_ioctl(u->fd, UFFDIO_ZEROPAGE, &z) != -EINVAL;
}

static void decode(const struct uffd_msg *m, struct uffd_event *out)
{
	*out = (struct uffd_event){.kind = UFFD_UNKNOWN};
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		out->kind = UFFD_FAULT;
		out->start = page_floor(m->arg.pagefault.address);
		out->end = out->start + PC_PAGE;
		out->write = m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE;
		out->wp = m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
		out->minor = m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR;
		out->thread = m->arg.pagefault.feat.ptid;
		break;
	case UFFD_EVENT_UNMAP:
	case UFFD_EVENT_REMOVE:
		out->kind = m->event == UFFD_EVENT_UNMAP ? UFFD_UNMAP : UFFD_REMOVE;
		out->start = m->arg.remove.start;
		out->end = m->arg.remove.end;
		break;
	case UFFD_EVENT_REMAP:
		out->kind = UFFD_REMAP;
		out->start = m->arg.remap.from;
		out->end = m->arg.remap.from + m->arg.remap.len;
		out->to = m->arg.remap.to;
		break;
	}
}

int uffd_read(const struct uffd *u, struct uffd_event *out)
{
	struct uffd_msg m;
	long n = sys_read(u->fd, &m, sizeof(m));

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	PC_ASSERT(n == sizeof(m));
	decode(&m, out);
	return 1;
}
