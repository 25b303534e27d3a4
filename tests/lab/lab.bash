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

[ -e /run/predicomp-lab ] || skip "it changes the machine: run it by tools/lab"
