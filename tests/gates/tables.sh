#!/usr/bin/env bash
# The man page has every option, counter, ratio, unit column and capability exactly once, and none of its own.
set -euo pipefail
. "$(dirname "$0")/gate.bash"

page=$build_dir/predicomp.1
need "$page"

# listed TABLE DEFINE...: what the given macros make of each row, a line each
listed() {
	{ printf '#define %s\n' "${@:2}"; echo "#include \"predicomp/$1\""; } |
		${CC:-cc} -E -P -I "$source_dir/include" - | sed -n 's/^= *//p' | tr -d '"' | sort
}

# shown SECTION: the line after each .TP of that section, without its fonts and escapes
shown() {
	awk -v section=".SH $1" '/^\.SH / { inside = $0 == section } inside && entry; { entry = /^\.TP/ }' \
		"$page" | sed 's/\\f[BIR]//g; s/\\-/-/g'
}

# same WHAT LISTED SHOWN
same() {
	[ -n "$2" ] || fail "the table of $1 is empty" <<<"$1"
	fail "$1: in the table, but not in the page" < <(comm -23 <(echo "$2") <(sort <<<"$3"))
	fail "$1: in the page twice, or of its own" < <(comm -13 <(echo "$2") <(sort <<<"$3"))
}

same options "$(listed options.def 'PC_OPTION(id, NAME, ...) = NAME')" \
	"$(shown OPTIONS | sed -n 's/^PREDICOMP_\([A-Z_]*\), .*/\1/p')"
same counters "$(listed counters.def PC_{COUNTER,GAUGE,HISTOGRAM,RATIO}'(name, ...) = name')" \
	"$(shown COUNTERS | sed 's/ .*//')"
same 'unit columns' "$(listed units.def PC_UNIT_{COUNTER,GAUGE}'(name, ...) = name')" \
	"$(shown 'UNIT TABLE' | sed 's/ .*//')"
same capabilities "$(listed caps.def 'PC_CAP(id, name, ...) = name')" \
	"$(shown CAPABILITIES | sed 's/ ([a-z]*)$//')"
finish
