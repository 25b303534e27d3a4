#include "able.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#define BTF_FILE    "/sys/kernel/btf/vmlinux"
#define KPROBE_TYPE "/sys/bus/event_source/devices/kprobe/type"

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

/* The number of a type of the running kernel, or -errno. */
static int kernel_type(const char *name, __u32 kind)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int id;

	if (!kernel)
		return -errno;
	id = btf__find_by_name_kind(kernel, name, kind);
	btf__free(kernel);
	return id;
}

bool able_to_trace(const char *tracepoint)
{
	char name[128];

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	return kernel_type(name, BTF_KIND_TYPEDEF) >= 0;
}

bool able_to_enter(const char *function)
{
	static const struct bpf_insn return_0[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	const int id = kernel_type(function, BTF_KIND_FUNC);
	int program, attached;

	if (id < 0)
		return false;
	opts.attach_btf_id = (__u32)id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "able_to_enter", "GPL", return_0,
				sizeof(return_0) / sizeof(return_0[0]), &opts);
	if (program < 0)
		return false;
	attached = bpf_raw_tracepoint_open(NULL, program);
	if (attached >= 0)
		close(attached);
	close(program);
	return attached >= 0;
}

bool able_to_probe(const char *function)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	FILE *file = fopen(KPROBE_TYPE, "re");
	int found, fd;

	if (!file)
		return false;
	found = fscanf(file, "%u", &attr.type);
	fclose(file);
	if (found != 1)
		return false;
	attr.kprobe_func = (uintptr_t)function;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
