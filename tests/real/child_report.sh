#!/usr/bin/env bash
# child_report.sh LIBRARY: children that end before they are looked at have a row of their own in the report,
# and nothing that they do is counted for their parent. A child that nobody saw being made has none.
. "$(dirname "$0")/real.bash" "$@"
needs perl

CHILDREN=5
parent=$(under_library PREDICOMP_MIN_RSS=1G perl -e '
	for (1 .. '$CHILDREN') {
		my $child = fork;
		if (!$child) { system("true") for 1 .. 3; exit 0 }
		waitpid($child, 0);
	}
	print $$') || fail "the program ends with $?"

# forks_of WHICH: rows of the parent or of its children, and the sum of the forks they counted
forks_of() {
	awk -F, -v parent="$parent" -v which="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["program"] != "\"perl\"" { next }
		(($at["pid"] == parent) == (which == "parent")) && !seen[$at["pid"]]++ {
			rows++
			forks += $at["forks"]
		}
		END { print rows + 0, forks + 0 }' "$scratch/csv"
}

read -r rows forks < <(forks_of parent)
[ "$rows" = 1 ] || fail "the parent has $rows rows"
[ "$forks" = $CHILDREN ] || fail "the parent counts $forks forks, and made $CHILDREN"
read -r rows forks < <(forks_of children)
[ "$rows" = $CHILDREN ] || fail "$rows of $CHILDREN children have a row"
[ "$forks" = $((3 * CHILDREN)) ] || fail "the children count $forks forks, and made $((3 * CHILDREN))"

rm -f "$scratch/csv"
under_library PREDICOMP_MIN_RSS=1G "$build/tests/real/bare_child" || fail "a child of a bare fork: exit status $?"
rows=$(grep -c '^"bare_child"' "$scratch/csv")
[ "$rows" = 1 ] || fail "a process whose child nobody saw being made has $rows rows"
echo "$CHILDREN children, a row each; each process counts its own forks"
