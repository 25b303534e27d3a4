#!/usr/bin/env bash
# DAMON as it is: what it finds, beside what the probe does, heard and by files.
. "$(dirname "$0")/damon.bash"

# --- hot and cold, by both sources ---

declare -A row
measure() {
	local line
	line=$(host PREDICOMP_HOTNESS="$1" "$build/tests/lab/hot_cold") || fail "hot_cold with HOTNESS=$1: $line"
	row[$1]=$line
	local cold_away hot_touched
	cold_away=$(field cold_away <<<"$line") packed=$(field packed <<<"$line")
	hot_touched=$(($(field hot_away <<<"$line") + $(field restored <<<"$line")))
	[ "${cold_away:-0}" -ge $((32768 * 95 / 100)) ] && [ "$packed" -ge $((32768 * 95 / 100)) ] ||
		fail "HOTNESS=$1: only $cold_away of 32768 cold pages are away, $packed packed"
	[ "${hot_touched:-4096}" -le $((4096 * 2 / 100)) ] ||
		fail "HOTNESS=$1: $hot_touched of 4096 hot pages were packed"
}

measure damon
measure probe
[ "$(field regions <<<"${row[damon]}")" -gt 0 ] || fail "HOTNESS=damon saw no region"
[ "$(field regions <<<"${row[probe]}")" = 0 ] || fail "HOTNESS=probe used DAMON"
none_left || fail "$(cat $damon/nr_kdamonds) kdamonds are left after the programs ended"

printf '\n16 MB hot, 128 MB cold, cold age 2 s; emulated CPUs: compare, do not quote\n'
printf '%-44s%10s%10s\n' '' damon probe
show() {
	printf '%-44s%10s%10s\n' "$1" "$(field "$2" <<<"${row[damon]}")" "$(field "$2" <<<"${row[probe]}")"
}
show 'time until 95 % was packed, ms' to_pack
show 'cold pages away, of 32768' cold_away
show 'pages packed' packed
show 'pages restored before the cold part was read' restored
show 'pages moved out on trial and given back' tried
show 'refaults' refaults
show 'CPU of the background thread, ms' work_cpu
show 'CPU of the pagers, ms' pager_cpu
show 'CPU of the kdamond, ms' kdamond_cpu
echo

# --- without a tracefs: by files ---

# Beside another emulated machine a snapshot takes longer than a second, and the regions, which the
# kernel cuts at random, may not have found a fourth of the cold part after 300 s: then once more.
by_files() {
	line=$(host PREDICOMP_HOTNESS=damon HOST_SETTLE=1 HOST_SECONDS=150 unshare -m sh -c "umount -a -t tracefs
		[ ! -e /sys/kernel/tracing/events ] && exec '$build/tests/lab/hot_cold'") &&
		[ "$(field cold_away <<<"$line")" -ge $((32768 * 95 / 100)) ]
}
by_files || { echo "without tracefs, once more: $line"; by_files; } || fail "without tracefs: $line"
[ "$(field regions <<<"$line")" -gt 0 ] || fail "without tracefs no region was seen: $line"

[ $lab_failed = 0 ] && echo "DAMON: cold memory found, hot memory left alone"
exit $lab_failed
