#!/usr/bin/env bash
# two_copies.sh LIBRARY: where two copies of the library are loaded (one from the environment, say, and one
# by a script), the first manages the program and the other leaves it alone and says so.
. "$(dirname "$0")/real.bash" "$@"
needs env

[ -x /usr/bin/python3 ] || skip 'python3 is missing'
cp "$library" "$scratch/other.so"
cat >"$scratch/work.py" <<'PY'
import time
PAGES = 8192
def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1])
block = b"0123456789abcdef" * (PAGES * 256)
full, patience = resident(), time.monotonic() + 30
while resident() > full - PAGES // 2 and time.monotonic() < patience:
    time.sleep(0.05)
print(block == b"0123456789abcdef" * (PAGES * 256))
PY
PREDICOMP_LOG=info under_library env LD_PRELOAD="$library $scratch/other.so" \
	/usr/bin/python3 "$scratch/work.py" >"$scratch/out" 2>"$scratch/said" || fail "ends with $?"
grep -q 'another copy of the library comes before this one' "$scratch/said" ||
	fail "the second does not say so: $(cat "$scratch/said")"
[ "$(cat "$scratch/out")" = True ] || fail 'a byte is wrong'
evicted=$(sum pages_evicted)
[ "$evicted" -ge 1000 ] || fail "the first packed $evicted pages"
