/*
 * Advice about three parts of memory that has left, by process_madvise() and by its number: what is put
 * in their place, wiped or kept from children is that and nothing else, and what the kernel is told to
 * page out is what it was.
 */
#include "host.h"
#include "support/ways.h"

#include <sys/uio.h>

#define LEN (4 * MIB)

static enum way way;
static int self; /* a descriptor of this process */
static char *memory;
static const struct part {
	size_t from, len;
} parts[] = {{MIB / 2, MIB}, {2 * MIB + PAGE, 3 * PAGE}, {3 * MIB, MIB / 4}};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static ssize_t advise(int advice)
{
	struct iovec v[PARTS];

	for (size_t i = 0; i < PARTS; i++)
		v[i] = (struct iovec){memory + parts[i].from, parts[i].len};
	if (way == WAY_NUMBER)
		return syscall(SYS_process_madvise, self, v, PARTS, advice, 0);
	return process_madvise(self, v, PARTS, advice, 0);
}

static bool in_parts(size_t offset)
{
	for (size_t i = 0; i < PARTS; i++)
		if (offset >= parts[i].from && offset < parts[i].from + parts[i].len)
			return true;
	return false;
}

static ssize_t all(void)
{
	size_t len = 0;

	for (size_t i = 0; i < PARTS; i++)
		len += parts[i].len;
	return (ssize_t)len;
}

static bool is_zero(size_t offset)
{
	return host_zero(memory + offset, PAGE);
}

static bool is_same(size_t offset)
{
	static char page[PAGE];
	const size_t word = offset / 8;

	for (size_t i = 0; i < PAGE / 8; i++)
		((uint64_t *)(void *)page)[i] = host_word(1, word + i);
	return memcmp(memory + offset, page, PAGE) == 0;
}

static bool is_not_mapped(size_t offset)
{
	unsigned char in;

	return mincore(memory + offset, PAGE, &in) && errno == ENOMEM;
}

/* The parts are `it`, and the rest is what it was. */
static bool parts_are(bool (*it)(size_t))
{
	for (size_t at = 0; at < LEN; at += PAGE)
		if (!(in_parts(at) ? it(at) : is_same(at)))
			return false;
	return true;
}

static bool in_child(bool (*it)(size_t))
{
	pid_t pid = fork();

	HOST_CHECK(pid >= 0);
	if (!pid)
		_exit(parts_are(it) ? 0 : 1);
	return host_reap(pid) == 0;
}

/*
 * No page of it is ever one mapping with what was there before: the kernel takes all memory of one that
 * had guard pages for such that may have some, and that is left alone.
 */
static void begin(void)
{
	memory = mmap(NULL, LEN + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HOST_CHECK(memory != MAP_FAILED);
	HOST_CHECK(mprotect(memory, LEN, PROT_READ | PROT_WRITE) == 0);
	host_turn_cold(memory, LEN, 1);
}

static void guard_pages(void)
{
	begin();
	HOST_CHECK(advise(MADV_GUARD_INSTALL) == all());
	host_nap();
	HOST_CHECK(advise(MADV_GUARD_REMOVE) == all());
	HOST_CHECK(parts_are(is_zero));
}

static void wiped(void)
{
	begin();
	HOST_CHECK(advise(MADV_WIPEONFORK) == all());
	HOST_CHECK(in_child(is_zero));
	host_nap();
	HOST_CHECK(in_child(is_zero));
	HOST_CHECK(parts_are(is_same));
	HOST_CHECK(advise(MADV_KEEPONFORK) == all());
	HOST_CHECK(in_child(is_same));
}

static void kept(void)
{
	begin();
	HOST_CHECK(advise(MADV_DONTFORK) == all());
	HOST_CHECK(in_child(is_not_mapped));
	HOST_CHECK(parts_are(is_same));
	host_let_leave(memory, LEN);
	HOST_CHECK(in_child(is_not_mapped));
	HOST_CHECK(advise(MADV_DOFORK) == all());
	HOST_CHECK(in_child(is_same));
}

static void paged_out(void)
{
	begin();
	HOST_CHECK(advise(MADV_COLD) == all());
	HOST_CHECK(advise(MADV_PAGEOUT) == all());
	HOST_CHECK(advise(MADV_WILLNEED) == all());
	HOST_CHECK(parts_are(is_same));
}

static void discarded(void)
{
	begin();
	HOST_CHECK(advise(MADV_DONTNEED) == all());
	HOST_CHECK(parts_are(is_zero));
}

int main(void)
{
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	memory = host_map(LEN);
	if (self < 0 || advise(MADV_WIPEONFORK) != all())
		HOST_SKIP("the kernel takes no such advice from a process about itself");
	HOST_CHECK(advise(MADV_KEEPONFORK) == all());
	for (way = WAY_LIBC; way <= WAY_NUMBER; way++) {
		guard_pages();
		wiped();
		kept();
		paged_out();
		discarded();
	}
	return 0;
}
