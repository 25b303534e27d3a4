#include "kernel/vma.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEN_MAX 70000

struct seen {
	unsigned count, end_after; /* end_after: 0 for never */
	struct vma vma[SEEN_MAX];
};

static struct seen seen, other;

static bool see(const struct vma *v, void *arg)
{
	struct seen *s = arg;

	assert_true(s->count < SEEN_MAX);
	s->vma[s->count++] = *v;
	return s->count != s->end_after;
}

static void forget(struct seen *s)
{
	s->count = 0;
	s->end_after = 0;
}

/* Each piece is copied to a block of its very size, so that a sanitizer sees the parser overread.
 */
static int feed_piece(struct vma_parser *p, const char *text, size_t n)
{
	char *piece = malloc(n ? n : 1);
	int err;

	memcpy(piece, text, n);
	err = vma_parser_feed(p, piece, n);
	free(piece);
	return err;
}

static int parse_pieces(struct seen *s, bool smaps, const char *text, size_t n, size_t piece)
{
	struct vma_parser p;
	int err = 0;

	forget(s);
	vma_parser_begin(&p, smaps, see, s);
	for (size_t at = 0; at < n && !err; at += piece)
		err = feed_piece(&p, text + at, PC_MIN(piece, n - at));
	return err ? err : vma_parser_end(&p);
}

static int parse(bool smaps, const char *text)
{
	return parse_pieces(&seen, smaps, text, strlen(text), strlen(text) + 1);
}

#define MAPS  false
#define SMAPS true

static const char sample[] =
    "55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                          [heap]\n"
    "Size:                132 kB\n"
    "KernelPageSize:        4 kB\n"
    "Rss:                  64 kB\n"
    "Anonymous:            60 kB\n"
    "AnonHugePages:         0 kB\n"
    "Swap:                  8 kB\n"
    "SwapPss:               7 kB\n"
    "THPeligible:           0\n"
    "ProtectionKey:         3\n"
    "VmFlags: rd wr mr mw me ac sd \n"
    "7f1000000000-7f1000400000 rw-p 00000000 00:00 0 \n"
    "Rss:                4096 kB\n"
    "AnonHugePages:      2048 kB\n"
    "VmFlags: rd wr um uw zz hg\n"
    "7f1000400000-7f1000401000 r-xs 00002000 fe:01 247498                     /usr/lib/a b "
    "(deleted)\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
    "VmFlags: ex \n";

static void expect_sample(const struct seen *s)
{
	const struct vma *v = s->vma;

	assert_int_equal(s->count, 4);
	assert_int_equal(v[0].start, 0x55d0c0a00000);
	assert_int_equal(v[0].end, 0x55d0c0a21000);
	assert_int_equal(v[0].kind, VMA_HEAP);
	assert_true(v[0].read && v[0].write && !v[0].exec && !v[0].shared);
	assert_int_equal(v[0].rss, 64 << 10);
	assert_int_equal(v[0].anon, 60 << 10);
	assert_int_equal(v[0].swap, 8 << 10);
	assert_int_equal(v[0].thp, 0);
	assert_int_equal(v[0].pkey, 3);
	assert_true(v[0].have_flags);
	assert_int_equal(v[0].flags, VMA_FLAG(rd) | VMA_FLAG(wr) | VMA_FLAG(mr) | VMA_FLAG(mw) |
					 VMA_FLAG(me) | VMA_FLAG(ac) | VMA_FLAG(sd));
	assert_int_equal(v[1].kind, VMA_ANON);
	assert_int_equal(v[1].thp, 2048 << 10);
	assert_int_equal(v[1].pkey, 0);
	assert_int_equal(v[1].flags, VMA_FLAG(rd) | VMA_FLAG(wr) | VMA_FLAG(um) | VMA_FLAG(uw) |
					 VMA_FLAG_UNKNOWN | VMA_FLAG(hg));
	assert_int_equal(v[2].kind, VMA_FILE);
	assert_int_equal(v[2].inode, 247498);
	assert_true(v[2].read && !v[2].write && v[2].exec && v[2].shared);
	assert_false(v[2].have_flags);
	assert_int_equal(v[2].rss, 0);
	assert_int_equal(v[3].kind, VMA_OTHER);
	assert_int_equal(v[3].start, 0xffffffffff600000);
}

static void reads_smaps(void **state)
{
	(void)state;
	assert_int_equal(parse(SMAPS, sample), 0);
	expect_sample(&seen);
}

static void chunks_may_end_anywhere(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(sample); piece++) {
		assert_int_equal(parse_pieces(&seen, SMAPS, sample, sizeof(sample) - 1, piece), 0);
		expect_sample(&seen);
	}
}

static void tells_kinds_by_name(void **state)
{
	const struct {
		const char *tail;
		enum vma_kind kind;
	} cases[] = {
	    {"00:00 0", VMA_ANON},
	    {"00:00 0 ", VMA_ANON},
	    {"00:00 0                          [heap]", VMA_HEAP},
	    {"00:00 0                          [stack]", VMA_STACK},
	    {"00:00 0                          [stack:123]", VMA_STACK},
	    {"00:00 0                          [anon:glibc: malloc arena]", VMA_ANON},
	    {"00:00 0                          [anon_shmem:x]", VMA_OTHER},
	    {"00:00 0                          [vdso]", VMA_OTHER},
	    {"00:00 0                          /SYSV00000000 (deleted)", VMA_OTHER},
	    {"fe:00 9                          [heap]", VMA_FILE},
	    {"00:01 18446744073709551615       /dev/zero (deleted)", VMA_FILE},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "1000-2000 rw-p 00000000 %s\n", cases[i].tail);
		assert_int_equal(parse(MAPS, text), 0);
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.vma[0].kind, cases[i].kind);
	}
}

static void knows_every_flag_and_no_other(void **state)
{
	const struct {
		const char *flags;
		uint64_t set;
	} cases[] = {
#define X(code) {#code, VMA_FLAG(code)},
	    VMA_FLAGS(X)
#undef X
		{"", 0},
	    {"   ", 0},
	    {"??", VMA_FLAG_UNKNOWN},
	    {"rdx", VMA_FLAG_UNKNOWN},
	    {"r", VMA_FLAG_UNKNOWN},
	    {"RD", VMA_FLAG_UNKNOWN},
	    {"rd,wr", VMA_FLAG_UNKNOWN},
	    {"rd  wr", VMA_FLAG(rd) | VMA_FLAG(wr)},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "1000-2000 rw-p 00000000 00:00 0\nVmFlags: %s\n",
			 cases[i].flags);
		assert_int_equal(parse(SMAPS, text), 0);
		assert_true(seen.vma[0].have_flags);
		assert_int_equal(seen.vma[0].flags, cases[i].set);
	}
}

#define HEAD "1000-2000 rw-p 00000000 00:00 0\n"

static void refuses_hostile_text(void **state)
{
	const struct {
		bool smaps;
		const char *text;
	} cases[] = {
	    {MAPS, "\n"},
	    {MAPS, "hello\n"},
	    {MAPS, "-2000 rw-p 00000000 00:00 0\n"},
	    {MAPS, "1000- rw-p 00000000 00:00 0\n"},
	    {MAPS, "1000 rw-p 00000000 00:00 0\n"},
	    {MAPS, "2000-1000 rw-p 00000000 00:00 0\n"},
	    {MAPS, "1000-1000 rw-p 00000000 00:00 0\n"},
	    {MAPS, "10000000000000000-10000000000001000 rw-p 00000000 00:00 0\n"},
	    {MAPS, "1000-2000 rwxq 00000000 00:00 0\n"},
	    {MAPS, "1000-2000 wr-p 00000000 00:00 0\n"},
	    {MAPS, "1000-2000 rw- 00000000 00:00 0\n"},
	    {MAPS, "1000-2000 rw-p 00000000 0000 0\n"},
	    {MAPS, "1000-2000 rw-p 00000000 00:00\n"},
	    {MAPS, "1000-2000 rw-p 00000000 00:00 x\n"},
	    {MAPS, "1000-2000 rw-p 00000000 00:00 0x\n"},
	    {MAPS, "1000-2000 rw-p 00000000 00:00 18446744073709551616\n"},
	    {MAPS, "1000-2000 rw-p 00000000 00:00 0"}, /* cut off */
	    {MAPS, HEAD "3000-"},
	    {MAPS, HEAD "Rss: 4 kB\n"}, /* of smaps */
	    {SMAPS, "Rss: 4 kB\n"},	/* of no mapping */
	    {SMAPS, HEAD "Rss: 4\n"},
	    {SMAPS, HEAD "Rss: kB\n"},
	    {SMAPS, HEAD "Rss: -4 kB\n"},
	    {SMAPS, HEAD "Rss: 4 kBx\n"},
	    {SMAPS, HEAD "Rss: 18014398509481984 kB\n"}, /* 2^64 bytes */
	    {SMAPS, HEAD "ProtectionKey: x\n"},
	    {SMAPS, HEAD "ProtectionKey: 4294967296\n"},
	    {SMAPS, HEAD "Nothing\n"},
	    {SMAPS, HEAD "No thing: 1\n"},
	    {SMAPS, HEAD "VmFlags: rd wr"}, /* cut off */
	};

	const char with_nul[] = HEAD "VmFlags: rd\0 lo\n";

	(void)state;
	for (size_t i = 0; i < PC_ARRAY_LEN(cases); i++) {
		const char *text = cases[i].text;

		if (parse(cases[i].smaps, text) != -EINVAL)
			fail_msg("accepted: %s", text);
		assert_int_equal(parse_pieces(&seen, cases[i].smaps, text, strlen(text), 1),
				 -EINVAL);
	}
	assert_int_equal(parse_pieces(&seen, SMAPS, with_nul, sizeof(with_nul) - 1, 100), -EINVAL);
}

static void error_ends_the_walk(void **state)
{
	struct vma_parser p;

	(void)state;
	forget(&seen);
	vma_parser_begin(&p, MAPS, see, &seen);
	assert_int_equal(feed_piece(&p, HEAD "bad\n", strlen(HEAD "bad\n")), -EINVAL);
	feed_piece(&p, HEAD HEAD, strlen(HEAD HEAD));
	vma_parser_end(&p);
	assert_int_equal(seen.count, 0);
}

/* A header whose line is `n` bytes long without its newline. */
static void long_header(char *text, size_t n)
{
	int len = sprintf(text, "1000-2000 rw-p 00000000 fe:00 7 /");

	memset(text + len, 'x', n - (size_t)len);
	strcpy(text + n, "\n3000-4000 rw-p 00000000 00:00 0\n");
}

static void long_paths_are_fine(void **state)
{
	const size_t line = sizeof(((struct vma_parser *)0)->line);
	char text[6000];

	(void)state;
	for (size_t n = line - 3; n < line + 4; n++) {
		long_header(text, n);
		assert_int_equal(parse(MAPS, text), 0);
		assert_int_equal(seen.count, 2);
		assert_int_equal(seen.vma[0].kind, VMA_FILE);
		assert_int_equal(seen.vma[1].start, 0x3000);
	}
	long_header(text, 5000);
	assert_int_equal(parse(MAPS, text), 0);
	assert_int_equal(seen.count, 2);
}

/* A flag behind the cut would be a flag that nobody saw. */
static void long_attributes_are_refused(void **state)
{
	char text[2048] = HEAD "VmFlags:";

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(text, " rd");
	strcat(text, "\n");
	assert_int_equal(parse(SMAPS, text), -EINVAL);
}

static void callback_ends_the_walk(void **state)
{
	struct vma_parser p;

	(void)state;
	forget(&seen);
	seen.end_after = 2;
	vma_parser_begin(&p, SMAPS, see, &seen);
	assert_int_equal(vma_parser_feed(&p, sample, sizeof(sample) - 1), 0);
	assert_int_equal(vma_parser_end(&p), 0);
	assert_int_equal(seen.count, 2);
}

/* --- the real thing --- */

static int walk(struct seen *s, const char *path, bool smaps, size_t size)
{
	char *buf = malloc(size);
	int fd = open(path, O_RDONLY);
	int err;

	assert_true(fd >= 0);
	err = vma_walk(fd, smaps, buf, size, see, s);
	close(fd);
	free(buf);
	return err;
}

static const struct vma *find(const struct seen *s, const void *at)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->vma[i].start <= (pc_addr)at && (pc_addr)at < s->vma[i].end)
			return &s->vma[i];
	return NULL;
}

static char *map(size_t pages, int prot)
{
	char *at = mmap(NULL, pages * PC_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

/* 600 mappings that cannot merge: more text than a buffer holds, in maps too. */
static void walks_itself(void **state)
{
	const unsigned pages = 600;
	char *at = map(pages, PROT_NONE);

	(void)state;
	for (unsigned i = 0; i < pages; i += 2)
		assert_int_equal(mprotect(at + i * PC_PAGE, PC_PAGE, PROT_READ | PROT_WRITE), 0);
	for (unsigned i = 0; i < pages; i += 4)
		at[i * PC_PAGE] = 1;
	forget(&seen);
	forget(&other);
	assert_int_equal(walk(&seen, "/proc/thread-self/smaps", SMAPS, 4096), 0);
	assert_int_equal(walk(&other, "/proc/thread-self/maps", MAPS, 4096), 0);
	/* The guards at both ends may merge with neighbours; all between must be exact. */
	for (unsigned i = 2; i + 2 < pages; i++) {
		const struct vma *s = find(&seen, at + i * PC_PAGE);
		const struct vma *m = find(&other, at + i * PC_PAGE);

		assert_non_null(s);
		assert_non_null(m);
		assert_int_equal(s->start, (pc_addr)at + i * PC_PAGE);
		assert_int_equal(s->end, s->start + PC_PAGE);
		assert_int_equal(m->start, s->start);
		assert_int_equal(m->end, s->end);
		assert_int_equal(s->write, i % 2 == 0);
		assert_int_equal(m->write, i % 2 == 0);
		assert_int_equal(s->anon, i % 4 == 0 ? PC_PAGE : 0);
		assert_int_equal(s->rss, s->anon);
		assert_int_equal(s->kind, VMA_ANON);
		assert_true(s->have_flags);
		assert_false(m->have_flags);
		assert_int_equal(!!(s->flags & VMA_FLAG(wr)), i % 2 == 0);
		assert_int_equal(s->flags & VMA_FLAG_UNKNOWN, 0);
	}
	munmap(at, pages * PC_PAGE);
}

static void sees_flags_that_were_asked_for(void **state)
{
	char *at = map(3, PROT_NONE);
	const struct vma *v;

	(void)state;
	assert_int_equal(mprotect(at + PC_PAGE, PC_PAGE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(madvise(at + PC_PAGE, PC_PAGE, MADV_DONTFORK), 0);
	assert_int_equal(madvise(at + PC_PAGE, PC_PAGE, MADV_WIPEONFORK), 0);
	forget(&seen);
	assert_int_equal(walk(&seen, "/proc/thread-self/smaps", SMAPS, 1 << 16), 0);
	v = find(&seen, at + PC_PAGE);
	assert_non_null(v);
	assert_true(v->flags & VMA_FLAG(dc));
	assert_true(v->flags & VMA_FLAG(wf));
	assert_false(v->flags & VMA_FLAG(lo));
	v = find(&seen, __builtin_frame_address(0));
	assert_non_null(v);
	assert_int_equal(v->kind, VMA_STACK);
	munmap(at, 3 * PC_PAGE);
}

static void walk_reports_read_errors(void **state)
{
	char buf[4096];

	(void)state;
	assert_int_equal(vma_walk(-1, MAPS, buf, sizeof(buf), see, &seen), -EBADF);
}

static int open_query(void)
{
	int fd = open("/proc/thread-self/maps", O_RDONLY);
	struct vma v;

	assert_true(fd >= 0);
	if (vma_query(fd, (pc_addr)&fd, &v) == -ENOTTY) {
		close(fd);
		print_message("SKIP: PROCMAP_QUERY is missing\n");
		skip();
	}
	return fd;
}

static void query_agrees_with_maps(void **state)
{
	int fd = open_query();

	(void)state;
	forget(&seen);
	assert_int_equal(walk(&seen, "/proc/thread-self/maps", MAPS, 1 << 16), 0);
	for (unsigned i = 0; i < seen.count; i++) {
		const struct vma *m = &seen.vma[i];
		struct vma q;

		/* vsyscall is in the text only; the stack may have grown meanwhile. */
		if (m->start >= PC_ADDR_MAX || m->kind == VMA_STACK)
			continue;
		assert_int_equal(vma_query(fd, m->end - 1, &q), 0);
		assert_int_equal(q.start, m->start);
		assert_int_equal(q.end, m->end);
		assert_int_equal(q.kind, m->kind);
		assert_int_equal(q.inode, m->inode);
		assert_int_equal(q.read, m->read);
		assert_int_equal(q.write, m->write);
		assert_int_equal(q.exec, m->exec);
		assert_int_equal(q.shared, m->shared);
	}
	close(fd);
}

static void search_agrees_with_maps(void **state)
{
	int fd = open("/proc/thread-self/maps", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	forget(&seen);
	assert_int_equal(walk(&seen, "/proc/thread-self/maps", MAPS, 1 << 16), 0);
	for (unsigned i = 0; i < seen.count; i++) {
		const struct vma *m = &seen.vma[i];
		struct vma v;

		if (m->kind == VMA_STACK)
			continue;
		assert_int_equal(vma_search(fd, m->end - 1, &v), 0);
		assert_int_equal(v.start, m->start);
		assert_int_equal(v.end, m->end);
		assert_int_equal(v.kind, m->kind);
		assert_int_equal(v.write, m->write);
	}
	close(fd);
}

static void search_finds_no_hole(void **state)
{
	char *at = map(3, PROT_READ);
	int fd = open("/proc/thread-self/maps", O_RDONLY);
	struct vma v;

	(void)state;
	munmap(at + PC_PAGE, PC_PAGE);
	assert_int_equal(vma_search(fd, (pc_addr)at + PC_PAGE, &v), -ENOENT);
	assert_int_equal(vma_search(fd, (pc_addr)at + PC_PAGE - 1, &v), 0);
	assert_int_equal(vma_search(fd, (pc_addr)at + 2 * PC_PAGE, &v), 0);
	assert_int_equal(vma_search(-1, (pc_addr)at, &v), -EBADF);
	close(fd);
	munmap(at, PC_PAGE);
	munmap(at + 2 * PC_PAGE, PC_PAGE);
}

static void query_finds_no_hole(void **state)
{
	char *at = map(3, PROT_READ);
	int fd = open_query();
	struct vma v;

	(void)state;
	munmap(at + PC_PAGE, PC_PAGE);
	assert_int_equal(vma_query(fd, (pc_addr)at + PC_PAGE, &v), -ENOENT);
	assert_int_equal(vma_query(fd, (pc_addr)at + PC_PAGE - 1, &v), 0);
	assert_int_equal(vma_query(fd, (pc_addr)at + 2 * PC_PAGE, &v), 0);
	close(fd);
	munmap(at, PC_PAGE);
	munmap(at + 2 * PC_PAGE, PC_PAGE);
}

static void query_copes_with_long_paths(void **state)
{
	char path[300] = "/tmp/predicomp-vma-XXXXXX";
	char name[200];
	int fd = open_query();
	int file;
	struct vma v;
	char *at;

	(void)state;
	assert_non_null(mkdtemp(path));
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = 0;
	strcat(path, name);
	file = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(file >= 0);
	at = mmap(NULL, PC_PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	assert_true(at != MAP_FAILED);
	assert_int_equal(vma_query(fd, (pc_addr)at, &v), 0);
	assert_int_equal(v.kind, VMA_FILE);
	assert_int_equal(v.start, (pc_addr)at);
	munmap(at, PC_PAGE);
	close(file);
	close(fd);
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_smaps),
	    cmocka_unit_test(chunks_may_end_anywhere),
	    cmocka_unit_test(tells_kinds_by_name),
	    cmocka_unit_test(knows_every_flag_and_no_other),
	    cmocka_unit_test(refuses_hostile_text),
	    cmocka_unit_test(error_ends_the_walk),
	    cmocka_unit_test(long_paths_are_fine),
	    cmocka_unit_test(long_attributes_are_refused),
	    cmocka_unit_test(callback_ends_the_walk),
	    cmocka_unit_test(walks_itself),
	    cmocka_unit_test(sees_flags_that_were_asked_for),
	    cmocka_unit_test(walk_reports_read_errors),
	    cmocka_unit_test(query_agrees_with_maps),
	    cmocka_unit_test(query_finds_no_hole),
	    cmocka_unit_test(search_agrees_with_maps),
	    cmocka_unit_test(search_finds_no_hole),
	    cmocka_unit_test(query_copes_with_long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
