/*
 * core.h - a core dump as the memory of the process that it is of.
 *
 * DESIGN  libelf finds the segments; bytes go by pread(2) and pwrite(2) at the place in the file
 *         that an address has. A segment of which the kernel wrote less than all (p_filesz below
 *         p_memsz) is laid out anew at the end of the file when something beyond is written: what was
 *         there is copied, its header is turned to the new place, nothing else moves.
 * THREADS none: one caller.
 */
#ifndef PC_TOOLS_CORE_H
#define PC_TOOLS_CORE_H

#include "tool.h"

struct core_load {
	pc_addr start, end; /* in the process */
	uint64_t offset;    /* in the file */
	uint64_t bytes;	    /* of it that are in the file */
	uint64_t header;    /* where its program header lies in the file */
};

struct core {
	const char *path;
	int fd;
	uint64_t size;		/* of the file */
	struct core_load *load; /* by address */
	size_t loads;
};

/*
 * Reads the headers of the ELF core dump behind `fd`, which stays the caller's. STATUS_OK, or why
 * it is none that can be used, said; then there is nothing to close. A dump that is cut short is
 * refused.
 */
int core_open(struct core *c, int fd, const char *path);
void core_close(struct core *c);

/* All of [at, at + n), if the file has it. */
bool core_read(const struct core *c, pc_addr at, void *to, size_t n);

/* False: no segment has all of [at, at + n) (errno 0), or the file could not be written (errno). */
bool core_write(struct core *c, pc_addr at, const void *from, size_t n);

/* Writes what `c` holds to `fd`, an empty file, holes as holes; `c` is of that file from now on. */
bool core_copy(struct core *c, int fd, const char *path);

#endif
