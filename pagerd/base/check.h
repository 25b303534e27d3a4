/*
 * check.h - assertions, and the one way to die.
 *
 *   PC_ASSERT(c)     an invariant; stays in release builds. One claim each.
 *   PC_EXPENSIVE(c)  the same, where the check costs; only with -DPC_CHECKS (debug, tests).
 *   PC_POINT(name)   a named place where tests stop a thread to force an interleaving; nothing
 *                    outside test builds.
 *
 * Never asserted: what the kernel or a user may answer. Those are handled.
 */
#ifndef PC_BASE_CHECK_H
#define PC_BASE_CHECK_H

#include <stdint.h>

/*
 * Says `what` and the two facts on standard error in one line and ends the process (SIGABRT with
 * the default action, so that a core is left; exit status 134 if even that fails). The userfaultfd
 * stays open to the end: threads that wait for a page wait until they die.
 */
_Noreturn void pc_fatal(const char *what, uint64_t fact1, uint64_t fact2);

#define PC_STR2(x) #x
#define PC_STR(x)  PC_STR2(x)
#define PC_ASSERT(c)                                                                               \
	do {                                                                                       \
		if (__builtin_expect(!(c), 0))                                                     \
			pc_fatal(__FILE_NAME__ ":" PC_STR(__LINE__) ": " #c, 0, 0);                \
	} while (0)

#ifdef PC_CHECKS
#define PC_EXPENSIVE(c) PC_ASSERT(c)
#else
#define PC_EXPENSIVE(c)                                                                            \
	do {                                                                                       \
	} while (0)
#endif

#ifdef PC_POINTS
void pc_point(const char *name); /* supplied by the test */
#define PC_POINT(name) pc_point(name)
#else
#define PC_POINT(name)                                                                             \
	do {                                                                                       \
	} while (0)
#endif

#endif
