# real.bash - what the scripts of this folder share. Source it with the script's own arguments.
#
#   . "$(dirname "$0")/real.bash" "$@"
#
# Leaves $library, $build, $scratch (removed at exit) and these functions:
#
#   needs PROGRAM...              skip, with the reason, where one is missing or nothing can be packed
#                                 in the way of PREDICOMP_EVICT
#   same EVICTED COMMAND...       runs COMMAND without the library and with it at a cold age of 50 ms:
#                                 same output, same exit status, no complaint, at least EVICTED pages
#                                 packed, nothing failed, and the account of pages closes
#   fail TEXT                     ends the test
set -uo pipefail

library=${1:?usage: $0 LIBRARY}
build=${TEST_BUILD:-$(dirname "$library")}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

skip() {
	echo "SKIP: $1"
	exit 77
}

fail() {
	echo "FAIL: $1"
	tail -n 5 "$scratch"/*.err 2>/dev/null
	exit 1
}

needs() {
	local program checked
	for program; do
		command -v "$program" >/dev/null || skip "$program is missing"
	done
	if [ "${PREDICOMP_EVICT-}" = madvise ]; then
		checked=$("$build/predicomp" check 2>&1)
		grep -q '^EVICT=madvise works' <<<"$checked" || skip "$(grep '^EVICT=madvise' <<<"$checked")"
	else
		checked=$("$build/predicomp" check 2>&1) || skip "$(tail -n 1 <<<"$checked")"
	fi
}

# sum NAME: over the rows of every process that left one
sum() {
	awk -F, -v want="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		{ total += $at[want] }
		END { printf "%d", total }' "$scratch/csv"
}

# under_library COMMAND...: with the environment of the test
under_library() {
	env LD_PRELOAD="$library" PREDICOMP_COLD_AGE=50ms PREDICOMP_MIN_RSS=1M \
		PREDICOMP_MAX_CPU=100% PREDICOMP_VERIFY=always PREDICOMP_CSV="$scratch/csv" "$@"
}

# account LEAST: what the rows of $scratch/csv must show
account() {
	local evicted restored dropped stored
	evicted=$(sum pages_evicted) restored=$(sum pages_restored)
	dropped=$(sum pages_dropped) stored=$(sum pages_stored)
	[ "$evicted" -ge "$1" ] || fail "$evicted pages were packed, $1 are too few to show anything"
	[ $((evicted - restored - dropped)) = "$stored" ] ||
		fail "evicted $evicted - restored $restored - dropped $dropped is not stored $stored"
	[ "$(sum verify_failed)$(sum restore_failed)" = 00 ] || fail 'a page failed its check'
	echo "$evicted pages packed, $restored restored, $dropped dropped"
}

same() {
	local least=$1 plain shimmed
	shift
	"$@" >"$scratch/plain.out" 2>"$scratch/plain.err" </dev/null
	plain=$?
	rm -f "$scratch/csv"
	under_library "$@" >"$scratch/shim.out" 2>"$scratch/shim.err" </dev/null
	shimmed=$?
	[ "$shimmed" = "$plain" ] || fail "exits with $shimmed, and with $plain without the library"
	cmp "$scratch/plain.out" "$scratch/shim.out" || fail 'says something else'
	! grep 'predicomp\[' "$scratch/shim.err" || fail 'makes the library complain'
	account "$least"
}
