#include "able.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>

#define BTF_FILE "/sys/kernel/btf/vmlinux"

int unable(struct unable *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}

/* The effective capabilities of this process as a mask; 0 when they cannot be read. */
static unsigned long long capabilities(void)
{
	unsigned long long mask = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status)) {
		if (sscanf(line, "CapEff: %llx", &mask) == 1)
			break;
	}
	fclose(status);
	return mask;
}

static bool has(unsigned long long mask, unsigned capability)
{
	return mask >> capability & 1;
}

int able_to_load(struct unable *why)
{
	const unsigned long long mask = capabilities();
	const bool bpf = has(mask, CAP_BPF), perfmon = has(mask, CAP_PERFMON);

	if (access(BTF_FILE, R_OK) != 0)
		return unable(why, -ENOENT,
			      BTF_FILE ": %s; a kernel with CONFIG_DEBUG_INFO_BTF=y is needed, as "
				       "Debian's are, and /sys mounted",
			      strerror(errno));
	if (has(mask, CAP_SYS_ADMIN) || (bpf && perfmon))
		return 0;
	return unable(why, -EPERM,
		      "%s%s%s missing; run it as root, or once: "
		      "setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep on the command",
		      bpf ? "" : "CAP_BPF", bpf || perfmon ? "" : " and ",
		      perfmon ? " is"
		      : bpf   ? "CAP_PERFMON is"
			      : "CAP_PERFMON are");
}

bool able_to_trace(const char *tracepoint)
{
	char name[128];
	struct btf *kernel = btf__load_vmlinux_btf();
	int id;

	if (!kernel)
		return false;
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	id = btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF);
	btf__free(kernel);
	return id >= 0;
}
