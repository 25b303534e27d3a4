#include "kernel/vma.h"

#include "base/mem.h"
#include "base/sys.h"
#include "kernel/procfile.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <sys/mman.h>

void vma_parser_begin(struct vma_parser *p, bool smaps, vma_fn *fn, void *arg)
{
	p->fn = fn;
	p->arg = arg;
	p->smaps = smaps;
	p->have = false;
	p->stop = false;
	p->used = 0;
}

static enum vma_kind kind_of(uint64_t inode, const char *name)
{
	if (inode)
		return VMA_FILE;
	if (!*name || scan_word(&name, "[anon:"))
		return VMA_ANON;
	if (scan_word(&name, "[heap]"))
		return VMA_HEAP;
	if (scan_word(&name, "[stack"))
		return VMA_STACK;
	return VMA_OTHER;
}

/* One column of "rwxp": `yes`, or `no`. */
static bool take_letter(const char **s, char yes, char no, bool *out)
{
	*out = **s == yes;
	if (**s != yes && **s != no)
		return false;
	++*s;
	return true;
}

static bool take_span(const char **s, struct vma *v)
{
	return scan_hex(s, &v->start) && scan_word(s, "-") && scan_hex(s, &v->end) &&
	       scan_word(s, " ") && v->start < v->end;
}

static bool take_rights(const char **s, struct vma *v)
{
	return take_letter(s, 'r', '-', &v->read) && take_letter(s, 'w', '-', &v->write) &&
	       take_letter(s, 'x', '-', &v->exec) && take_letter(s, 's', 'p', &v->shared) &&
	       scan_word(s, " ");
}

static bool take_file(const char **s, struct vma *v)
{
	uint64_t offset, major, minor;

	return scan_hex(s, &offset) && scan_word(s, " ") && scan_hex(s, &major) &&
	       scan_word(s, ":") && scan_hex(s, &minor) && scan_word(s, " ") &&
	       scan_dec(s, &v->inode);
}

static int parse_header(const char *s, struct vma *v)
{
	*v = (struct vma){0};
	if (!take_span(&s, v) || !take_rights(&s, v) || !take_file(&s, v))
		return -EINVAL;
	if (*s && *s != ' ')
		return -EINVAL;
	scan_blanks(&s);
	v->kind = kind_of(v->inode, s);
	return 0;
}

static const char codes[][3] = {
#define X(code) #code,
    VMA_FLAGS(X)
#undef X
};

static uint64_t flag_of(char first, char second)
{
	for (unsigned bit = 0; bit < PC_ARRAY_LEN(codes); bit++)
		if (codes[bit][0] == first && codes[bit][1] == second)
			return 1ull << bit;
	return VMA_FLAG_UNKNOWN;
}

static bool ends_word(char c)
{
	return c == 0 || c == ' ';
}

static uint64_t parse_flags(const char *s)
{
	uint64_t flags = 0;

	for (scan_blanks(&s); *s; scan_blanks(&s)) {
		const char *word = s;

		while (!ends_word(*s))
			s++;
		flags |= s - word == 2 ? flag_of(word[0], word[1]) : VMA_FLAG_UNKNOWN;
	}
	return flags;
}

static int parse_bytes(const char *s, uint64_t *bytes)
{
	uint64_t kib;

	scan_blanks(&s);
	if (!scan_dec(&s, &kib) || !scan_word(&s, " kB") || *s)
		return -EINVAL;
	return __builtin_mul_overflow(kib, 1024, bytes) ? -EINVAL : 0;
}

static int parse_pkey(const char *s, unsigned *pkey)
{
	uint64_t v;

	scan_blanks(&s);
	if (!scan_dec(&s, &v) || *s || v > UINT32_MAX)
		return -EINVAL;
	*pkey = (unsigned)v;
	return 0;
}

static bool has_name(const char *s)
{
	while (*s && *s != ':' && *s != ' ')
		s++;
	return *s == ':';
}

/* Attributes that are not asked for, and those of kernels to come, only have to look like one. */
static int parse_attribute(const char *s, struct vma *v)
{
	if (scan_word(&s, "Rss:"))
		return parse_bytes(s, &v->rss);
	if (scan_word(&s, "Anonymous:"))
		return parse_bytes(s, &v->anon);
	if (scan_word(&s, "Swap:"))
		return parse_bytes(s, &v->swap);
	if (scan_word(&s, "AnonHugePages:"))
		return parse_bytes(s, &v->thp);
	if (scan_word(&s, "ProtectionKey:"))
		return parse_pkey(s, &v->pkey);
	if (scan_word(&s, "VmFlags:")) {
		v->flags = parse_flags(s);
		v->have_flags = true;
		return 0;
	}
	return has_name(s) ? 0 : -EINVAL;
}

static void deliver(struct vma_parser *p)
{
	if (p->have && !p->fn(&p->vma, p->arg))
		p->stop = true;
	p->have = false;
}

/* Attributes are capitalised and addresses are written in lower case: the first letter decides. */
static bool is_attribute(const char *line)
{
	return *line >= 'A' && *line <= 'Z';
}

static int parse_line(struct vma_parser *p, const char *line)
{
	struct vma next;
	int err;

	if (is_attribute(line))
		return p->smaps && p->have ? parse_attribute(line, &p->vma) : -EINVAL;
	err = parse_header(line, &next);
	if (err)
		return err;
	deliver(p);
	p->vma = next;
	p->have = true;
	return 0;
}

/*
 * `used` counts on past the end of an overlong line. Only a header may be one: its tail is a path,
 * of which nothing but the beginning matters.
 */
static int line_end(struct vma_parser *p)
{
	const bool cut = p->used >= sizeof(p->line);

	p->line[cut ? sizeof(p->line) - 1 : p->used] = 0;
	p->used = 0;
	if (cut && is_attribute(p->line))
		return -EINVAL;
	return parse_line(p, p->line);
}

static void line_add(struct vma_parser *p, char c)
{
	if (p->used < sizeof(p->line) - 1)
		p->line[p->used] = c;
	if (p->used < sizeof(p->line))
		p->used++;
}

static int give_up(struct vma_parser *p, int err)
{
	p->have = false;
	p->stop = true;
	return err;
}

int vma_parser_feed(struct vma_parser *p, const char *text, size_t n)
{
	for (size_t i = 0; i < n && !p->stop; i++) {
		int err = 0;

		if (text[i] == 0)
			err = -EINVAL; /* or a line would end early, unseen */
		else if (text[i] == '\n')
			err = line_end(p);
		else
			line_add(p, text[i]);
		if (err)
			return give_up(p, err);
	}
	return 0;
}

int vma_parser_end(struct vma_parser *p)
{
	if (p->stop)
		return 0;
	/* The kernel ends every line; half of a VmFlags line would pass for a whole one. */
	if (p->used)
		return give_up(p, -EINVAL);
	deliver(p);
	return 0;
}

int vma_walk(int fd, bool smaps, char *buf, size_t size, vma_fn *fn, void *arg)
{
	struct vma_parser p;
	uint64_t off = 0;

	vma_parser_begin(&p, smaps, fn, arg);
	while (!p.stop) {
		long n = sys_pread(fd, buf, size, off);
		int err;

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		err = vma_parser_feed(&p, buf, (size_t)n);
		if (err)
			return err;
		off += (uint64_t)n;
	}
	return vma_parser_end(&p);
}

/* Longest name that is not a path: "[anon:", 79 characters, "]", NUL. */
#define NAME_MAX_KNOWN 96

static int query(int fd, pc_addr addr, char name[NAME_MAX_KNOWN], struct procmap_query *q)
{
	long err;

	*q = (struct procmap_query){
	    .size = sizeof(*q),
	    .query_addr = addr,
	    .vma_name_addr = (uint64_t)name,
	    .vma_name_size = NAME_MAX_KNOWN,
	};
	name[0] = 0;
	err = sys_ioctl(fd, PROCMAP_QUERY, q);
	if (err != -ENAMETOOLONG)
		return (int)err;
	/* A path, then; which one does not matter. */
	name[0] = '/';
	name[1] = 0;
	q->vma_name_addr = 0;
	q->vma_name_size = 0;
	return (int)sys_ioctl(fd, PROCMAP_QUERY, q);
}

int vma_query(int maps_fd, pc_addr addr, struct vma *out)
{
	struct procmap_query q;
	char name[NAME_MAX_KNOWN];
	int err = query(maps_fd, addr, name, &q);

	if (err)
		return err;
	*out = (struct vma){
	    .start = q.vma_start,
	    .end = q.vma_end,
	    .read = q.vma_flags & PROCMAP_QUERY_VMA_READABLE,
	    .write = q.vma_flags & PROCMAP_QUERY_VMA_WRITABLE,
	    .exec = q.vma_flags & PROCMAP_QUERY_VMA_EXECUTABLE,
	    .shared = q.vma_flags & PROCMAP_QUERY_VMA_SHARED,
	    .kind = kind_of(q.inode, name),
	    .inode = q.inode,
	};
	return 0;
}

#define SEARCH_TEXT 4096u

struct search {
	pc_addr addr;
	struct vma *out;
	bool found;
};

static bool note_if_covering(const struct vma *v, void *arg)
{
	struct search *s = arg;

	if (v->end <= s->addr)
		return true;
	s->found = v->start <= s->addr;
	if (s->found)
		*s->out = *v;
	return false;
}

int vma_search(int maps_fd, pc_addr addr, struct vma *out)
{
	struct search s = {.addr = addr, .out = out};
	char text[SEARCH_TEXT];
	int err = vma_walk(maps_fd, false, text, sizeof(text), note_if_covering, &s);

	if (err)
		return err;
	return s.found ? 0 : -ENOENT;
}

bool vma_covers(vma_lookup *lookup, int maps_fd, pc_addr addr)
{
	struct vma v;
	int err = lookup(maps_fd, addr, &v);

	return err ? err != -ENOENT : v.start <= addr;
}

/* Nothing is written anywhere: without MS_SYNC the call only looks at the mappings. */
bool vma_mapped(pc_addr start, pc_addr end)
{
	return SYS3(__NR_msync, start, end - start, MS_ASYNC) != -ENOMEM;
}
