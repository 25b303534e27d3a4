#!/usr/bin/env bash
# access.sh LIBRARY: what predicomp access says of memory that is touched in a known order, by a process
# and by those that it starts.
. "$(dirname "$0")/real.bash" "$@"
command -v /usr/bin/python3 >/dev/null || skip 'python3 is missing'
here=$(cd "$(dirname "$0")" && pwd)

"$build/predicomp" access -- true >/dev/null 2>"$scratch/why" || skip "$(tail -n 1 "$scratch/why")"
head -c 32M /dev/zero >"$scratch/mapped"

limited=()
# judge PATTERN CLASS ORDER REPEATED STEP LEAST: the region with most faults is what was touched; of
# files that is asked of the one by its name, for how many pages a fault of it maps is the kernel's choice
judge() {
	${limited[@]+"${limited[@]}"} "$build/predicomp" access --json -- /usr/bin/python3 "$here/touch.py" "$1" "$scratch/mapped" \
		>"$scratch/$1.json" 2>"$scratch/$1.err" || fail "$1: exit status $?"
	/usr/bin/python3 - "$scratch/$1.json" "$@" <<'END' || fail "$1 was taken for something else"
import json, sys
path, pattern, kind, order, repeated, step, least = sys.argv[1:]
answer = json.load(open(path))
top = next(r for r in answer['regions'] if kind != 'file' or r['region'] == 'mapped')
print(pattern, {k: top[k] for k in ('class', 'region', 'order', 'repeated', 'faults', 'major',
      'forward_share', 'step_pages', 'step_share', 'again_share', 'reuse_distance')})
assert top['class'] == kind and top['order'] == order
assert top['repeated'] == (repeated == 'yes')
assert step == '-' or top['step_pages'] == int(step)
# What came faster than it could be read is counted, whosever it was.
assert top['faults'] >= int(least) / 2 and top['faults'] + answer['faults_dropped'] >= int(least)
END
}

judge sequential anonymous sequential no 1 4096
judge strided anonymous strided no 16 4096
judge random anonymous random no - 4096
judge thrash anonymous sequential yes 1 16000
judge file file sequential no - 32
judge file_random file random no - 32

# What a program of some milliseconds had mapped, and has unmapped again, keeps its name, each time.
brief() {
	for run in {1..50}; do
		${limited[@]+"${limited[@]}"} "$build/predicomp" access --json -- "$build/tests/real/brief" \
			"$scratch/mapped" || fail "run $run of a short life"
	done >"$scratch/brief.json" 2>"$scratch/brief.err"
	/usr/bin/python3 - "$scratch/brief.json" "$1" <<'END' || fail 'a short life was not understood'
import json, sys
decoder, runs = json.JSONDecoder(), []
text = open(sys.argv[1]).read().lstrip()
while text:
    answer, n = decoder.raw_decode(text)
    runs.append(answer)
    text = text[n:].lstrip()
assert len(runs) == 50, len(runs)
for answer in runs:
    seen = {(r['class'], r['region'], r['order'], r['step_pages'])
            for r in answer['regions'] if r['faults'] >= 500}
    assert seen == {('anonymous', 'anonymous', 'sequential', 1), ('file', 'mapped', 'strided', 2),
                    ('heap', 'heap', 'sequential', -1)}, seen
    assert all(r['class'] != 'unknown' for r in answer['regions']), answer['regions']
    assert answer['source'] == sys.argv[2]
lives = [answer['seconds'] for answer in runs]
print('50 short lives of', min(lives), 'to', max(lives), 'seconds')
END
}
brief bpf

# Each process of a family has an order of its own, three of them at one address.
ln -s "$build/tests/real/family" "$scratch/another"
kin() {
	${limited[@]+"${limited[@]}"} "$build/predicomp" access --json -- "$build/tests/real/family" \
		"$scratch/another" >"$scratch/kin" 2>"$scratch/kin.err" || fail "family: exit status $?"
	/usr/bin/python3 - "$scratch/kin" "$1" <<'END' || fail "the family's orders were not understood"
import json, sys
text = open(sys.argv[1]).read()
said = {f[0]: (int(f[1]), int(f[2], 16), int(f[3]))
        for f in (line.split() for line in text.splitlines()) if len(f) == 4 and f[2][:2] == '0x'}
answer = json.loads(text[text.index('{'):])
orders = {'parent': ('sequential', 1), 'child': ('sequential', -1), 'grandchild': ('random', None),
          'executed': ('strided', 3)}
assert set(said) == set(orders) and answer['source'] == sys.argv[2]
def regions(pid, at):
    return [r for r in answer['regions'] if r['pid'] == pid and int(r['start'], 16) <= at < int(r['end'], 16)]
for role, (order, step) in orders.items():
    pid, at, n = said[role]
    one, = regions(pid, at)
    print(role, {k: one[k] for k in ('pid', 'program', 'class', 'order', 'step_pages', 'faults')})
    assert one['class'] == 'anonymous' and one['order'] == order, role
    assert step is None or one['step_pages'] == step, role
    assert one['program'] == ('another' if role == 'executed' else 'family')
    assert one['faults'] == n or answer['faults_dropped'] and one['faults'] < n, (role, one['faults'])
assert not regions(said['executed'][0], said['parent'][1])
assert answer['pid'] == said['parent'][0] and answer['processes_left_out'] == 0
assert {r['pid'] for r in answer['regions']} == {pid for pid, at, n in said.values()}
END
}
kin bpf

# The table puts each under its name and number, and is as ever where there is one.
"$build/predicomp" access -- "$build/tests/real/family" "$scratch/another" >"$scratch/table" ||
	fail "the family's table: exit status $?"
while read -r role pid _ n; do
	name=family
	[ "$role" != executed ] || name=another
	awk -v head="$name ($pid)," -v n="$n" 'index($0, head) == 1 { under = 1; next }
		/^[a-z]+ \([0-9]+\),/ { under = 0 }
		under && $1 == "anonymous" && $4 == "MiB" && $5 == n { found = 1 }
		END { exit !found }' "$scratch/table" || fail "the table lacks $role: $(cat "$scratch/table")"
done < <(grep ' 0x' "$scratch/table")
! "$build/predicomp" access -- true | grep -q '^true (' || fail 'a name over the only process'

# More than are shown: the one that did most stays.
"$build/predicomp" access --json -- bash -c '"$0"; for i in {1..100}; do /bin/true; done' "$scratch/another" \
	>"$scratch/many" 2>"$scratch/many.err" || fail "many: exit status $?"
grep -q '38 processes are not shown, with [0-9]* faults' "$scratch/many.err" || fail 'who is left out is not said'
/usr/bin/python3 - "$scratch/many" <<'END' || fail 'the limit is not kept'
import json, sys
text = open(sys.argv[1]).read()
answer = json.loads(text[text.index('{'):])
assert answer['processes_left_out'] == 38 and answer['faults_left_out'] >= 38 * 20
assert len({r['pid'] for r in answer['regions']}) == 64
top = answer['regions'][0]
assert (top['program'], top['order'], top['faults']) == ('another', 'strided', 1200), top
END

# Without the rights for programs in the kernel, perf's events say the same of these.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ]; then
	limited=(setpriv --bounding-set -bpf,-perfmon,-sys_admin)
	judge sequential anonymous sequential no 1 4096
	judge strided anonymous strided no 16 4096
	judge thrash anonymous sequential yes 1 16000
	brief perf
	kin perf
	# The tool stands still while it happens: what perf had no room for is counted, though its rings
	# have no more to tell.
	"${limited[@]}" "$build/predicomp" access --json -- bash -c 'kill -STOP $PPID; "$@"; kill -CONT $PPID' \
		bash /usr/bin/python3 "$here/touch.py" thrash "$scratch/mapped" >"$scratch/late.json" \
		2>"$scratch/late.err" || fail "with a tool that stands still: exit status $?"
	/usr/bin/python3 - "$scratch/late.json" <<'END' || fail 'what was lost is not counted'
import json, sys
answer = json.load(open(sys.argv[1]))
seen, lost = sum(r['faults'] for r in answer['regions']), answer['faults_dropped']
print('seen', seen, 'lost', lost)
assert lost > 1000 and seen > 1000 and seen + lost >= 16384
END
	grep -q "perf's events" "$scratch/thrash.err" || fail 'does not say that it is perf'
	limited=()
fi

"$build/predicomp" access --csv -- /usr/bin/python3 "$here/touch.py" strided >"$scratch/csv"
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	$at["order"] == "strided" && $at["step_pages"] == 16 && $at["pid"] > 0 && $at["program"] ~ /^"python3/ {
		found = 1
	}
	END { exit !found }' "$scratch/csv" || fail 'the csv does not say so'
"$build/predicomp" access -- /usr/bin/python3 "$here/touch.py" thrash | grep -q 'thrash, sequential' ||
	fail 'the table does not say so'
