/*
 * rights.h - what root may do, and others may not: rights_drop(CAP_...), of the calling thread, for good.
 *            By libc's function: who changes identity by number is left alone.
 */
#ifndef SUPPORT_RIGHTS_H
#define SUPPORT_RIGHTS_H

#include "live/host.h"

#include <linux/capability.h>
#include <sys/syscall.h>

int capset(cap_user_header_t header, const cap_user_data_t data); /* no header has it */

static inline void rights_drop(unsigned capability)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	const uint32_t others = ~(1u << capability % 32);

	HOST_CHECK(syscall(SYS_capget, &header, data) == 0);
	data[capability / 32].effective &= others;
	data[capability / 32].permitted &= others;
	data[capability / 32].inheritable &= others;
	HOST_CHECK(capset(&header, data) == 0);
}

#endif
