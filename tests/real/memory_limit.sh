#!/usr/bin/env bash
# memory_limit.sh LIBRARY: a program whose memory cgroup has not one page left reads packed memory. The
# kernel refuses every new page by then, so what comes must come from the reserve, and be right.
. "$(dirname "$0")/real.bash" "$@"
needs timeout
[ "$(id -u)" = 0 ] || skip 'a memory cgroup can only be made by root'

# memory_cgroup: the folder of this process's memory cgroup; sets $version
memory_cgroup() {
	local own mount
	own=$(sed -n 's/^[0-9]*:memory:\(.*\)/\1/p' /proc/self/cgroup)
	mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
	version=1
	if [ -z "$mount" ]; then
		version=2
		own=$(sed -n 's/^0:://p' /proc/self/cgroup)
		mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	fi
	# In a container the path may be that of the host: its root is then the mount.
	for parent in "$mount$own" "$mount"; do
		[ -d "$parent" ] && [ -n "$mount" ] && return
	done
	skip 'there is no memory cgroup'
}

limit() {
	if [ "$version" = 1 ]; then
		echo "$1" >"$group/memory.limit_in_bytes"
	else
		echo "$1" >"$group/memory.max"
	fi
}

usage() {
	cat "$group/memory.usage_in_bytes" 2>/dev/null || cat "$group/memory.current"
}

leave() {
	exec 3>&- 4<&-
	[ -z "${host:-}" ] || kill -KILL "$host" 2>/dev/null
	wait
	limit "$((1 << 40))" 2>/dev/null
	rmdir "$group"
	rm -rf "$scratch"
}

# The kernel shall say no, not choose whom to kill, and have nowhere else to put memory.
refuse_rather_than_kill() {
	if [ "$version" = 1 ]; then
		echo 1 >"$group/memory.oom_control" && echo 0 >"$group/memory.swappiness"
	else
		echo 0 >"$group/memory.swap.max"
	fi
}

# Cgroups of version 2 refuse memory only to who may not be killed for it.
spared() {
	[ "$version" = 1 ] || echo -1000 >/proc/self/oom_score_adj
}

expect() {
	local line
	read -r -t 60 -u 4 line || fail "the program does not come to '$1'"
	[ "$line" = "$1" ] || fail "the program says '$line', not '$1'"
}

memory_cgroup
group=$parent/predicomp-test.$$
mkdir "$group" 2>/dev/null || skip "no cgroup can be made in $parent"
trap leave EXIT
[ "$version" = 1 ] || [ -e "$group/memory.max" ] ||
	skip "memory is not among the controllers of cgroups in $parent"
refuse_rather_than_kill || skip 'the cgroup cannot be kept from killing and swapping'
limit $((256 << 20)) || skip 'the cgroup takes no limit'
(spared) 2>/dev/null || skip 'a process cannot be spared when memory is out'

# What of files is read in inside is charged to the cgroup, dropped at its limit, and waited for again.
host_program=$build/tests/real/memory_limit
libraries=$(ldd "$host_program" | grep -o '/[^ ]*') || fail 'the libraries of the program are not known'
# shellcheck disable=SC2086 # one word a library
cat "$host_program" "$library" $libraries >/dev/null || fail 'the program cannot be read'

mkfifo "$scratch/to" "$scratch/from"
(
	echo "$BASHPID" >"$group/cgroup.procs" && spared &&
		exec env PREDICOMP_COLD_AGE=1h PREDICOMP_MIN_RSS=0 PREDICOMP_MAX_CPU=100% \
			PREDICOMP_CSV="$scratch/csv" LD_PRELOAD="$library" \
			"$host_program"
) <"$scratch/to" >"$scratch/from" 2>"$scratch/host.err" &
host=$!
exec 3>"$scratch/to" 4<"$scratch/from"
expect filled
"$build/predicomp" evict "$host" >"$scratch/evict.out" 2>"$scratch/evict.err" ||
	fail 'nothing could be evicted'
limit $(($(usage) + (4 << 20))) || fail 'the limit cannot be lowered'
echo >&3
expect full
expect read
limit $((256 << 20))
echo >&3
expect ok
wait "$host" || fail 'the program failed'
host=
reserve=$(sum restore_reserve)
[ "$reserve" -ge 24 ] || fail "$reserve pages came from the reserve, 48 were read without memory"
account 4000
echo "$reserve pages from the reserve, cgroup v$version"
