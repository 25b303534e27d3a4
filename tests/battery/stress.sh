#!/usr/bin/env bash
# stress-ng: stressors of memory, which check what they wrote. Each runs without the library and with
# it: same exit status, nothing found wrong, and something done. Its workers end without a report, so they
# are looked at while they run; over all of them memory must have been packed. A stressor that fails
# without the library, as stress-ng's own do where the machine is slow, is tried again first.
# STRESS_SECONDS (2) is the length of each.
. "$(dirname "$0")/../real/real.bash" "$@"
needs stress-ng
seconds=${STRESS_SECONDS:-2}
total=0

failed_with() {
	cat "$scratch/shim.out"
	fail "$1"
}

# operations FILE: of the line of the stressor's figures
operations() {
	awk '/metrc:/ && $5 ~ /^[0-9]+$/ { n = $5 } END { print n + 0 }' "$1"
}

# What a stressor says that it found; the summary says "failed: 0".
complaints() {
	grep -cE 'stress-ng: (fail|error):|SIGSEGV|SIGBUS' "$1"
}

# Processes below PID, itself included.
family() {
	local child
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		family "$child"
	done
}

# What the workers of a process have packed by now; one that has just ended has nothing to say.
packed_below() {
	local pid
	for pid in $(family "$1"); do
		"$build/predicomp" stat --json "$pid" 2>/dev/null |
			sed -n 's/^ *"pages_evicted": \([0-9]*\),*$/\1/p'
	done | awk '{ n += $1 } END { printf "%d", n }'
}

# watch PID: until it ends; the most that was seen is left in $packed
watch() {
	local now
	packed=0
	while kill -0 "$1" 2>/dev/null; do
		now=$(packed_below "$1")
		packed=$((now > packed ? now : packed))
		sleep 0.3
	done
}

# plainly FILE COMMAND...: without the library, three times at most; ends as the last one did
plainly() {
	local status tries
	for tries in 1 2 3; do
		"${@:2}" >"$1" 2>&1 </dev/null
		status=$?
		[ $status != 0 ] || break
	done
	return $status
}

# stress NAME ARGUMENT...
stress() {
	local plain shimmed
	local words=(stress-ng --temp-path "$scratch" --oomable --metrics-brief --verify --timeout
		"${seconds}s" "--$1" 2 "${@:2}")
	plainly "$scratch/plain.out" "${words[@]}"
	plain=$?
	: >"$scratch/csv"
	under_library "${words[@]}" >"$scratch/shim.out" 2>&1 </dev/null &
	running=$!
	watch "$running"
	wait "$running"
	shimmed=$?
	[ $shimmed = $plain ] ||
		failed_with "$1 exits with $shimmed, and with $plain without the library"
	! grep -q 'predicomp\[' "$scratch/shim.out" || failed_with "$1 makes the library complain"
	[ "$(complaints "$scratch/plain.out")" != 0 ] || [ "$(complaints "$scratch/shim.out")" = 0 ] ||
		failed_with "$1 finds something wrong"
	[ "$(operations "$scratch/plain.out")" = 0 ] || [ "$(operations "$scratch/shim.out")" != 0 ] ||
		failed_with "$1 did nothing"
	[ "$(sum verify_failed)$(sum restore_failed)" = 00 ] || failed_with "a page of $1 failed its check"
	total=$((total + packed))
	echo "$1: $(operations "$scratch/shim.out") operations, without the library" \
		"$(operations "$scratch/plain.out"); at least $packed pages packed"
}

stress vm --vm-bytes 24m --vm-method all
stress mmap --mmap-bytes 16m
stress mremap --mremap-bytes 16m
stress madvise
stress fork
stress userfaultfd --userfaultfd-bytes 8m
stress brk
stress malloc --malloc-bytes 16m
stress pthread
[ "$total" -ge 2000 ] || fail "$total pages were packed, 2000 are too few to show anything"
