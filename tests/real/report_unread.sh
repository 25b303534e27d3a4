#!/usr/bin/env bash
# report_unread.sh LIBRARY: a program whose report cannot be written, because nobody reads the pipe, files
# may not grow or somebody keeps the file's lock, ends as it would have ended, and hears which file it
# was. The library cannot begin where no file may grow, and says so.
. "$(dirname "$0")/real.bash" "$@"
needs env flock mkfifo sleep

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

mkfifo "$scratch/unread"
PREDICOMP_CSV=$scratch/unread LD_PRELOAD=$library timeout 20 /bin/true 2>"$scratch/said"
status=$?
[ "$status" = 0 ] || fail "ends with $status where the report is a pipe that nobody reads"
grep -qF "CSV could not be written: $scratch/unread errno=" "$scratch/said" ||
	fail "does not say so: $(cat "$scratch/said")"

exec 5>"$scratch/locked"
flock 5
PREDICOMP_CSV=$scratch/locked LD_PRELOAD=$library timeout 20 /bin/true 2>"$scratch/said" 5>&-
status=$?
[ "$status" = 0 ] || fail "ends with $status where somebody keeps the report's lock"
grep -qF "CSV could not be written: $scratch/locked errno=" "$scratch/said" ||
	fail "does not say so: $(cat "$scratch/said")"

mkfifo "$scratch/told"
(
	ulimit -f 0
	exec env LD_PRELOAD="$library" PREDICOMP_LOG=info sleep 30 2>"$scratch/told"
) &
timeout 20 grep -q -m 1 'cannot start' <"$scratch/told"
status=$?
kill $! && wait $!
[ "$status" = 0 ] || fail 'does not say that it cannot begin where no file may grow'
