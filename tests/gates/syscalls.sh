#!/usr/bin/env bash
# What may be spelled in few files only is spelled nowhere else. Comments and strings do not count.
set -euo pipefail
. "$(dirname "$0")/gate.bash"
cd "$source_dir"

mapfile -t files < <(find pagerd preload -name '*.[ch]' | sort)
code=$(code_lines "${files[@]}")

# only PATTERN FILES WHAT: no line has PATTERN but in FILES, a regular expression of paths.
only() {
	fail "$3" < <(grep -E -- "^[^:]*:[0-9]+:.*($1)" <<<"$code" | grep -vE -- "^($2):")
}

only '\b(__asm__|asm)\b[^/]' 'pagerd/base/((sys|mem)\.c|(atomic|clock)\.[ch])|preload/[a-z_]+\.[ch]' \
	'assembly outside base/ and the shim'
only '\bsyscall[ \t]*\(' 'preload/[a-z_]+\.[ch]' "libc's syscall() outside the shim"
only '\b(sys_call|SYS[1-6])[ \t]*\(|\b__NR_' \
	'pagerd/(base/|kernel/|)[a-z]+\.[ch]|preload/[a-z_]+\.[ch]' \
	'a system call by number in state/ or flow/'
only '__(atomic|sync)_|\b_Atomic\b' 'pagerd/base/atomic\.h' 'an atomic without its order in its name'
only '\b(uname|utsname)\b' 'pagerd/kernel/caps\.c' 'the kernel version asked for outside kernel/caps.c'
only '\b((secure_)?getenv|environ)\b' 'pagerd/base/options\.c|preload/[a-z_]+\.[ch]' \
	'the environment read outside base/options.c and the shim'
# Writing there clears marks that others in the process go by; comments need not name it either (hazard N10).
fail 'clear_refs is named' < <(grep -rn clear_refs pagerd preload tools bpf)
fail 'state/ makes a system call' < <(grep -E '^pagerd/state/.*\bsys_' <<<"$code")
finish
