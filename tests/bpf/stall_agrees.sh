#!/usr/bin/env bash
# stall_agrees.sh BUILD: the kernel and the library time the same restores. What `predicomp stat` calls
# fault_all, from reading a fault to having woken the program, `predicomp stall` sees from outside as the
# time between a pager that runs and the thread that it wakes. Their medians must be within a fifth of
# each other; a machine that is busy may need more than one try. Each fault brings 64 pages: the thread that
# is woken may run before the pager looks at its clock again, which in a short restore is more than a fifth.
set -uo pipefail

build=${1:?usage: $0 BUILD}
predicomp=$build/predicomp
host=$build/bench/host/cold_touch
scratch=$(mktemp -d)
trap 'exec 8>&- 2>/dev/null; rm -rf "$scratch"' EXIT

skip() {
	printf 'SKIP: %s\n' "$1"
	exit 77
}

[ -x "$host" ] || skip 'the programs of bench/ are not built'
out=$("$predicomp" check 2>&1) || skip "$(tail -n 1 <<<"$out")"
out=$("$predicomp" stall -- true 2>&1) || skip "$(tail -n 1 <<<"$out")"

# once: sets kernel and library, medians in nanoseconds, and how many faults each saw
once() {
	local pid watcher
	rm -f "$scratch/in"
	mkfifo "$scratch/in"
	env LD_PRELOAD="$build/libpredicomp.so" PREDICOMP_COLD_AGE=100ms PREDICOMP_MIN_RSS=1M \
		PREDICOMP_MAX_CPU=100% PREDICOMP_FAULT_AROUND=64 "$host" 64 <"$scratch/in" >"$scratch/out" &
	pid=$!
	exec 8>"$scratch/in"
	sleep 1
	"$predicomp" evict --quiet "$pid" || return 1
	"$predicomp" stall --json -p "$pid" >"$scratch/stall" 8>&- &
	watcher=$!
	sleep 1
	echo 'random 2000' >&8
	for _ in $(seq 100); do
		grep -q touches= "$scratch/out" && break
		sleep 0.1
	done
	"$predicomp" stat --json "$pid" >"$scratch/stat"
	exec 8>&-
	wait "$pid" "$watcher"
	read -r kernel library seen counted < <(python3 - "$scratch/stall" "$scratch/stat" <<'PY'
import json, sys
serve = json.load(open(sys.argv[1]))["userfaultfd_serve"]
own = json.load(open(sys.argv[2]))["histograms"]["fault_all"]
print(serve["p50_ns"], own["p50"], serve["count"], own["count"])
PY
	)
}

for try in 1 2 3 4 5; do
	once || continue
	echo "try $try: kernel $kernel ns of $seen faults, library $library ns of $counted"
	[ "${seen:-0}" -ge 100 ] || continue
	[ $((kernel * 10)) -ge $((library * 8)) ] && [ $((kernel * 10)) -le $((library * 12)) ] && exit 0
done
echo 'FAIL: the medians never were within a fifth of each other'
exit 1
