/*
 * check.h - assertions, and the one way to die.
 *
 *   PC_ASSERT(c)  an invariant; stays in release builds. One claim each.
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

#endif
