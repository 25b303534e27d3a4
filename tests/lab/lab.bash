# shellcheck shell=bash
# Sourced by the tests of this folder: they change settings of the whole machine, so they run only
# where process 1 of tools/lab left its mark.

[ $# = 1 ] || { echo "usage: $0 LIBRARY" >&2; exit 2; }
library=$(realpath "$1")
build=$(dirname "$library")
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
chmod 0777 "$scratch"
trap 'rm -rf "$scratch"' EXIT
lab_failed=0

skip() {
	echo "SKIP: $1"
	exit 77
}

fail() {
	echo "FAIL: $1"
	lab_failed=1
}

# field NAME < "name=value name=value"
field() {
	sed -n "s/.*\\b$1=\\([0-9]*\\).*/\\1/p"
}

# column NAME FILE: of the last row of a CSV of the library
column() {
	awk -F, -v want="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		{ found = $at[want] }
		END { print found }' "$2"
}

# until SECONDS COMMAND...: tries until it succeeds
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# inert WHY NAME COMMAND...: without the library and with it COMMAND says and ends the same, and each process
# says once that it is not managed, one of them for WHY
inert() {
	local why=$1 name=$2
	shift 2
	"$@" >"$scratch/out" 2>"$scratch/err"
	local wanted=$?
	LD_PRELOAD=$library PREDICOMP_MIN_RSS=0 PREDICOMP_COLD_AGE=0 PREDICOMP_LOG=info \
		"$@" >"$scratch/out2" 2>"$scratch/err2"
	local status=$?
	[ $status = $wanted ] || fail "$name ends with $status, not $wanted: $(tail -n 3 "$scratch/err2")"
	cmp -s "$scratch/out" "$scratch/out2" || fail "$name says something else"
	[ "$(grep -c "not managed: $why" "$scratch/err2")" -ge 1 ] ||
		fail "$name: no line says why: $(cat "$scratch/err2")"
	[ "$(grep 'not managed' "$scratch/err2" | sort | uniq -d | wc -l)" = 0 ] ||
		fail "$name: a process says it twice: $(cat "$scratch/err2")"
}

# inert_programs WHY: the same of three of our hosts and of Python; then ends the test, with what they said
inert_programs() {
	local host
	for host in brk fork_simple mlock; do
		inert "$1" "$host" "$build/tests/live/$host"
	done
	inert "$1" python3 python3 -c 'print(sum(len(str(i)) for i in [bytes(64) * 200000] * 2))'
	[ $lab_failed = 0 ] && echo "inert on Linux $(uname -r): $(grep -h -m 1 -o 'not managed.*' "$scratch/err2")"
	exit $lab_failed
}

[ -e /run/predicomp-lab ] || skip "it changes the machine: run it by tools/lab"
