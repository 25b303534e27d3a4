#!/usr/bin/env bash
# wild_write.sh LIBRARY: a program writes over the library's memory and then reads a packed page. The process
# ends, with a line that names the page, and never reads a wrong byte. See wild_write.c.
. "$(dirname "$0")/real.bash" "$@"
needs env
ulimit -c 0

# attempt HOW [COLD_AGE]: leaves the exit status in $status, the address of the page in $at. With COLD_AGE its
# memory leaves by itself.
attempt() {
	rm -f "$scratch"/to "$scratch"/from
	mkfifo "$scratch/to" "$scratch/from"
	env PREDICOMP_COLD_AGE=${2:-1h} PREDICOMP_MIN_RSS=0 PREDICOMP_MAX_CPU=100% PREDICOMP_FAULT_AROUND=1 \
		LD_PRELOAD="$library" "$build/tests/real/wild_write" "$1" \
		<"$scratch/to" >"$scratch/from" 2>"$scratch/$1.err" &
	host=$!
	exec 3>"$scratch/to" 4<"$scratch/from"
	read -r -t 60 -u 4 at || fail "$1: the program does not start"
	[ -n "${2-}" ] || "$build/predicomp" evict "$host" >"$scratch/evict" 2>&1 || fail "$1: nothing could be evicted"
	echo >&3
	wait "$host" 2>/dev/null
	status=$?
	exec 3>&- 4<&-
}

for how in body first few word flip staged same; do
	attempt "$how"
	[ "$status" = 134 ] || fail "$how: ends with $status, not by SIGABRT"
	line=$(grep 'predicomp\[' "$scratch/$how.err") || fail "$how: ends without a line"
	[[ $line == *"fact1=$at"* ]] || fail "$how: '$line' does not name $at"
	echo "$how: ${line#*: }"
done
# The books of the store: the thread that walks them may be the first to fall.
attempt slab
[ "$status" = 134 ] || [ "$status" = 139 ] || fail "slab: ends with $status"
echo "slab: ended with $status"
attempt past
[ "$status" = 139 ] || fail "past: ends with $status, not at the guard page"
echo "past: ended with $status"
# What has left and is not packed yet cannot be written to at all.
attempt left 3s
[ "$status" = 139 ] || fail "left: ends with $status, not at the write"
echo "left: ended with $status"
