#include "segment.h"

#include "base/atomic.h"
#include "base/lock.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/stats.h"
#include "base/sys.h"
#include "kernel/caps.h"
#include "tables.h"

#include <errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>

static struct {
	void *memory; /* reserved once, and for all descendants */
	bool started;
	struct lock lock; /* of starting, publishing, and what is counted meanwhile */
} segment;

static int map_over(int flags, int fd)
{
	long at = sys_mmap(segment.memory, page_ceil(stats_segment_bytes()), PROT_READ | PROT_WRITE,
			   flags | MAP_FIXED, fd, 0);

	return at < 0 ? (int)at : 0;
}

static void describe(void)
{
	struct pc_segment *s = stats_segment();

	s->option_count = PC_OPT_COUNT;
	for (unsigned i = 0; i < PC_OPT_COUNT; i++)
		s->option[i] = options_word(&options, (enum pc_option_id)i);
	s->cap_count = PC_CAP_COUNT;
	for (unsigned i = 0; i < PC_CAP_COUNT; i++)
		s->cap[i] = caps.state[i];
}

/* What was shown while there was none stays true. */
static void start(const char *program)
{
	const uint32_t state = stats_segment()->run_state, reason = stats_segment()->inert_reason;

	stats_start(segment.memory, (int)sys_getpid(), program, sys_monotonic());
	describe();
	stats_segment()->run_state = state;
	stats_segment()->inert_reason = reason;
	store_release(&segment.started, true); /* pairs with segment_started */
}

bool segment_started(void)
{
	return load_acquire(&segment.started); /* pairs with start */
}

int segment_start(const char *program)
{
	if (segment_started())
		return 0;
	lock_take(&segment.lock);
	if (!segment.memory)
		segment.memory = pool_map(stats_segment_bytes(), "segment");
	if (segment.memory && !segment.started)
		start(program);
	lock_release(&segment.lock);
	return segment.memory ? 0 : -ENOMEM;
}

int segment_leave(void)
{
	lock_reset(&segment.lock);
	segment.started = false;
	stats_leave();
	return segment.memory ? map_over(MAP_PRIVATE | MAP_ANONYMOUS, -1) : 0;
}

static long write_at(int fd, size_t at, const void *from, size_t n)
{
	const char *bytes = from;

	while (n) {
		long wrote = SYS4(__NR_pwrite64, fd, bytes, n, at);

		if (wrote <= 0)
			return wrote ? wrote : -EIO;
		bytes += wrote;
		at += (size_t)wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

void segment_count(enum pc_value_id id)
{
	lock_take(&segment.lock);
	stats_add(0, id, 1);
	lock_release(&segment.lock);
}

/*
 * It can be found as soon as it has its name: what makes it a segment is written last. Whoever is
 * asking something through the old one asks again here.
 */
static long fill(int fd)
{
	struct pc_segment head = *stats_segment();
	long err = SYS2(__NR_fchmod, fd, 0600);

	head.mailbox.lock = 0;
	head.mailbox.request = head.mailbox.answered;
	if (!err)
		err = SYS2(__NR_ftruncate, fd, page_ceil(stats_segment_bytes()));
	if (!err)
		err = write_at(fd, PC_SEGMENT_HEADER,
			       (const char *)segment.memory + PC_SEGMENT_HEADER,
			       stats_written_bytes() - PC_SEGMENT_HEADER);
	if (!err)
		err = write_at(fd, sizeof(head.magic), &head.version,
			       sizeof(head) - sizeof(head.magic));
	if (!err)
		err = write_at(fd, 0, &head.magic, sizeof(head.magic));
	/* Another process of this user could otherwise cut it short under us, which is a SIGBUS. */
	if (!err)
		err = SYS3(__NR_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return err;
}

/* Readers look for the new one from the mark on; it is there, all but mapped. */
static long replace_by(int fd)
{
	struct pc_segment *old = segment.memory;
	long err;

	store_release(&old->replaced, 1u); /* pairs with attach_reread and mailbox_ask */
	err = map_over(MAP_SHARED, fd);
	if (err)
		store_release(&old->replaced, 0u);
	return err;
}

int segment_publish(void)
{
	long fd = SYS2(__NR_memfd_create, PC_SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	long err;

	if (fd < 0)
		return (int)fd;
	/* What is counted after it was copied, and before the copy is what is read, would be lost. */
	lock_take(&segment.lock);
	err = fill((int)fd);
	if (!err)
		err = replace_by((int)fd);
	lock_release(&segment.lock);
	if (err)
		sys_close((int)fd);
	return (int)err;
}

_Static_assert((unsigned)POOL_REGIONS <= (unsigned)PC_OWN_MAX,
	       "regions that readers would not see");

void segment_own(void)
{
	struct pc_segment *s = stats_segment();
	struct pc_span span[POOL_REGIONS];
	uint32_t n = pool_spans(span, POOL_REGIONS);

	for (uint32_t i = 0; i < n; i++)
		s->own[i] = (struct pc_own){span[i].start, span[i].end};
	s->tables = tables_where();
	store_release(&s->own_count, n); /* pairs with the reader of the segment */
}
