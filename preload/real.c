#include "real.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/sys.h"

#include <dlfcn.h>
#include <errno.h>

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

const void *real_object_of(const void *fn)
{
	Dl_info info;

	return dladdr(fn, &info) ? info.dli_fbase : NULL;
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
