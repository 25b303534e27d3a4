#!/usr/bin/env bash
# held_fork.sh LIBRARY: a tool asks for all memory of a process in which a fork is under way. The fork began
# when nothing was managed, so nothing may leave before it is over: the child would miss it. Once it is over the
# tool gets what it asks for. See held_fork.c.
. "$(dirname "$0")/real.bash" "$@"
needs env mkfifo

mkfifo "$scratch/to" "$scratch/from"
env LD_PRELOAD="$library" PREDICOMP_COLD_AGE=1h PREDICOMP_MIN_RSS=1T PREDICOMP_CSV="$scratch/csv" \
	"$build/tests/real/held_fork" <"$scratch/to" >"$scratch/from" 2>"$scratch/held_fork.err" &
host=$!
exec 3>"$scratch/to" 4<"$scratch/from"

# says WHAT: the next line of the program
says() {
	local line
	read -r -t 60 -u 4 line && [ "$line" = "$1" ] || fail "says '$line', not '$1'"
}

says forking
sleep 0.2
"$build/predicomp" evict --timeout 1s "$host" >"$scratch/evict" 2>&1 && fail 'memory left in the middle of a fork'
grep -q 'has not answered' "$scratch/evict" || fail "not unanswered: $(cat "$scratch/evict")"
echo -n 1 >&3
says forked
"$build/predicomp" evict --quiet "$host" || fail 'nothing can be evicted after the fork'
echo -n 2 >&3
wait "$host"
status=$?
[ "$status" = 0 ] || fail "ends with $status: $(cat <&4)"
! grep 'predicomp\[' "$scratch/held_fork.err" || fail 'makes the library complain'
account 1000
