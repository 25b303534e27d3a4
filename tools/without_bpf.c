/* without_bpf - the verbs of the kernel's view in a command that was built with PREDICOMP_BPF=OFF.
 */
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
