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

inert_programs 'no UFFDIO_MOVE'
