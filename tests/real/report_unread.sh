#!/usr/bin/env bash
# report_unread.sh LIBRARY: a program whose report cannot be written, because nobody reads the pipe or files
# may not grow, ends as it would have ended.
. "$(dirname "$0")/real.bash" "$@"
needs env mkfifo

mkfifo "$scratch/pipe"
exec 3<>"$scratch/pipe" 4>"$scratch/pipe"
exec 3>&-
LD_PRELOAD=$library PREDICOMP_SUMMARY=stderr /bin/true 2>&4
status=$?
[ "$status" = 0 ] || fail "ends with $status where nobody reads the report"
(
	ulimit -f 0
	LD_PRELOAD=$library PREDICOMP_CSV=$scratch/csv /bin/true 2>/dev/null
)
status=$?
[ "$status" = 0 ] || fail "ends with $status where files may not grow"
