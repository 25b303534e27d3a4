#include "core.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (1u << 20)

/* ---- the file ------------------------------------------------------------------------------ */

static bool read_at(int fd, void *to, size_t n, uint64_t offset)
{
	char *at = to;

	while (n) {
		ssize_t got = pread(fd, at, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return true;
}

static bool write_at(int fd, const void *from, size_t n, uint64_t offset)
{
	const char *at = from;

	while (n) {
		ssize_t put = pwrite(fd, at, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	return true;
}

/* [from, from + n) of one file to `to` of another, or of the same beyond it. */
static bool copy_bytes(int in, uint64_t from, int out, uint64_t to, uint64_t n)
{
	char *block = malloc(BLOCK);
	bool well = block != NULL;

	for (uint64_t done = 0; well && done < n; done += BLOCK) {
		size_t part = (size_t)PC_MIN(n - done, BLOCK);

		well =
		    read_at(in, block, part, from + done) && write_at(out, block, part, to + done);
	}
	free(block);
	return well;
}

/* The same of what is not a hole. */
static bool copy_data(int in, uint64_t from, int out, uint64_t to, uint64_t n)
{
	off_t at = (off_t)from, end = (off_t)(from + n);

	while (at < end) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO;
		if (data >= end)
			return true;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0)
			return false;
		hole = PC_MIN(hole, end);
		if (!copy_bytes(in, (uint64_t)data, out, to + (uint64_t)data - from,
				(uint64_t)(hole - data)))
			return false;
		at = hole;
	}
	return true;
}

bool core_copy(struct core *c, int fd, const char *path)
{
	if (ftruncate(fd, (off_t)c->size) || !copy_data(c->fd, 0, fd, 0, c->size))
		return false;
	c->fd = fd;
	c->path = path;
	return true;
}

/* ---- its headers --------------------------------------------------------------------------- */

static int not_a_core(const char *path, const char *why)
{
	return complain(STATUS_NO,
			"%s is no core dump of a 64-bit x86 process: %s; what the kernel or gcore "
			"writes is accepted",
			path, why);
}

static int by_address(const void *a, const void *b)
{
	const struct core_load *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int add_load(struct core *c, const GElf_Ehdr *e, size_t i, const GElf_Phdr *p)
{
	const uint64_t end = p->p_offset + p->p_filesz;

	if (p->p_type != PT_LOAD || !p->p_memsz)
		return STATUS_OK;
	if (p->p_filesz > p->p_memsz || p->p_vaddr + p->p_memsz < p->p_vaddr)
		return not_a_core(c->path, "a segment makes no sense");
	if (p->p_filesz && (p->p_offset > c->size || p->p_filesz > c->size - p->p_offset))
		return complain(STATUS_NO,
				"%s is cut short: it has %llu bytes, and a segment ends at %llu; "
				"`ulimit -c unlimited` and room on the disk give a whole one",
				c->path, (unsigned long long)c->size, (unsigned long long)end);
	c->load[c->loads++] = (struct core_load){
	    .start = p->p_vaddr,
	    .end = p->p_vaddr + p->p_memsz,
	    .offset = p->p_offset,
	    .bytes = p->p_filesz,
	    .header = e->e_phoff + i * e->e_phentsize,
	};
	return STATUS_OK;
}

static int read_loads(struct core *c, Elf *elf, const GElf_Ehdr *e)
{
	int err = STATUS_OK;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return not_a_core(c->path, elf_errmsg(-1));
	c->load = calloc(n ? n : 1, sizeof(*c->load));
	if (!c->load)
		return complain(STATUS_NO, "no memory");
	for (size_t i = 0; i < n && err == STATUS_OK; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p))
			err = not_a_core(c->path, elf_errmsg(-1));
		else
			err = add_load(c, e, i, &p);
	}
	qsort(c->load, c->loads, sizeof(*c->load), by_address);
	return err;
}

static int read_headers(struct core *c, Elf *elf)
{
	GElf_Ehdr e;

	if (elf_kind(elf) != ELF_K_ELF)
		return not_a_core(c->path, "it is no ELF file");
	if (!gelf_getehdr(elf, &e))
		return not_a_core(c->path, elf_errmsg(-1));
	if (e.e_type != ET_CORE || e.e_machine != EM_X86_64 || gelf_getclass(elf) != ELFCLASS64)
		return not_a_core(c->path, "it is an ELF file of another kind");
	return read_loads(c, elf, &e);
}

int core_open(struct core *c, int fd, const char *path)
{
	struct stat st;
	Elf *elf;
	int err;

	*c = (struct core){.path = path, .fd = fd};
	if (fstat(fd, &st))
		return complain(STATUS_NO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain(STATUS_NO, "%s is not a regular file", path);
	c->size = (uint64_t)st.st_size;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	err = elf ? read_headers(c, elf) : not_a_core(path, elf_errmsg(-1));
	elf_end(elf);
	if (err != STATUS_OK)
		core_close(c);
	return err;
}

void core_close(struct core *c)
{
	free(c->load);
	c->load = NULL;
	c->loads = 0;
}

/* ---- its memory ---------------------------------------------------------------------------- */

/* The segment that has all of [at, at + n); NULL if none. */
static struct core_load *load_of(const struct core *c, pc_addr at, size_t n)
{
	size_t low = 0, high = c->loads;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->load[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == c->loads || c->load[low].start > at || c->load[low].end - at < n)
		return NULL;
	return &c->load[low];
}

static bool in_file(const struct core_load *l, pc_addr at, size_t n)
{
	return at - l->start + n <= l->bytes;
}

bool core_read(const struct core *c, pc_addr at, void *to, size_t n)
{
	const struct core_load *l = load_of(c, at, n);

	return l && in_file(l, at, n) && read_at(c->fd, to, n, l->offset + (at - l->start));
}

/* All of the segment at the end of the file, then its header: until then the old one holds. */
static bool lay_out_anew(struct core *c, struct core_load *l)
{
	const uint64_t to = page_ceil(c->size), bytes = l->end - l->start;
	Elf64_Phdr p;

	if (ftruncate(c->fd, (off_t)(to + bytes)) ||
	    !copy_data(c->fd, l->offset, c->fd, to, l->bytes) ||
	    !read_at(c->fd, &p, sizeof(p), l->header))
		return false;
	p.p_offset = to;
	p.p_filesz = bytes;
	if (!write_at(c->fd, &p, sizeof(p), l->header))
		return false;
	c->size = to + bytes;
	l->offset = to;
	l->bytes = bytes;
	return true;
}

bool core_write(struct core *c, pc_addr at, const void *from, size_t n)
{
	struct core_load *l = load_of(c, at, n);

	errno = 0;
	if (!l)
		return false;
	if (!in_file(l, at, n) && !lay_out_anew(c, l))
		return false;
	return write_at(c->fd, from, n, l->offset + (at - l->start));
}
