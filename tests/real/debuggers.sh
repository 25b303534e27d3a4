#!/usr/bin/env bash
# debuggers.sh LIBRARY: once `predicomp restore` has brought a process home, gdb, strace and gcore see all
# of its memory and leave it as it was; before that, what gdb reads of packed memory is missing. It can be
# managed again afterwards, and not before they have gone.
. "$(dirname "$0")/real.bash" "$@"
here=$(cd "$(dirname "$0")" && pwd)
needs python3 gdb strace
ulimit -c 0
export DEBUGINFOD_URLS=
[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -le 1 ] || [ "$(id -u)" = 0 ] ||
	skip 'this user may trace no process (kernel.yama.ptrace_scope)'

# peek: what gdb reads of the first packed page
peek() {
	timeout 60 gdb -batch -nx -p "$host" -ex "p/x *(unsigned long *)0x$at" >"$scratch/gdb" 2>&1
	[ $? != 124 ] || fail 'gdb does not come back'
}

stop() {
	exec 3>&- 4<&-
	kill -KILL "$host" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$scratch"
}

mkfifo "$scratch/to" "$scratch/from"
env PREDICOMP_COLD_AGE=1h PREDICOMP_MIN_RSS=0 PREDICOMP_MAX_CPU=100% LD_PRELOAD="$library" \
	"$build/tests/real/core" <"$scratch/to" >"$scratch/from" 2>"$scratch/host.err" &
host=$!
exec 3>"$scratch/to" 4<"$scratch/from"
trap stop EXIT
read -r -t 60 -u 4 where || fail 'the program does not start'
at=$(awk '{ print $2 }' <<<"$where")
"$build/predicomp" evict "$host" >"$scratch/evict" 2>&1 || fail 'nothing could be evicted'
expected=$(python3 -c 'print(hex(3 * 0x9e3779b97f4a7c15 % 2**64))')

peek
! grep -q "$expected" "$scratch/gdb" || fail 'gdb reads packed memory without any help: this shows nothing'
"$build/predicomp" restore "$host" >"$scratch/restore" 2>&1 || fail 'nothing could be restored'
peek
grep -q "$expected" "$scratch/gdb" || fail "after restore gdb reads $(cat "$scratch/gdb"), not $expected"

timeout 60 strace -f -o "$scratch/strace" -p "$host" >"$scratch/strace.out" 2>&1 &
tracer=$!
is_traced() {
	grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$host/status"
}
for _ in {1..600}; do
	is_traced && break
	sleep 0.05
done
is_traced || fail 'strace does not attach'
! "$build/predicomp" resume "$host" >"$scratch/resume" 2>&1 || fail 'it is managed while it is traced'
kill -INT "$tracer"
wait "$tracer" 2>/dev/null
! is_traced || fail 'strace does not let go'

(cd "$scratch" && timeout 100 gcore -o gcore "$host" >gcore.out 2>&1) || fail 'gcore fails'
# shellcheck disable=SC2086
wrong=$(python3 "$here/core_reader.py" "$scratch/gcore.$host" $where | awk '{ n += $2 } END { print n }')
[ "$wrong" = 0 ] || fail "$wrong pages are wrong in what gcore wrote"
"$build/predicomp" resume "$host" >"$scratch/resume" 2>&1 || fail 'it cannot be managed again'
"$build/predicomp" evict "$host" >"$scratch/evict" 2>&1 || fail 'nothing could be evicted again'
echo "gdb reads $expected; gcore: every page right; managed again"
