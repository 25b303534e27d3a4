#!/usr/bin/env bash
# heatmap.sh LIBRARY: a heat map says what the process's own account says, in each of its forms, and
# with or without the kernel's view.
. "$(dirname "$0")/real.bash" "$@"
needs /usr/bin/python3
here=$(cd "$(dirname "$0")" && pwd)
subject=("$build/predicomp" run --cold-age 200ms --min-rss 0 --csv "$scratch/csv"
	/usr/bin/python3 "$here/cold.py")

# map FORM [LAUNCHER...]: of one run of the subject
map() {
	local form=$1
	shift
	rm -f "$scratch/csv"
	"$@" "$build/predicomp" heatmap --interval 50ms -o "$scratch/map.$form" -- "${subject[@]}" \
		>"$scratch/out" 2>"$scratch/$form.err" || fail "$form: exit status $?"
}

# In the file and in the account of the process itself: the last look is after its end.
map json
/usr/bin/python3 - "$scratch/map.json" "$(sum pages_evicted)" "$(sum pages_restored)" \
	"$(cat "$scratch/out")" <<'END' || fail 'the map says otherwise than the process'
import json, sys
path, evicted, restored, minor = sys.argv[1], *map(int, sys.argv[2:])
m = json.load(open(path))
layer = {l['name']: i for i, l in enumerate(m['layers'])}
total = {l['name']: l.get('total') for l in m['layers']}
print(total, 'account:', evicted, restored, minor)
assert m['program'].startswith('python3') and m['complete']
assert evicted > 5000 and total['evictions'] == evicted
assert restored > 1000 and total['restores'] == restored
for name, i in layer.items():
    if name != 'packed':
        assert sum(c[2 + i] for c in m['cells']) == total[name], name
most = m['row_bytes'] // m['page_bytes']
assert max(c[2 + layer['packed']] for c in m['cells']) <= most
starts = [int(r['start'], 16) for r in m['rows']]
assert starts == sorted(starts) and all(s % m['row_bytes'] == 0 for s in starts)
assert all(0 <= c[0] < len(starts) and 0 <= c[1] < m['columns'] for c in m['cells'])
classes = {r['class'] for r in m['rows']}
assert classes & {'heap', 'anonymous'}, classes
if m['sources']['kernel']['present']:
    assert .9 * minor < total['minor'] < 1.1 * minor + 500, (total['minor'], minor)
    assert 'file' in classes and 'library' in classes
END

map csv
/usr/bin/python3 - "$scratch/map.csv" "$(sum pages_evicted)" <<'END' || fail 'the rows do not add up'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert sum(int(r['evictions']) for r in rows) == int(sys.argv[2])
END

map svg
/usr/bin/python3 - "$scratch/map.svg" <<'END' || fail 'the picture is not sound'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
text = ' '.join(t.text or '' for t in root.iter('{http://www.w3.org/2000/svg}text'))
for word in ('python3', 'evictions, pages', 'restores, pages', '0 s', 'logarithmic'):
    assert word in text, (word, text)
assert len(list(root.iter('{http://www.w3.org/2000/svg}rect'))) > 50
END

map txt
grep -q 'evictions .* pages, at most' "$scratch/map.txt" || fail 'the lines have no legend'
grep -qE '^(heap|anonymous) .*\|.*[eE].*\|$' "$scratch/map.txt" || fail 'the lines show no eviction'
! grep -q $'\033' "$scratch/map.txt" || fail 'colour where there is no terminal'

# Without the rights for the kernel's view: that is said, and the library's layers are there.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	map json setpriv --bounding-set -bpf,-perfmon,-sys_admin
	grep -q 'kernel layers: .*CAP_' "$scratch/json.err" || fail 'does not say what is missing'
	/usr/bin/python3 - "$scratch/map.json" "$(sum pages_evicted)" <<'END' || fail 'without rights: wrong'
import json, sys
m = json.load(open(sys.argv[1]))
assert not m['sources']['kernel']['present'] and 'CAP_' in m['sources']['kernel']['note']
layers = {l['name']: l for l in m['layers']}
assert not layers['minor']['present'] and layers['evictions']['present']
assert layers['evictions']['total'] == int(sys.argv[2])
END
fi

# Refusals: one line each.
refused() {
	local status=$1 words=$2
	shift 2
	"$build/predicomp" heatmap "$@" >"$scratch/out" 2>"$scratch/refused.err"
	[ $? = "$status" ] || fail "heatmap $*: not status $status"
	grep -q "$words" "$scratch/refused.err" || fail "heatmap $*: does not say: $words"
}
refused 2 'wants -p PID' -o x.html
refused 2 'ends in none of' -o map.png -- true
refused 3 'no process' -p 2147483646
refused 1 'No such file' -o "$scratch/no/map.html" -- true
