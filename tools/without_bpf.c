/* without_bpf - the verbs of the kernel's view in a command that was built with PREDICOMP_BPF=OFF.
 */
#include "kernel_view.h"
#include "tool.h"

#define PC_VERB(name, arguments, summary)                                                          \
	int cmd_##name(int argc, char **argv)                                                      \
	{                                                                                          \
		(void)argc;                                                                        \
		(void)argv;                                                                        \
		return complain(STATUS_NO,                                                         \
				"%s: this command was built without BPF; configure "               \
				"with -DPREDICOMP_BPF=ON",                                         \
				#name);                                                            \
	}
#include "verbs_bpf.def"
#undef PC_VERB

struct kernel_view *kernel_view_open(int pidfd, enum kernel_view_kind kind, char *why, size_t size)
{
	(void)pidfd;
	(void)kind;
	snprintf(why, size, "this command was built without BPF; configure with -DPREDICOMP_BPF=ON");
	return NULL;
}

void kernel_view_close(struct kernel_view *k)
{
	(void)k;
}

int kernel_view_units(struct kernel_view *k, kernel_unit_fn *fn, void *arg)
{
	(void)k;
	(void)fn;
	(void)arg;
	return 0;
}

int kernel_view_faults(struct kernel_view *k, kernel_fault_fn *fn, void *arg)
{
	(void)k;
	(void)fn;
	(void)arg;
	return 0;
}

uint64_t kernel_view_refused(struct kernel_view *k)
{
	(void)k;
	return 0;
}
