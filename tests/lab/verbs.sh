#!/usr/bin/env bash
# The kernel's view on this kernel: each verb answers from programs inside it, of those that its object
# has every one is loaded whose tracepoint or function this kernel has, and whoever may not load any is
# told in one line what is missing.
. "$(dirname "$0")/lab.bash"

predicomp=$build/predicomp
btf=/sys/kernel/btf/vmlinux
[ -d "$build/bpf" ] || skip 'the command was built without BPF'
[ -r $btf ] || skip "Linux $(uname -r) has no $btf"
bpftool btf dump file $btf | grep -E " FUNC '|'btf_trace_" >"$scratch/types"
sed -n "s/.*TYPEDEF 'btf_trace_\([^']*\)'.*/\1/p" "$scratch/types" | sort -u >"$scratch/tp_btf"
sed -n "s/.* FUNC '\([^']*\)'.*/\1/p" "$scratch/types" | sort -u >"$scratch/fentry"
awk '{ print $3 }' /proc/kallsyms | sort -u >"$scratch/kprobe"
cp "$scratch/fentry" "$scratch/fexit"
cp "$scratch/kprobe" "$scratch/kretprobe"
[ -s "$scratch/tp_btf" ] && [ -s "$scratch/kprobe" ] || fail 'nothing is known of this kernel'

# placed OBJECT: its programs, as "name kind target"
placed() {
	readelf -SsW "$1" | sed 's/^ *\[ *\([0-9]*\)\]/section \1/' | awk '
		$1 == "section" { sub(/^\?/, "", $3); place[$2] = $3 }
		$4 == "FUNC" && $5 == "GLOBAL" { split(place[$7], p, "/"); print $8, p[1], p[2] }'
}

# is_there KIND TARGET: this kernel has such a place; of kinds with a list only
is_there() {
	[ ! -e "$scratch/$1" ] || grep -qx -- "$2" "$scratch/$1"
}

# wanted OBJECT: the names of those that this kernel has a place for. A kprobe stands in where the
# same place cannot be had as fentry, and perf's events where no function's end can be.
wanted() {
	local name kind target
	placed "$1" >"$scratch/placed"
	while read -r name kind target; do
		is_there "$kind" "$target" || continue
		[[ $kind != k*probe ]] || ! grep -q " f[a-z]* $target\$" "$scratch/placed" ||
			! is_there fentry "$target" || continue
		[ "$kind" != perf_event ] || ! grep -q ' fexit ' "$scratch/placed" || continue
		echo "$name"
	done <"$scratch/placed" | sort
}

# loaded PID: the names of the programs that a process holds
loaded() {
	local held
	held=$(cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | paste -sd' ')
	bpftool prog show | awk -v held=" $held " '
		/^[0-9]+:/ { id = $1; sub(/:/, "", id)
			if (index(held, " " id " ")) for (i = 2; i < NF; i++) if ($i == "name") print $(i + 1) }' | sort
}

all_loaded() {
	[ -z "$(comm -23 "$scratch/wanted" <(loaded "$1"))" ]
}

# holds OBJECT VERB ARGUMENT...: the verb, at work, holds what the object has for this kernel
holds() {
	local object=$build/bpf/$1.bpf.o verb
	shift
	wanted "$object" >"$scratch/wanted"
	[ -s "$scratch/wanted" ] || fail "$1: nothing to load in $object"
	"$predicomp" "$@" >"$scratch/out" 2>&1 &
	verb=$!
	until_true 120 all_loaded $verb || fail "$1 holds $(loaded $verb | xargs), and $(
		comm -23 "$scratch/wanted" <(loaded $verb) | xargs) not: $(tail -n 2 "$scratch/out")"
	printf '  %-10s %s\n' "$1" "$(xargs <"$scratch/wanted")"
	kill -INT $verb
	wait $verb 2>/dev/null
}

echo "programs held on Linux $(uname -r):"
holds faults faults -p $$ 1s
holds stall stall -p $$ 1s
holds reclaim reclaim 1s
holds life lifecycle
holds thp thp -p $$ 1s
holds faults trace --output "$scratch/trace" -p $$
holds profile profile serve -- sleep 30
holds faults heatmap -p $$ -o "$scratch/map.json"
holds faults access -p $$

# --- each answers, from inside the kernel, and says which function it stands at

cat >"$scratch/touch.py" <<'PY'
import mmap
m = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, len(m), 4096):
    m[at] = 1
mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
PY

# answers PATTERN ARGUMENT...: of 4096 pages touched in order
answers() {
	local pattern=$1
	shift
	"$predicomp" "$@" -- python3 "$scratch/touch.py" >"$scratch/out" 2>"$scratch/err" ||
		fail "$1 ends with $?: $(tail -n 3 "$scratch/err")"
	tr -d '\n' <"$scratch/out" | grep -Eq -- "$pattern" || fail "$1 says: $(head -c 400 "$scratch/out")"
	[ ! -s "$scratch/err" ] || ! grep -q 'CAP_\|perf' "$scratch/err" ||
		fail "$1 as root lacks something: $(cat "$scratch/err")"
}

answers '"source": "bpf".*"minor": [4-9][0-9]{3}.*"gup_source": "fentry/handle_mm_fault"' faults --json
answers '"ran": *\{[^}]*"count": [4-9][0-9]{3}.*"ends_source": "fexit/handle_mm_fault"' stall --json
answers '"direct": [0-9].*"pageout_source": "fexit/reclaim_pages"' reclaim --json
answers '"event":"exec".*"event":"exit"' lifecycle --json
answers '"faults": [0-9].*"sources".*"splits": "fentry/__split_huge_pmd"' thp --json
answers 'minor.*minor.*,minor,gup,write,0x[0-9a-f]+,0x0' trace --csv
answers '(.*,.*){5}' profile serve --csv
answers '"order": "sequential"' access --json
"$predicomp" heatmap -o "$scratch/map.json" -- python3 "$scratch/touch.py" >/dev/null 2>"$scratch/err" ||
	fail "heatmap ends with $?: $(cat "$scratch/err")"
python3 - "$scratch/map.json" <<'PY' || fail "heatmap: $(head -c 400 "$scratch/map.json")"
import json, sys
m = json.load(open(sys.argv[1]))
assert m["sources"]["kernel"]["present"], m["sources"]
assert next(l["total"] for l in m["layers"] if l["name"] == "minor") >= 4096
PY

# --- as somebody who may load none: one line of what is missing, and what to do

# refuses STATUS ARGUMENT...
refuses() {
	local status=$1 line
	shift
	line=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$predicomp" "$@" 2>&1 >/dev/null </dev/null)
	[ $? = "$status" ] || fail "$1 as nobody does not end with $status: $line"
	[ "$(grep -c 'CAP_BPF and CAP_PERFMON' <<<"$line")" = 1 ] || fail "$1 as nobody says: $line"
}

for verb in stall reclaim thp lifecycle 'trace --csv' 'profile serve --csv'; do
	# shellcheck disable=SC2086
	refuses 4 $verb -- true
done
refuses 0 faults -- true

[ $lab_failed = 0 ] && echo "the kernel's view answers on Linux $(uname -r)"
exit $lab_failed
