#!/usr/bin/env bash
# heatmap_page.sh LIBRARY: the page of predicomp heatmap, drawn by a browser: on a desk, on a phone,
# in the dark. Its own words are read back, and the picture must have the colours of its layers. With
# TEST_PICTURES=folder the pictures are kept there, to be looked at.
. "$(dirname "$0")/real.bash" "$@"
needs /usr/bin/python3
command -v chromium >/dev/null || skip 'chromium is missing'
here=$(cd "$(dirname "$0")" && pwd)

"$build/predicomp" heatmap --interval 50ms -o "$scratch/map.html" -- \
	"$build/predicomp" run --cold-age 200ms --min-rss 0 /usr/bin/python3 "$here/cold.py" 1 \
	>"$scratch/out" 2>"$scratch/map.err" || fail "exit status $?"
! grep -qE 'src=|href=|url\(|@import' "$scratch/map.html" || fail 'the page fetches something'

# browse HASH ARGUMENT...
browse() {
	local hash=$1
	shift
	HOME=$scratch timeout 90 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
		--user-data-dir="$scratch/profile" --virtual-time-budget=3000 --enable-logging=stderr --v=0 \
		"$@" "file://$scratch/map.html$hash" 2>"$scratch/browser.err"
}

# The middle of the first row with an eviction, from the page's own data.
read -r at address evicted < <(/usr/bin/python3 - "$scratch/map.html" <<'END'
import json, re, sys
data = re.search(r'id="data">(.*?)</script>', open(sys.argv[1]).read(), re.S).group(1)
m = json.loads(data)
i = 2 + [l['name'] for l in m['layers']].index('evictions')
c = max(m['cells'], key=lambda c: c[i])
print((c[1] + .5) * m['column_seconds'], m['rows'][c[0]]['start'], c[i])
END
)
[ "${evicted:-0}" -gt 0 ] || fail 'no eviction in the page'
browse "#at=$at,$address" --window-size=1280,1100 --dump-dom >"$scratch/dom" || fail 'no page came back'
! grep -E 'CONSOLE.*(Error|Uncaught|Refused)' "$scratch/browser.err" || fail 'the page complains'
tip=$(grep -o '<div id="tip".*' "$scratch/dom" | sed 's/<[^>]*>/ /g' | head -n 1)
for word in evictions restores "packed share" "$evicted pages" "of 512"; do
	grep -q "$word" <<<"$tip" || fail "the pointer does not tell \"$word\": $tip"
done
grep -q 'aria-pressed="true"' "$scratch/dom" || fail 'no layer is on'

# Several processes: each row says whose it is, at one address too.
ln -s "$build/tests/real/family" "$scratch/another"
if "$build/predicomp" heatmap --interval 20ms -o "$scratch/kin.html" -- "$build/tests/real/family" \
	"$scratch/another" >"$scratch/kin" 2>"$scratch/kin.err"; then
	mv "$scratch/map.html" "$scratch/one.html"
	mv "$scratch/kin.html" "$scratch/map.html"
	while read -r role pid address _; do
		name=family
		[ "$role" != executed ] || name=another
		at=$(/usr/bin/python3 - "$scratch/map.html" "$pid" "$address" <<'END'
import json, re, sys
data = re.search(r'id="data">(.*?)</script>', open(sys.argv[1]).read(), re.S).group(1)
m = json.loads(data)
row, = [i for i, r in enumerate(m['rows']) if r['pid'] == int(sys.argv[2]) and int(r['start'], 16) == int(sys.argv[3], 16)]
print((next(c[1] for c in m['cells'] if c[0] == row) + .5) * m['column_seconds'])
END
		) || fail "$role has no row"
		browse "#at=$at,$address,$pid" --window-size=1280,1100 --dump-dom >"$scratch/dom" || fail 'no page came back'
		grep -o '<div id="tip".*' "$scratch/dom" | head -n 1 | grep -q "$name ($pid)" ||
			fail "the pointer does not say that the row is of $name ($pid)"
		[ "$(grep -o "<td[^>]*>$name ($pid)<" "$scratch/dom" | wc -l)" -ge 4 ] ||
			fail "the table lacks regions of $name ($pid)"
	done <"$scratch/kin"
	! grep -E 'CONSOLE.*(Error|Uncaught|Refused)' "$scratch/browser.err" || fail 'the page of several complains'
	if [ -n "${TEST_PICTURES:-}" ]; then
		browse '#theme=light' --window-size=1280,1100 --screenshot="$TEST_PICTURES/family.png"
	fi
	mv "$scratch/one.html" "$scratch/map.html"
else
	echo 'note: no rights for the view of the kernel: a page of several processes is not tested'
fi

# A PNG's pixels, by Python alone: how many are near the colour of evictions, and how dark it is.
cat >"$scratch/pixels.py" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
want = [int(sys.argv[2][i:i + 2], 16) for i in (0, 2, 4)]
at, idat = 8, b''
while at < len(data):
    n, kind = struct.unpack('>I4s', data[at:at + 8])
    body = data[at + 8:at + 8 + n]
    if kind == b'IHDR':
        width, height, depth, colour = struct.unpack('>IIBB', body[:10])
    if kind == b'IDAT':
        idat += body
    at += 12 + n
size = {2: 3, 6: 4}[colour]
raw, stride = zlib.decompress(idat), width * size
before, hits, dark = bytearray(stride), 0, 0
for y in range(height):
    kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
    for i in range(stride):
        a = line[i - size] if i >= size else 0
        b, c = before[i], before[i - size] if i >= size else 0
        p = a + b - c
        nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[i] = (line[i] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
    for i in range(0, stride, size):
        hits += all(abs(line[i + k] - want[k]) < 40 for k in range(3))
        dark += sum(line[i:i + 3]) < 180
    before = line
print(width, height, hits, dark * 100 // (width * height))
END

# picture NAME HASH WIDTH COLOUR DARK: at least 60 pixels of the colour; mostly dark or mostly not
picture() {
	browse "$2" --window-size="$3,900" --screenshot="$scratch/$1.png" || fail "$1: no picture"
	read -r width height hits dark < <(/usr/bin/python3 "$scratch/pixels.py" "$scratch/$1.png" "$4")
	echo "$1: $width x $height, $hits pixels of evictions, $dark % dark"
	[ "$width" = "$3" ] || fail "$1 is $width wide"
	[ "$hits" -ge 60 ] || fail "$1 has $hits pixels of the colour $4"
	if [ "$5" = dark ]; then [ "$dark" -gt 60 ]; else [ "$dark" -lt 30 ]; fi || fail "$1: $dark % dark"
	[ -z "${TEST_PICTURES:-}" ] || cp "$scratch/$1.png" "$TEST_PICTURES/"
}
picture desk '#theme=light&layers=evictions' 1280 00735a light
picture night '#theme=dark&layers=evictions' 1280 45e0b0 dark
picture phone '#theme=light&layers=evictions' 500 00735a light
