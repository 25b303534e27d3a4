#!/usr/bin/env bash
# relocate.sh BUILD: every object finds what it reads in Debian's 6.1 and 6.12 kernels: each field and
# enumerator is relocated against the type information of their images, and every tracepoint that is
# not optional is there, and every function that a program may enter. Nothing is booted or loaded.
set -uo pipefail

build=${1:?usage: $0 BUILD}
lab=$(cd "$(dirname "$0")/../.." && pwd)/tools/lab
cache=${XDG_CACHE_HOME:-$HOME/.cache}/predicomp/lab
PATH=$PATH:/usr/sbin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wrong=0

# relocate IMAGE OBJECT: what has no match there, a line each
relocate() {
	if ! bpftool -d gen min_core_btf "$1" "$scratch/btf" "$2" >"$scratch/said" 2>&1; then
		tail -n 2 "$scratch/said"
		return
	fi
	grep -q 'matching candidate' "$scratch/said" || echo 'nothing was relocated'
	grep -E 'no matching targets|failed to' "$scratch/said"
}

# A field that no kernel has must be noticed, or all of this shows nothing.
cat >"$scratch/bad.bpf.c" <<'C'
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
struct task_struct {
	int no_such_field;
} __attribute__((preserve_access_index));
SEC("tp_btf/sched_process_exit")
int BPF_PROG(bad, struct task_struct *task)
{
	return task->no_such_field;
}
C
clang -g -O2 -target bpf -D__TARGET_ARCH_x86 "-I/usr/include/$(uname -m)-linux-gnu" \
	-c "$scratch/bad.bpf.c" -o "$scratch/bad.bpf.o" || exit 1

for series in 6.1 6.12; do
	said=$("$lab" --kernel "$series" --fetch 2>&1 </dev/null) || {
		echo "SKIP: Debian's $series kernel is not to be had: $(tail -n 1 <<<"$said")"
		exit 77
	}
	image=$(find "$cache" -path "*/$series-*/vmlinux" | sort -V | tail -n 1)
	[ -s "$image" ] || { echo "SKIP: no image of Debian's $series kernel in $cache"; exit 77; }
	bpftool btf dump file "$image" | sed -n "s/.*TYPEDEF 'btf_trace_\([^']*\)'.*/\1/p" |
		sort -u >"$scratch/traced"
	bpftool btf dump file "$image" | sed -n "s/.* FUNC '\([^']*\)'.*/\1/p" | sort -u >"$scratch/functions"
	[ -n "$(relocate "$image" "$scratch/bad.bpf.o")" ] ||
		{ echo "FAIL: $series: a field that is not there was not noticed"; exit 1; }
	for object in "$build"/bpf/*.bpf.o; do
		offences=$(relocate "$image" "$object")
		offences+=$(readelf -SW "$object" | sed -n 's/.* tp_btf\/\([a-z_]*\) .*/\1/p' | sort -u |
			comm -23 - "$scratch/traced" | sed 's/^/no tracepoint /')
		offences+=$(readelf -SW "$object" | sed -n 's/.* ?*f\(entry\|exit\)\/\([a-z_]*\) .*/\2/p' | sort -u |
			comm -23 - "$scratch/functions" | sed 's/^/no function /')
		[ -z "$offences" ] && continue
		printf 'FAIL: %s on %s: %s\n' "$(basename "$object")" "$series" "$offences"
		wrong=1
	done
	echo "$(basename "$(dirname "$image")"): $(find "$build/bpf" -name '*.bpf.o' | wc -l) objects"
done
exit $wrong
