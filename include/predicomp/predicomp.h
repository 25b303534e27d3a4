/*
 * predicomp.h - what a program may say to, and ask of, the library that manages it.
 *
 * Everything here is optional: a program needs no change to be managed. All functions are weak: a
 * program that calls them runs unchanged when the library is not loaded. Test with
 * predicomp_loaded(), or use the results, which are those of "not managed".
 *
 *     cc app.c                     # no library to link
 *     LD_PRELOAD=libpredicomp.so ./a.out
 *
 * What is built to lie at a fixed address (-no-pie) wants -fno-plt as well: else the linker takes
 * every function here for missing, and the library is not found when it is there.
 *
 * All functions may be called from any thread at any time, but not from signal handlers. None
 * touches errno. None waits for the pager, but for predicomp_leave(): until the memory is back.
 */
#ifndef PREDICOMP_H
#define PREDICOMP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PREDICOMP_VERSION_MAJOR 0
#define PREDICOMP_VERSION_MINOR 1
#define PREDICOMP_VERSION_PATCH 0

#ifdef PREDICOMP_IMPLEMENTATION
#define PREDICOMP_API __attribute__((visibility("default")))
#else
#define PREDICOMP_API __attribute__((weak))
#endif

/* Version of the loaded library: major << 16 | minor << 8 | patch. */
PREDICOMP_API unsigned predicomp_version(void);

/* 1 while memory of this process is managed, 0 while it is left alone (yet). */
PREDICOMP_API int predicomp_enabled(void);

/*
 * Value of the counter or gauge `name` of counters.def, in that table's unit. 0 on success,
 * -ENOENT for an unknown name, -EAGAIN before the pager has started.
 */
PREDICOMP_API int predicomp_counter(const char *name, uint64_t *value);

/*
 * Hints on [start, start + length), bytes; only whole 4 KiB pages inside it count. They return 0,
 * -EAGAIN when nothing is managed, or -EINVAL for an empty or wrapping range.
 *   willneed  it will be touched soon: packed pages come back now, in the background
 *   cold      it will not be touched for a while: it may leave at once, whatever its age
 *   leave     never manage it (again), as long as it is mapped
 */
PREDICOMP_API int predicomp_willneed(const void *start, size_t length);
PREDICOMP_API int predicomp_cold(const void *start, size_t length);
PREDICOMP_API int predicomp_leave(const void *start, size_t length);

/*
 * The program enters another phase: what was cold may be warm now. The pager forgets what it has
 * learnt about age and starts over. 0 or -EAGAIN.
 */
PREDICOMP_API int predicomp_phase(void);

#ifndef PREDICOMP_IMPLEMENTATION
/* True when the library is loaded; usable without it. */
static inline int predicomp_loaded(void)
{
	return predicomp_version != 0;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
