#!/usr/bin/env bash
# One DAMON, many who want it: shared politely, set up again, given back.
. "$(dirname "$0")/damon.bash"

# A program with little to do: 40 MB, and time.
sleeper() {
	env "${settings[@]}" PREDICOMP_HOTNESS=damon python3 -c '
import time
keep = [bytes([i % 251]) * 4096 for i in range(10000)]
time.sleep(600)' 2>>"$scratch/said" &
}

source_of() {
	"$build/predicomp" list --json | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["pid"] == int(sys.argv[1]):
        print(row["age_source"])' "$1"
}

is_by() {
	[ "$(source_of "$1")" = "$2" ]
}

is_on() {
	[ "$(cat "$damon/0/state" 2>/dev/null)" = on ]
}

end() {
	kill "-$1" "$2"
	wait "$2" 2>/dev/null
}

# --- two of ours: one has it, the other does without ---

sleeper
first=$!
until_true 120 is_by $first DAMON || fail "the first of two does not get DAMON: $(cat "$scratch/said")"
: >"$scratch/said"
sleeper
second=$!
until_true 120 is_by $second probe || fail "the second of two: $(source_of $second)"
until_true 120 grep -q 'DAMON is in use by somebody else' "$scratch/said" || fail "the second does not say why"
[ "$(grep -c 'DAMON is in use' "$scratch/said")" = 1 ] || fail "it says so more than once"
is_by $first DAMON || fail "the first lost DAMON to the second"

# --- switched off by somebody: set up again ---

echo off >"$damon/0/state"
until_true 120 is_on || fail "a kdamond that was stopped is not set up again"
until_true 120 is_by $first DAMON || fail "after a stop: $(source_of $first)"

# --- killed: the kdamond ends with its program, and the next user cleans up ---

end KILL $second
end KILL $first
until_true 120 eval '! is_on' || fail "the kdamond of a killed program still runs"
none_left && fail "a killed program has cleaned up: this test shows nothing"
[ "$(host PREDICOMP_HOTNESS=damon HOST_SECONDS=4 HOST_SETTLE=1 "$build/tests/lab/hot_cold" |
	field regions)" -gt 0 ] || fail "the next user after a kill gets no DAMON"
none_left || fail "the next user after a kill does not clean up"

# --- exec: the same process begins anew ---

# shellcheck disable=SC2016
env "${settings[@]}" PREDICOMP_HOTNESS=damon PREDICOMP_COLD_AGE=300ms python3 -c '
import os, sys, time
keep = [bytes([i % 251]) * 4096 for i in range(10000)]
while open("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds").read() != "1\n": time.sleep(0.1)
while open("/sys/kernel/mm/damon/admin/kdamonds/0/state").read() != "on\n": time.sleep(0.1)
os.execv(sys.executable, [sys.executable, "-c", """
import time
keep = [bytes([i % 251]) * 4096 for i in range(10000)]
time.sleep(600)
# executed"""])' &
again=$!
until_true 120 grep -aq executed "/proc/$again/cmdline" || fail "it does not come to its exec"
until_true 120 is_by $again DAMON || fail "after exec age comes from $(source_of $again)"
end KILL $again
until_true 120 eval '! is_on' || fail "the kdamond of a killed program still runs after exec"

# --- another tool: left alone, running or idle ---

echo 2 >$damon/nr_kdamonds
for i in 0 1; do
	echo 1 >$damon/$i/contexts/nr_contexts
	echo 1 >$damon/$i/contexts/0/targets/nr_targets
done
echo $$ >$damon/0/contexts/0/targets/0/pid_target
echo on >$damon/0/state
settings() {
	find $damon -type f ! -name pid ! -path '*/tried_regions/*' -print0 | sort -z | xargs -0 grep -H . 2>/dev/null
}
settings >"$scratch/before"
: >"$scratch/said"
sleeper
third=$!
until_true 120 is_by $third probe || fail "beside another tool: $(source_of $third)"
until_true 120 grep -q 'DAMON is in use by somebody else' "$scratch/said" || fail "beside another tool nothing is said"
sleep 3
end KILL $third
settings >"$scratch/after"
cmp -s "$scratch/before" "$scratch/after" ||
	fail "another tool's settings were changed: $(diff "$scratch/before" "$scratch/after")"
echo off >$damon/0/state
echo 0 >$damon/nr_kdamonds

[ $lab_failed = 0 ] && echo "DAMON: shared, set up again, given back"
exit $lab_failed
