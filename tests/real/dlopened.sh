#!/usr/bin/env bash
# dlopened.sh LIBRARY: where a program loads the library itself, its calls do not pass the hooks, and so
# nothing is managed. See dlopened.c.
. "$(dirname "$0")/real.bash" "$@"
needs env

env PREDICOMP_COLD_AGE=100ms PREDICOMP_MIN_RSS=0 PREDICOMP_LOG=info "$build/tests/real/dlopened" "$library" \
	2>"$scratch/said" || fail "ends with $?: $(cat "$scratch/said")"
grep -q 'the program loaded the library itself' "$scratch/said" || fail "does not say so: $(cat "$scratch/said")"
