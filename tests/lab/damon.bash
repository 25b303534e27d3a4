# shellcheck shell=bash
# Sourced by damon.sh and damon_shared.sh.

. "$(dirname "$0")/lab.bash"

damon=/sys/kernel/mm/damon/admin/kdamonds
[ -d "$damon" ] || skip "Linux $(uname -r) has no DAMON"
[ -w "$damon/nr_kdamonds" ] || skip "DAMON is not permitted for this user"

settings=(LD_PRELOAD="$library" PREDICOMP_COLD_AGE=2s PREDICOMP_MAX_CPU=100% PREDICOMP_MIN_RSS=0)

host() {
	env "${settings[@]}" "$@"
}

none_left() {
	[ "$(cat "$damon/nr_kdamonds")" = 0 ]
}
