#include "real.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>

#define ERRNO_MAX 4095

static long libc_result(long raw)
{
	if (raw >= 0 || raw < -ERRNO_MAX)
		return raw;
	errno = (int)-raw;
	return -1;
}

/* Fills up to six arguments with zeros; what is left over goes into the dots. */
#define SIX(nr, a, b, c, d, e, f, ...) SYS6(nr, a, b, c, d, e, f)
#define PADDED(nr, ...)		       SIX(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define LIST(...)		       __VA_ARGS__

#define X(result, name, params, args)                                                              \
	static result raw_##name params                                                            \
	{                                                                                          \
		return (result)libc_result(PADDED(__NR_##name, LIST args));                        \
	}
REAL_SYSTEM_CALLS(X)
#undef X

#define X(result, name, params, args)                                                              \
	static result late_##name params                                                           \
	{                                                                                          \
		real_resolve();                                                                    \
		return real.name args;                                                             \
	}
REAL_LIBRARY(X)
#undef X

struct real real = {
#define X(result, name, params, args) .name = raw_##name,
    REAL_SYSTEM_CALLS(X)
#undef X
#define X(result, name, params, args) .name = late_##name,
	REAL_LIBRARY(X)
#undef X
};

/* A function pointer may not be written through a void **, so it is copied. */
static bool resolve(const char *name, void *slot)
{
	void *next = dlsym(RTLD_NEXT, name);

	if (next)
		memcpy(slot, &next, sizeof(next));
	return next != NULL;
}

static size_t size_unknown(void *block)
{
	(void)block;
	return 0;
}

bool real_object_has(const struct dl_phdr_info *object, const void *fn)
{
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_LOAD &&
		    (uintptr_t)fn - object->dlpi_addr - part->p_vaddr < part->p_memsz)
			return true;
	}
	return false;
}

struct asked {
	const void *fn, *object;
};

static int look_for(struct dl_phdr_info *object, size_t size, void *arg)
{
	struct asked *a = arg;

	(void)size;
	if (!real_object_has(object, a->fn))
		return 0;
	a->object = object->dlpi_phdr;
	return 1;
}

const void *real_object_of(const void *fn)
{
	struct asked a = {fn, NULL};

	dl_iterate_phdr(look_for, &a);
	return a.object;
}

/* One allocator must not be asked about the blocks of another. */
static void match_allocator(void)
{
	if (real_object_of((const void *)real.realloc) !=
	    real_object_of((const void *)real.malloc_usable_size))
		real.malloc_usable_size = size_unknown;
}

void real_resolve(void)
{
/* A libc older than the system call does not have it: the raw one stays. */
#define X(result, name, params, args) resolve(#name, &real.name);
	REAL_SYSTEM_CALLS(X)
#undef X
#define X(result, name, params, args)                                                              \
	if (!resolve(#name, &real.name))                                                           \
		pc_fatal("libc has no " #name, 0, 0);
	REAL_LIBRARY(X)
#undef X
	match_allocator();
}
