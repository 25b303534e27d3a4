/*
 * vma.h - walks the mappings of the process: /proc/self/smaps (flags included), or maps (cheap).
 *
 * DESIGN  Pure parsing over a reader that fills a caller's buffer: the parser is fed by
 *         vma_parser_feed() in tests and fuzzers, by read(2) on an open descriptor in vma_walk().
 * FLAGS   VmFlags become a 64-bit set; a two-letter code that is not known here sets
 *         VMA_FLAG_UNKNOWN, so that discover can refuse what it has never heard of (hazard N1).
 * THREADS the work thread; buffers are the caller's.
 */
#ifndef PC_KERNEL_VMA_H
#define PC_KERNEL_VMA_H

#include "base/types.h"

/* X(code): the codes of /proc/PID/smaps' VmFlags line (Linux 6.18). */
/* clang-format off */
#define VMA_FLAGS(X)                                                                               \
	X(rd) X(wr) X(ex) X(sh) X(mr) X(mw) X(me) X(ms) X(gd) X(pf) X(lo) X(io) X(sr) X(rr) X(dc)  \
	X(de) X(ac) X(nr) X(ht) X(sf) X(ar) X(wf) X(dd) X(sd) X(mm) X(hg) X(nh) X(mg) X(um) X(uw)  \
	X(ui) X(dp) X(ss) X(sl) X(mt) X(gu) X(lf) X(bt)
enum vma_flag_bit {
#define X(code) VMA_BIT_##code,
	VMA_FLAGS(X)
#undef X
	VMA_BIT_UNKNOWN
};
/* clang-format on */
#define VMA_FLAG(code)	 (1ull << VMA_BIT_##code)
#define VMA_FLAG_UNKNOWN (1ull << VMA_BIT_UNKNOWN)

enum vma_kind {
	VMA_ANON,  /* no file, no name, or a name the program gave ([anon:...]) */
	VMA_HEAP,  /* [heap] */
	VMA_STACK, /* [stack] */
	VMA_FILE,  /* anything with an inode */
	VMA_OTHER, /* [vdso], [vvar], [vsyscall], ... */
};

struct vma {
	pc_addr start, end;
	bool read, write, exec, shared;
	enum vma_kind kind;
	uint64_t inode;
	/* from smaps only; have_flags says so */
	bool have_flags;
	uint64_t flags; /* set of VMA_FLAG() */
	uint64_t rss;	/* bytes */
	uint64_t anon;	/* bytes of Anonymous: */
	uint64_t swap;	/* bytes of Swap: */
	uint64_t thp;	/* bytes of AnonHugePages: */
	unsigned pkey;	/* ProtectionKey, 0 if not shown */
};

/* Anonymous memory of this process alone, whatever its protection. */
static inline bool vma_private(const struct vma *v)
{
	return (v->kind == VMA_ANON || v->kind == VMA_HEAP) && !v->shared && !v->inode;
}

/* Return false to end the walk. */
typedef bool vma_fn(const struct vma *vma, void *arg);

struct vma_parser {
	vma_fn *fn;
	void *arg;
	bool smaps;
	bool have; /* a mapping is being assembled */
	bool stop;
	struct vma vma;
	size_t used; /* bytes of an unfinished line in `line` */
	char line[512];
};

void vma_parser_begin(struct vma_parser *p, bool smaps, vma_fn *fn, void *arg);
/* 0, or -EINVAL for text that is no maps or smaps file; the walk has then ended. */
int vma_parser_feed(struct vma_parser *p, const char *text, size_t n);
/* Delivers the last mapping. */
int vma_parser_end(struct vma_parser *p);

/*
 * Reads `fd` (an open maps or smaps) from its beginning. `buf` of `size` >= 4096 bytes is scratch.
 * 0, or -errno.
 */
int vma_walk(int fd, bool smaps, char *buf, size_t size, vma_fn *fn, void *arg);

/*
 * The mapping that covers `addr`, by PROCMAP_QUERY on an open maps: 0, -ENOENT when none does,
 * -ENOTTY where the kernel has no such call. Fills everything but what only smaps knows.
 */
int vma_query(int maps_fd, pc_addr addr, struct vma *out);
/* The same by reading maps up to there: what older kernels leave. 0, -ENOENT, -errno. */
int vma_search(int maps_fd, pc_addr addr, struct vma *out);

/* A mapping covers `addr`, or it cannot be told; by one of the two above. */
typedef int vma_lookup(int maps_fd, pc_addr addr, struct vma *out);
bool vma_covers(vma_lookup *lookup, int maps_fd, pc_addr addr);

/* All of it is mapped, whatever by; needs no maps. By any thread. */
bool vma_mapped(pc_addr start, pc_addr end);

#endif
