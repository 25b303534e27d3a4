#include "kernel/caps.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"
#include "kernel/anchor.h"
#include "kernel/damon.h"
#include "kernel/pagemap.h"
#include "kernel/peek.h"
#include "kernel/uffd.h"
#include "kernel/vma.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/utsname.h>

struct caps caps = {.state = {[0 ... PC_CAP_COUNT - 1] = -1}};

/* --- two pages to try things on; guards keep neighbours from merging with them --- */

struct trial {
	pc_addr map;	      /* guard, first, second, guard */
	unsigned char *first; /* two pages, untouched */
	unsigned char *second;
};

static bool trial_map(struct trial *t)
{
	long at = pool_take(4 * PC_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (at < 0)
		return false;
	t->map = (pc_addr)at;
	t->first = (unsigned char *)at + PC_PAGE;
	t->second = t->first + PC_PAGE;
	if (sys_mprotect(t->first, 2 * PC_PAGE, PROT_READ | PROT_WRITE) == 0)
		return true;
	pool_give((void *)at, 4 * PC_PAGE);
	return false;
}

static void trial_unmap(const struct trial *t)
{
	pool_give((void *)t->map, 4 * PC_PAGE);
}

/* --- probes --- */

/* EINVAL is the handshake's answer: there is a userfaultfd, without the events we need. */
static bool probe_uffd(void)
{
	struct uffd u;
	int err = uffd_open(&u);

	uffd_close(&u);
	return err == 0 || err == -EINVAL;
}

static bool probe_uffd_events(void)
{
	struct uffd u;
	int err = uffd_open(&u);

	uffd_close(&u);
	return err == 0;
}

static bool all_bytes(const unsigned char *page, unsigned char byte)
{
	for (size_t i = 0; i < PC_PAGE; i++)
		if (page[i] != byte)
			return false;
	return true;
}

/* Looks only once nothing is registered: a touch of a page that did not arrive would never end. */
static bool move_page(const struct uffd *u, const struct trial *t)
{
	const pc_addr from = (pc_addr)t->first, to = (pc_addr)t->second;
	enum uffd_result result;
	uint64_t done;
	int error;

	memset(t->first, 0xa5, PC_PAGE);
	if (uffd_register(u, to, to + PC_PAGE))
		return false;
	result = uffd_move(u, to, from, PC_PAGE, &done, &error);
	if (uffd_unregister(u, to, to + PC_PAGE))
		return false;
	return result == UFFD_DONE && done == PC_PAGE && all_bytes(t->second, 0xa5) &&
	       all_bytes(t->first, 0);
}

/*
 * UFFDIO_MOVE came with 6.8 and lost or corrupted pages in ways that no probe shows until these
 * releases: CVE-2024-27007, CVE-2024-46787, CVE-2025-21984, CVE-2025-38242, and a crash where a huge
 * page is about to be migrated, aba6faec0103 upstream. The last of them set the limits. Series in
 * between ended without it. A distribution's kernel with the fixes carried back under an older
 * number is refused too.
 */
static bool version_is_sound(unsigned major, unsigned minor, unsigned patch)
{
	if (major != 6)
		return major > 6;
	if (minor == 12)
		return patch >= 43;
	if (minor == 15)
		return patch >= 11;
	if (minor == 16)
		return patch >= 2;
	return minor >= 17;
}

/* The next number of "6.12.107+deb12-amd64" and the like; 0 where there is none. */
static unsigned next_number(const char **s)
{
	unsigned n = 0;

	for (; **s >= '0' && **s <= '9'; ++*s)
		n = n * 10 + (unsigned)(**s - '0');
	if (**s == '.')
		++*s;
	return n;
}

static bool move_is_sound(void)
{
	struct utsname name;
	const char *s = name.release;
	unsigned major, minor;

	if (SYS1(__NR_uname, &name))
		return false;
	major = next_number(&s);
	minor = next_number(&s);
	return version_is_sound(major, minor, next_number(&s));
}

static bool probe_move(void)
{
	struct trial t;
	struct uffd u;
	bool moved;

	if (!move_is_sound() || !trial_map(&t))
		return false;
	moved = uffd_open(&u) == 0 && move_page(&u, &t);
	/* Closed before the unmapping, whose event nobody would read. */
	uffd_close(&u);
	trial_unmap(&t);
	return moved;
}

static bool scan_finds_second(const struct trial *t)
{
	uint64_t present[PC_UNIT_PAGES / 64];
	struct pagemap pm;
	int pages;

	if (pagemap_open(&pm, PAGEMAP_SCANNED))
		return false;
	t->second[0] = 1;
	pages = pagemap_present(&pm, (pc_addr)t->first, (pc_addr)t->second + PC_PAGE, present);
	sys_close(pm.fd);
	return pages == 1 && present[0] == 2;
}

static bool probe_pagemap_scan(void)
{
	struct trial t;
	bool found;

	if (!trial_map(&t))
		return false;
	found = scan_finds_second(&t);
	trial_unmap(&t);
	return found;
}

/*
 * Closes the one number that no descriptor can have. The caller's table is its own already
 * (caps.h), so unsharing it changes nothing; a caller with a shared one would keep a copy, all
 * open.
 */
static bool probe_private_fds(void)
{
	return SYS3(__NR_close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

static bool probe_anchor(void)
{
	return anchor_probe() == 0;
}

static bool probe_thread_id(void)
{
	struct uffd u;
	bool has = uffd_open(&u) == 0 && u.thread_id;

	uffd_close(&u);
	return has;
}

static bool query_finds(const struct trial *t)
{
	const pc_addr start = (pc_addr)t->first, end = (pc_addr)t->second + PC_PAGE;
	long fd = sys_open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	struct vma v;
	int err;

	if (fd < 0)
		return false;
	err = vma_query((int)fd, (pc_addr)t->second, &v);
	sys_close((int)fd);
	return !err && v.start == start && v.end == end && v.kind == VMA_ANON && v.read &&
	       v.write && !v.exec && !v.shared;
}

static bool probe_vma_query(void)
{
	struct trial t;
	bool found;

	if (!trial_map(&t))
		return false;
	found = query_finds(&t);
	trial_unmap(&t);
	return found;
}

/*
 * The first page is protected, copied and discarded, the second was never there. Nothing is touched
 * while it is registered.
 */
static bool protect_page(const struct uffd *u, const struct trial *t, struct pagemap *pm, int mem)
{
	const pc_addr first = (pc_addr)t->first, second = (pc_addr)t->second;
	uint64_t protected[PC_UNIT_PAGES / 64];
	unsigned char copy[2 * PC_PAGE];

	memset(t->first, 0xa5, PC_PAGE);
	return !uffd_register(u, first, second + PC_PAGE) &&
	       uffd_protect(u, first, second) == UFFD_DONE &&
	       pagemap_protected(pm, first, second + PC_PAGE, protected) == 1 &&
	       peek_read(mem, copy, first, sizeof(copy)) == PC_PAGE && all_bytes(copy, 0xa5) &&
	       peek_read(mem, copy, second, PC_PAGE) < 0 &&
	       !sys_madvise(first, PC_PAGE, MADV_DONTNEED) &&
	       !pagemap_protected(pm, first, second + PC_PAGE, protected);
}

static bool try_protection(const struct trial *t)
{
	struct pagemap pm = {.fd = -1};
	struct uffd u;
	bool works = false;
	int mem = peek_open();

	if (uffd_open_protecting(&u) == 0 && mem >= 0 && !pagemap_open(&pm, PAGEMAP_READ))
		works = protect_page(&u, t, &pm, mem);
	/* Closed before the unmapping, whose event nobody would read. */
	uffd_close(&u);
	sys_close(pm.fd);
	sys_close(mem);
	return works;
}

static bool probe_uffd_wp(void)
{
	struct trial t;
	bool works;

	if (!trial_map(&t))
		return false;
	works = try_protection(&t);
	trial_unmap(&t);
	return works;
}

static bool probe_damon(void)
{
	return damon_probe(DAMON_ROOT) == 0;
}

/* --- the table --- */

static bool (*const probes[PC_CAP_COUNT])(void) = {
    [PC_CAP_UFFD] = probe_uffd,
    [PC_CAP_UFFD_EVENTS] = probe_uffd_events,
    [PC_CAP_MOVE] = probe_move,
    [PC_CAP_PAGEMAP_SCAN] = probe_pagemap_scan,
    [PC_CAP_PRIVATE_FDS] = probe_private_fds,
    [PC_CAP_ANCHOR] = probe_anchor,
    [PC_CAP_THREAD_ID] = probe_thread_id,
    [PC_CAP_VMA_QUERY] = probe_vma_query,
    [PC_CAP_DAMON] = probe_damon,
    [PC_CAP_TSC] = clock_has_tsc,
    [PC_CAP_UFFD_WP] = probe_uffd_wp,
};

enum need { OPTIONAL, NEEDED, FOR_MOVE, FOR_MADVISE };

static const enum need needs[PC_CAP_COUNT] = {
#define PC_CAP(id, name, need, ...) [PC_CAP_##id] = need,
#include "predicomp/caps.def"
#undef PC_CAP
};

bool caps_have(enum pc_cap_id id)
{
	int8_t state = load_relaxed(&caps.state[id]);

	if (state < 0) {
		state = probes[id]();
		store_relaxed(&caps.state[id], state);
	}
	return state > 0;
}

/* Tried on a userfaultfd: where there is none to be had, they say nothing of the kernel. */
static bool is_of_uffd(enum pc_cap_id id)
{
	return id == PC_CAP_UFFD_EVENTS || id == PC_CAP_MOVE || id == PC_CAP_THREAD_ID ||
	       id == PC_CAP_UFFD_WP;
}

void caps_probe_all(void)
{
	for (int id = 0; id < PC_CAP_COUNT; id++)
		if (!is_of_uffd((enum pc_cap_id)id) || caps_have(PC_CAP_UFFD))
			caps_have((enum pc_cap_id)id);
}

int caps_missing(enum caps_way way)
{
	const enum need need = way == CAPS_TO_MOVE ? FOR_MOVE : FOR_MADVISE;

	for (int id = 0; id < PC_CAP_COUNT; id++)
		if ((needs[id] == NEEDED || needs[id] == need) && !caps_have((enum pc_cap_id)id))
			return id;
	return -1;
}
