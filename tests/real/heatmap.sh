#!/usr/bin/env bash
# heatmap.sh LIBRARY: a heat map says what the process's own account says, in each of its forms, and
# with or without the kernel's view; what it starts has rows of its own.
. "$(dirname "$0")/real.bash" "$@"
needs /usr/bin/python3
here=$(cd "$(dirname "$0")" && pwd)
subject=("$build/predicomp" run --cold-age 200ms --min-rss 0 --csv "$scratch/csv"
	/usr/bin/python3 "$here/cold.py")
nap=1

# patiently WHAT: a function whose status is 75 where so little was packed in a nap that it shows nothing,
# as on a machine that stands still now and then; a difference is one at once
patiently() {
	local status=75
	for nap in 1 4 16; do
		[ $status = 75 ] || break
		"$1"
		status=$?
	done
	nap=1
	[ $status = 0 ] || fail "$2"
}

# map FORM [LAUNCHER...]: of one run of the subject
map() {
	local form=$1
	shift
	rm -f "$scratch/csv"
	"$@" "$build/predicomp" heatmap --interval 50ms -o "$scratch/map.$form" -- "${subject[@]}" $nap \
		>"$scratch/out" 2>"$scratch/$form.err" || fail "$form: exit status $?"
}

# In the file and in the account of the process itself: the last look is after its end.
alone() {
	map json
	/usr/bin/python3 - "$scratch/map.json" "$(sum pages_evicted)" "$(sum pages_restored)" \
		"$(cat "$scratch/out")" <<'END'
import json, sys
path, evicted, restored, minor = sys.argv[1], *map(int, sys.argv[2:])
m = json.load(open(path))
layer = {l['name']: i for i, l in enumerate(m['layers'])}
total = {l['name']: l.get('total') for l in m['layers']}
print(total, 'account:', evicted, restored, minor)
assert m['program'].startswith('python3') and m['complete']
assert total['evictions'] == evicted and total['restores'] == restored
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
assert [p['pid'] for p in m['processes']] == [m['pid']] and not m['processes_left_out']
assert all(r['process'] == 0 and r['pid'] == m['pid'] for r in m['rows'])
if m['sources']['kernel']['present']:
    assert .9 * minor < total['minor'] < 1.1 * minor + 500, (total['minor'], minor)
    assert 'file' in classes and 'library' in classes
sys.exit(0 if evicted > 5000 and restored > 1000 else 75)
END
}
patiently alone 'the map says otherwise than the process'

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

# Two at a time under the library: each has its own evictions, as in its own account.
two() {
	rm -f "$scratch/csv"
	"$build/predicomp" heatmap --interval 50ms -o "$scratch/two.json" -- "$build/predicomp" run \
		--cold-age 200ms --min-rss 0 --csv "$scratch/csv" bash -c '"$@" & "$@" & wait' bash \
		/usr/bin/python3 "$here/cold.py" $nap >"$scratch/out" 2>"$scratch/two.err" ||
		fail "two at a time: exit status $?"
	/usr/bin/python3 - "$scratch/two.json" "$scratch/csv" <<'END'
import csv, json, sys
m = json.load(open(sys.argv[1]))
layer = {l['name']: 2 + i for i, l in enumerate(m['layers'])}
def total(pid, name):
    return sum(c[layer[name]] for c in m['cells'] if m['rows'][c[0]]['pid'] == pid)
accounts = [r for r in csv.DictReader(open(sys.argv[2])) if r['program'].startswith('python3')]
assert len(accounts) == 2
for r in accounts:
    pid = int(r['pid'])
    said = total(pid, 'evictions'), total(pid, 'restores')
    print(pid, said, 'account:', r['pages_evicted'], r['pages_restored'])
    assert said == (int(r['pages_evicted']), int(r['pages_restored']))
sys.exit(0 if all(int(r['pages_evicted']) > 5000 for r in accounts) else 75)
END
}
patiently two 'the library of each process is not shown'

# A fork restarts the pager, which goes on in another segment: what it does then is there as well.
forked() {
	rm -f "$scratch/csv"
	"$build/predicomp" heatmap --interval 50ms -o "$scratch/forked.json" -- "${subject[@]}" $nap fork \
		>"$scratch/out" 2>"$scratch/forked.err" || fail "with a fork: exit status $?"
	/usr/bin/python3 - "$scratch/forked.json" "$scratch/csv" <<'END'
import csv, json, sys
m = json.load(open(sys.argv[1]))
account, = (r for r in csv.DictReader(open(sys.argv[2])) if r['pid'] == str(m['pid']))
total = {l['name']: l.get('total') for l in m['layers']}
evicted, restored = int(account['pages_evicted']), int(account['pages_restored'])
print(total, 'account:', evicted, restored, account['forks'])
assert account['forks'] == '1'
assert total['evictions'] == evicted and total['restores'] == restored
sys.exit(0 if evicted > 15000 else 75)
END
}
patiently forked 'what was packed after a fork is not shown'

# A process, its child, its grandchild and one that executes something: each has its pages, to the
# last, though three have them at one address, and all live for some milliseconds.
ln -s "$build/tests/real/family" "$scratch/another"
family=("$build/predicomp" heatmap --interval 20ms)
cat >"$scratch/family.py" <<'END'
import re, sys
def roles(path):
    return {r: (int(pid), int(at, 16), int(n)) for r, pid, at, n in
            (line.split() for line in open(path) if ' 0x' in line)}
END
# kin FORM: the map and what the family says of itself
kin() {
	"${family[@]}" -o "$scratch/kin.$1" -- "$build/tests/real/family" "$scratch/another" \
		>"$scratch/kin" 2>"$scratch/kin_$1.err" || fail "family, $1: exit status $?"
}
if "${family[@]}" -o "$scratch/map.json" -- true 2>/dev/null; then
	kin json
	PYTHONPATH=$scratch /usr/bin/python3 - "$scratch/kin.json" "$scratch/kin" <<'END' || fail 'the family is not shown as it is'
import json, sys
from family import roles
m, said = json.load(open(sys.argv[1])), roles(sys.argv[2])
minor = 2 + [l['name'] for l in m['layers']].index('minor')
def pages(pid, at):
    return sum(c[minor] for c in m['cells'] if m['rows'][c[0]]['pid'] == pid
               and at <= int(m['rows'][c[0]]['start'], 16) < at + (16 << 20))
print(said, {r: pages(pid, at) for r, (pid, at, n) in said.items()})
assert len(said) == 4
for role, (pid, at, n) in said.items():
    assert pages(pid, at) == n, (role, pages(pid, at), n)
# Its exec took that away.
assert pages(said['executed'][0], said['parent'][1]) == 0
assert all(r['class'] != 'unknown' for r in m['rows']), m['rows']
processes = {p['pid']: p for p in m['processes']}
assert set(processes) == {pid for pid, at, n in said.values()} and m['pid'] == said['parent'][0]
assert processes[said['executed'][0]]['program'] == 'another'
assert processes[said['grandchild'][0]]['program'] == 'family'
assert processes[said['grandchild'][0]]['parent'] == said['child'][0]
assert processes[said['child'][0]]['parent'] == said['parent'][0]
for r in m['rows']:
    assert m['processes'][r['process']]['pid'] == r['pid']
order = [(r['process'], int(r['start'], 16)) for r in m['rows']]
assert order == sorted(order)
END
	kin csv
	PYTHONPATH=$scratch /usr/bin/python3 - "$scratch/kin.csv" "$scratch/kin" <<'END' || fail 'the rows of the family do not add up'
import csv, sys
from family import roles
rows, said = list(csv.DictReader(open(sys.argv[1]))), roles(sys.argv[2])
for role, (pid, at, n) in said.items():
    own = [r for r in rows if int(r['pid']) == pid]
    assert sum(int(r['minor']) for r in own if at <= int(r['start'], 16) < at + (16 << 20)) == n
    assert {r['program'] for r in own} == {'another' if role == 'executed' else 'family'}, role
END
	kin svg
	kin_svg=$(sed 's/<[^>]*>/ /g' "$scratch/kin.svg")
	grep -q 'family (process [0-9]*) and 3 more processes' <<<"$kin_svg" || fail 'the picture does not say how many'
	while read -r role pid _; do
		name=family
		[ "$role" != executed ] || name=another
		grep -q "$name ($pid)" <<<"$kin_svg" || fail "the picture lacks $name ($pid)"
	done <"$scratch/kin"
	kin txt
	while read -r role pid _; do
		name=family
		[ "$role" != executed ] || name=another
		grep -q "^$name ($pid)\$" "$scratch/kin.txt" || fail "the lines lack $name ($pid)"
	done <"$scratch/kin"

	# More than are shown: those with most stay, and the rest is counted. The account is the kernel's.
	cat >"$scratch/many.py" <<'END'
import os, resource, sys
def run(*command):
    pid = os.fork()
    if pid == 0:
        os.execv(command[0], command)
    os.waitpid(pid, 0)
run(sys.argv[1])
for i in range(100):
    run('/bin/true')
print(sum(resource.getrusage(who).ru_minflt
          for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)), flush=True)
END
	"${family[@]}" -o "$scratch/many.json" -- /usr/bin/python3 "$scratch/many.py" "$scratch/another" \
		>"$scratch/many" 2>"$scratch/many.err" || fail "many: exit status $?"
	grep -q '38 processes are not shown, with [0-9]* faults' "$scratch/many.err" || fail 'who is left out is not said'
	/usr/bin/python3 - "$scratch/many.json" "$(tail -n 1 "$scratch/many")" <<'END' || fail 'the limit is not kept'
import json, re, sys
m, account = json.load(open(sys.argv[1])), int(sys.argv[2])
note = m['sources']['kernel']['note']
before = int(re.search('([0-9]+) faults of the programs', note).group(1))
total = {l['name']: l.get('total') for l in m['layers']}
print(total['minor'], 'shown,', m['faults_left_out'], 'left out,', before, 'before an exec, of', account)
assert m['processes_left_out'] == 38 and len(m['processes']) == 64, len(m['processes'])
assert 'another' in {p['program'] for p in m['processes']}
assert m['faults_left_out'] >= 38 * 20
assert .97 * account < total['minor'] + m['faults_left_out'] + before < 1.03 * account + 100
END
	# Also of those that live, all at a time.
	"${family[@]}" -o "$scratch/many.json" -- bash -c 'for i in {1..80}; do sleep 1 & done; wait' \
		2>"$scratch/many.err" || fail "80 at a time: exit status $?"
	/usr/bin/python3 - "$scratch/many.json" <<'END' || fail 'of many at a time the limit is not kept'
import json, sys
m = json.load(open(sys.argv[1]))
assert m['processes_left_out'] == 17 and len(m['processes']) == 64, (m['processes_left_out'], len(m['processes']))
assert m['faults_left_out'] >= 17 * 20
END
	# Where perf tells nothing, who has ended before anybody looked has rows that say so.
	if "$build/tests/real/no_perf" "${family[@]}" -o "$scratch/kin.json" -- "$build/tests/real/family" \
		"$scratch/another" >"$scratch/kin" 2>"$scratch/kin_none.err"; then
		PYTHONPATH=$scratch /usr/bin/python3 - "$scratch/kin.json" "$scratch/kin" <<'END' || fail 'without perf: wrong'
import json, sys
from family import roles
m, said = json.load(open(sys.argv[1])), roles(sys.argv[2])
minor = 2 + [l['name'] for l in m['layers']].index('minor')
for role, (pid, at, n) in said.items():
    cells = [c for c in m['cells'] if m['rows'][c[0]]['pid'] == pid]
    own = [c for c in cells if at <= int(m['rows'][c[0]]['start'], 16) < at + (16 << 20)]
    labels = {(m['rows'][c[0]]['class'], m['rows'][c[0]]['region']) for c in own}
    print(role, sum(c[minor] for c in own), labels)
    assert sum(c[minor] for c in own) == n
    assert labels <= {('anonymous', 'anonymous'), ('unknown', 'ended before its mappings were read')}, labels
END
	else
		fail 'no map where perf is refused'
	fi
fi

# Without either nothing tells of what a process starts, and that is said.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	setpriv --bounding-set -bpf,-perfmon,-sys_admin "$build/tests/real/no_perf" \
		"$build/predicomp" heatmap -- true >"$scratch/out" 2>"$scratch/alone.err"
	grep -q 'what the process starts is not shown' "$scratch/alone.err" || fail 'does not say that it shows one process'
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
