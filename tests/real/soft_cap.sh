#!/usr/bin/env bash
# soft_cap.sh LIBRARY: 256 MB, 16 MB of it in use, a cap of 128 MB and a cold age that alone would
# let nothing leave in time. Resident memory, the store included, must come down to the cap within
# 10 s, stop there (the cap asks for no more), and every byte must be right afterwards.
. "$(dirname "$0")/real.bash" "$@"
needs /usr/bin/python3
here=$(cd "$(dirname "$0")" && pwd)
cap=$((128 << 20))

out=$(env PREDICOMP_COLD_AGE=10m PREDICOMP_SOFT_CAP=128M LD_PRELOAD="$library" \
	/usr/bin/python3 "$here/soft_cap.py" 13 2>"$scratch/soft_cap.err") || fail 'the program failed'
[ "$(tail -n 1 <<<"$out")" = ok ] || fail 'memory does not hold what was written'
read -r first last lowest < <(awk -v cap="$cap" '
	$1 != "resident" { next }
	{ last = $3; if (!lowest || $3 < lowest) lowest = $3 }
	$3 <= cap && !first { first = $2 }
	END { print first + 0, last + 0, lowest + 0 }' <<<"$out")
awk -v t="$first" 'BEGIN { exit !(t > 0 && t <= 10) }' ||
	fail "came down to the cap after $first s (0: never), 10 are allowed"
[ "$last" -le $((cap + cap / 16)) ] || fail "$last bytes are resident in the end"
[ "$lowest" -ge $((cap / 2)) ] || fail "went down to $lowest bytes, which nobody asked for"
echo "below 128 MB after $first s, $((last >> 20)) MB in the end, $((lowest >> 20)) MB at the least"
