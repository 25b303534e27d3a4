#!/usr/bin/env bash
# On a kernel that cannot move pages programs run as if nothing were loaded, and one line says why.
. "$(dirname "$0")/lab.bash"

"$build/predicomp" check >"$scratch/check"
status=$?
case $(uname -r) in
6.1.*) [ $status = 1 ] || fail "check ends with $status on Linux $(uname -r): $(cat "$scratch/check")" ;;
*) skip "Linux $(uname -r) can move pages" ;;
esac
grep -q '^  UFFDIO_MOVE.* missing' "$scratch/check" || fail "check does not name UFFDIO_MOVE"

same() {
	local name=$1
	shift
	"$@" >"$scratch/out" 2>"$scratch/err"
	local wanted=$?
	LD_PRELOAD=$library PREDICOMP_MIN_RSS=0 PREDICOMP_COLD_AGE=0 PREDICOMP_LOG=info \
		"$@" >"$scratch/out2" 2>"$scratch/err2"
	local status=$?
	[ $status = $wanted ] || fail "$name ends with $status, not $wanted: $(tail -n 3 "$scratch/err2")"
	cmp -s "$scratch/out" "$scratch/out2" || fail "$name says something else"
	[ "$(grep -c 'not managed: no UFFDIO_MOVE' "$scratch/err2")" -ge 1 ] ||
		fail "$name: no line says why: $(cat "$scratch/err2")"
	[ "$(grep 'not managed' "$scratch/err2" | sort | uniq -d | wc -l)" = 0 ] ||
		fail "$name: a process says it twice: $(cat "$scratch/err2")"
}

for host in brk fork_simple mlock; do
	same "$host" "$build/tests/live/$host"
done
same python3 python3 -c 'print(sum(len(str(i)) for i in [bytes(64) * 200000] * 2))'

[ $lab_failed = 0 ] && echo "inert on Linux $(uname -r): $(grep -h -m 1 -o 'not managed.*' "$scratch/err2")"
exit $lab_failed
