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

for host in brk fork_simple mlock; do
	inert 'no UFFDIO_MOVE' "$host" "$build/tests/live/$host"
done
inert 'no UFFDIO_MOVE' python3 python3 -c 'print(sum(len(str(i)) for i in [bytes(64) * 200000] * 2))'

[ $lab_failed = 0 ] && echo "inert on Linux $(uname -r): $(grep -h -m 1 -o 'not managed.*' "$scratch/err2")"
exit $lab_failed
