# shellcheck shell=bash
# Sourced by every gate: where things lie, and one way to fail.
#   TEST_SOURCE, TEST_BUILD   set by ctest; by hand the checkout and its build/

export LC_ALL=C
source_dir=${TEST_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck disable=SC2034
build_dir=${TEST_BUILD:-$source_dir/build}
gate=$(basename "$0" .sh)
gate_failed=0

# fail WHAT < OFFENCES: each line is one; none is fine. Read by `fail ... < <(command)`, so that the
# verdict stays in this shell.
fail() {
	local found
	found=$(cat)
	[ -z "$found" ] && return 0
	printf 'gate %s: %s\n' "$gate" "$1"
	printf '%s\n' "$found" | sed 's/^/  /'
	gate_failed=1
}

# What a gate looks at must be there, or it would hold for want of anything to see.
need() {
	[ -s "$1" ] && return 0
	printf 'gate %s: %s is missing: build first\n' "$gate" "$1"
	exit 1
}

finish() {
	[ "$gate_failed" = 0 ] && printf 'gate %s: holds\n' "$gate"
	exit "$gate_failed"
}

# C sources as file:line:text, comments and string literals blanked.
code_lines() {
	perl -0777 -ne '
		s{("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*}
		 { my $m = $&; defined $1 ? "\"\"" : ($m =~ tr/\n//cdr) }gse;
		my $n = 0;
		print "$ARGV:", ++$n, ":$_\n" for split /\n/;' "$@"
}
