#!/usr/bin/env bash
# verbs.sh BUILD: the verbs of the kernel's view on programs whose doings are known: what they say, in
# every format, what they refuse and how, and that nothing stays in the kernel.
set -uo pipefail

build=${1:?usage: $0 BUILD}
PATH=$PATH:/usr/sbin
predicomp=$build/predicomp
scratch=$(mktemp -d)
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
wrong=0

fail() {
	printf 'FAIL: %s\n' "$1"
	wrong=1
}

skip() {
	printf 'SKIP: %s\n' "$1"
	exit 77
}

# field NAME FILE: of the last line or the only object that has it
field() {
	grep -o "\"$1\": *[-0-9.a-z\"]*" "$2" | tail -n 1 | sed 's/.*: *//'
}

# refuses STATUS PATTERN ARGUMENT...
refuses() {
	local status=$1 pattern=$2 out
	shift 2
	out=$("$predicomp" "$@" 2>&1 >/dev/null </dev/null)
	[ $? = "$status" ] || fail "$*: exit status is not $status"
	[[ $out =~ $pattern ]] || fail "$*: says $out, not $pattern"
}

# programs PID: the numbers of the kernel's programs that a process holds
programs() {
	cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | sort -u
}

# alive ID...: those that the kernel still has
alive() {
	local id
	for id; do
		! bpftool prog show id "$id" >/dev/null 2>&1 || echo "$id"
	done
}

mib() {
	perl -e 'my $m = "x" x ($ARGV[0] << 20); print length $m, "\n"' "$1" >/dev/null
}
export -f mib

out=$("$predicomp" faults --json -- true 2>&1) || fail "faults: $out"
grep -q '"source": "bpf"' <<<"$out" || skip "$(head -n 1 <<<"$out")"

# --- faults
"$predicomp" faults --json -- bash -c 'mib 64' >"$scratch/f"
python3 -m json.tool "$scratch/f" >/dev/null || fail 'faults: no JSON'
for name in minor major gup user kernel failed seconds; do
	[ -n "$(field "$name" "$scratch/f")" ] || fail "faults: no $name"
done
[ "$(field minor "$scratch/f")" -ge 100 ] || fail 'faults: too few in a child of the command'
"$predicomp" faults --csv --interval 100ms --count 3 -p $$ >"$scratch/c"
[ "$(grep -c ^interval, "$scratch/c")" = 3 ] || fail 'faults: not three intervals'
[ "$(awk -F, 'NF != 9' "$scratch/c" | wc -l)" = 0 ] || fail 'faults: ragged CSV'
"$predicomp" faults -p $$ 50ms --json --count 2 >"$scratch/o"
[ "$(wc -l <"$scratch/o")$(grep -c '"total":true' "$scratch/o")" = 31 ] ||
	fail 'faults: options after a bare interval'
# More processes, one after the other, than are followed at a time. On emulated CPUs just some.
forks=17000
[ ! -e /run/predicomp-lab ] || forks=500
many=(perl -e 'for (1 .. $ARGV[0]) { my $p = fork; $p or exit; waitpid $p, 0 }' $forks)
"$predicomp" faults --json -- "${many[@]}" >"$scratch/many"
[ "$(field processes_not_followed "$scratch/many")" = 0 ] || fail 'faults: what ended makes no room'
"$predicomp" faults -- sh -c 'exit 9' >/dev/null
[ $? = 9 ] || fail "faults: the command's exit status is lost"
"$predicomp" faults --threads -- sh -c 'true; sh -c "exit 0"; exit 0' >"$scratch/t"
[ "$(grep -c 'ended sh' "$scratch/t")" = 2 ] || fail 'faults: does not show both processes'

"$predicomp" faults --threads --json -- /usr/bin/python3 -c 'import threading
kept = []
t = [threading.Thread(target=lambda: kept.append(bytearray(1 << 22))) for i in range(3)]
[x.start() for x in t]; [x.join() for x in t]' >"$scratch/th"
python3 - "$scratch/th" <<'PY' || fail "faults: not each thread: $(cat "$scratch/th")"
import json, sys
f = json.load(open(sys.argv[1]))
ended = [p for p in f["parts"] if "ended_thread" in p]
assert len(ended) == 4 and sum(p["minor"] > 900 for p in ended) >= 3, ended
assert sum(p["minor"] for p in ended) == f["minor"], (ended, f["minor"])
PY

# --- stall
"$predicomp" stall --json -- bash -c 'mib 64' >"$scratch/s"
python3 - "$scratch/s" <<'PY' || fail 'stall: not plausible'
import json, sys
ran = json.load(open(sys.argv[1]))["ran"]
assert ran["count"] > 100 and 0 < ran["p50_ns"] <= ran["p95_ns"] <= ran["p99_ns"] <= ran["max_ns"]
PY

"$predicomp" stall --csv --interval 300ms -- bash -c 'mib 64; sleep 1' >"$scratch/si"
python3 - "$scratch/si" <<'PY' || fail 'stall: intervals do not add up to the total'
import csv, sys
ran = [int(r["count"]) for r in csv.DictReader(open(sys.argv[1])) if r["kind"] == "ran"]
assert len(ran) >= 3 and sum(ran[:-1]) == ran[-1] > 100, ran
PY

# --- reclaim
"$predicomp" reclaim --oneline --interval 100ms --count 2 >"$scratch/r"
[ "$(grep -cE '^kswapd_wake=[0-9]+ kswapd_sleep=[0-9]+ direct_begin=[0-9]+ direct_end=[0-9]+ reclaim_pages=[0-9]+ write_folio=[0-9]+ last_pid=[0-9]+ last_comm=.+ memcg_begin=[0-9]+ memcg_end=[0-9]+$' \
	"$scratch/r")" = 2 ] || fail 'reclaim: not two lines'

python3 - "$scratch/r" <<'PY' || fail 'reclaim: the line is not plausible'
import sys
for line in open(sys.argv[1]):
    n = dict(word.split("=") for word in line.split(" ") if word.count("=") == 1)
    assert all(int(n[kind + "_begin"]) - int(n[kind + "_end"]) < 1000 for kind in ("direct", "memcg")), line
PY
"$predicomp" reclaim --csv --interval 100ms --count 2 >"$scratch/rc"
[ "$(awk -F, 'NR == 1 { n = NF } NF != n' "$scratch/rc" | wc -l)" = 0 ] || fail 'reclaim: ragged CSV'
[ "$(grep -c '^interval,' "$scratch/rc")$(grep -c '^total,' "$scratch/rc")" = 21 ] ||
	fail 'reclaim: not two intervals and a total'

# --- lifecycle
"$predicomp" lifecycle --csv -- "${many[@]}" >"$scratch/lots"
[ "$(grep -c '^[0-9.]*,exit,' "$scratch/lots")" = $((forks + 1)) ] || fail 'lifecycle: an exit was not seen'
"$predicomp" lifecycle --json -- sh -c 'true; sh -c "kill -9 \$\$"; exit 5' >"$scratch/l"
[ $? = 5 ] || fail "lifecycle: the command's exit status is lost"
grep -q '"event":"exec".*"text":"sh -c kill -9' "$scratch/l" || fail 'lifecycle: no exec with arguments'
grep -q '"event":"exit".*"status":137.*killed by SIGKILL' "$scratch/l" || fail 'lifecycle: no kill'
grep -q '"event":"exit".*"status":5.*"peak_bytes":[1-9]' "$scratch/l" || fail 'lifecycle: no exit'
[ "$(grep -c '"event":"fork"' "$scratch/l")" -ge 1 ] || fail 'lifecycle: no fork'
# The first thread ends before the last: its part counts, and the status is what its parent is told, by
# this kernel that of the last. 60 is exit of one thread.
"$predicomp" lifecycle --json -- /usr/bin/python3 -c 'import ctypes, threading, time
libc = ctypes.CDLL(None)
threading.Thread(target=lambda: (time.sleep(0.5), libc.syscall(60, 5))).start()
libc.syscall(60, 7)' >"$scratch/first"
python3 - "$scratch/first" $? <<'PY' || fail "lifecycle: the first thread is lost: $(cat "$scratch/first")"
import json, sys
ends = [e for e in map(json.loads, open(sys.argv[1])) if e["event"] == "exit"]
assert len(ends) == 1, ends
end = ends[0]
assert end["status"] == int(sys.argv[2]) in (5, 7) and end["minor"] > 500 and end["cpu_ms"] > 0 and end["lived_ms"] >= 500, end
PY
# Names and arguments are somebody else's text.
for format in --json --csv; do
	"$predicomp" lifecycle $format -- \
		perl -e '$0 = "\e[1m\xff"; system {"/bin/true"} "\xe4\e]0;"' >"$scratch/odd"
	LC_ALL=C grep -q '[^ -~]' "$scratch/odd" && fail "lifecycle $format: $(cat -v "$scratch/odd")"
	grep -q '"?\[1m?"' "$scratch/odd" || fail "lifecycle $format: no name: $(cat -v "$scratch/odd")"
	grep -q '"??]0;"' "$scratch/odd" || fail "lifecycle $format: no argument: $(cat -v "$scratch/odd")"
done
"$predicomp" faults --json --threads -- perl -e '$0 = "\e[1m\xff"; system "true"' >"$scratch/odd"
LC_ALL=C grep -q '[^ -~]' "$scratch/odd" && fail "faults: $(cat -v "$scratch/odd")"
grep -q '"?\[1m?"' "$scratch/odd" || fail "faults: no name: $(cat -v "$scratch/odd")"
# A command that ends while the watcher is still attaching, as by ^C, does not end the watcher.
"$predicomp" lifecycle -- sleep 5 >/dev/null 2>"$scratch/early" &
watcher=$!
for _ in $(seq 200); do
	command=$(pgrep -P $watcher) && kill -9 "$command" && break
	sleep 0.01
done
wait $watcher
status=$?
[ $status = 137 ] || grep -q 'before it began' "$scratch/early" || fail "lifecycle: ends with $status"
[ "$("$predicomp" lifecycle --csv -- true | awk -F, 'NF != 22' | wc -l)" = 0 ] || fail 'lifecycle: CSV'
if "$predicomp" check >/dev/null 2>&1; then
	out=$("$predicomp" lifecycle --json --name perl --then 'evict after 1s' -- \
		"$predicomp" run --min-rss 1M -- perl -e 'my $m = "x" x (64 << 20); sleep 4; print ""')
	[[ $out =~ '"event":"evicted"'.*'"pages":'[1-9][0-9]{3} ]] || fail "lifecycle --then: $out"
	python3 - "$out" <<'PY' || fail "lifecycle --then: $out"
import json, os, sys
events = [json.loads(line) for line in sys.argv[1].splitlines()]
order = next(e for e in events if e["event"] == "evicted")
assert min(order["before_bytes"], order["after_bytes"]) > 0, order
# An emulated CPU is still filling memory when the order comes.
if not os.path.exists("/run/predicomp-lab"):
    assert order["before_bytes"] - order["after_bytes"] > 32 << 20, order
assert order["stored_bytes"] > 0 and order["delay_ms"] == 1000 and order["late_ms"] >= 0, order
PY
fi
out=$("$predicomp" lifecycle --json --name perl --then 'evict after 100ms' -- perl -e 'sleep 2')
[[ $out =~ '"event":"missed"'.*'does not run under' ]] || fail "lifecycle --then: not missed: $out"
"$predicomp" lifecycle --json -- sh -c 'sh -c "sh -c \"exit 3\"; exit 2"; exit 1' >"$scratch/g"
python3 - "$scratch/g" <<'PY' || fail "lifecycle: lineage: $(cat "$scratch/g")"
import json, os, sys
ends = {e["status"]: e for e in map(json.loads, open(sys.argv[1])) if e["event"] == "exit"}
assert [ends[s]["generation"] for s in (1, 2, 3)] == [0, 1, 2], ends
assert {e["root"] for e in ends.values()} == {ends[1]["pid"]}
assert all(e["uid"] == os.getuid() and 0 <= e["cpu_ms"] <= e["lived_ms"] + 50 for e in ends.values())
PY

# --- thp: 32 huge faults, or each counted as refused
cat >"$scratch/huge.py" <<'PY'
import mmap
m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(14)
for i in range(0, 64 << 20, 4096):
    m[i] = 1
PY
"$predicomp" thp --json -- python3 "$scratch/huge.py" >"$scratch/h"
if ! grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled; then
	had=$(grep -m 1 '"faults"' "$scratch/h" | tr -dc 0-9)
	refused=$(grep -m 1 '"fallbacks"' "$scratch/h" | tr -dc 0-9)
	[ $((had + refused)) -ge 31 ] || fail "thp: $had huge faults and $refused refused, 31 are there"
fi

python3 - "$scratch/h" <<'PY' || fail 'thp: sources are not named'
import json, sys
thp = json.load(open(sys.argv[1]))
assert all(thp["sources"][name] for name in thp["sources"]) and thp["sources"]["faults"], thp
assert (thp["splits"] is None) == (thp["sources"]["splits"] == "not available on this kernel"), thp
PY
"$predicomp" access --csv -- python3 -c 'import mmap, os, sys
if os.fork() == 0:
    m = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE)
    m.madvise(mmap.MADV_NOHUGEPAGE)
    m.write(bytes(8 << 20))
    print(os.getpid(), file=sys.stderr)
else: os.wait()' 2>"$scratch/a" >"$scratch/h"
awk -F, -v pid="$(head -n 1 "$scratch/a")" 'NR > 1 && $17 == pid && $5 >= 2048 { found = 1 }
	END { exit !found }' "$scratch/h" || fail "access: a child is not shown: $(cat "$scratch/a")"

# --- trace: as many events as faults, in both forms
"$predicomp" trace --output "$scratch/v.json" -- python3 -c 'x = bytearray(32 << 20)' 2>"$scratch/v"
python3 - "$scratch/v.json" <<'PY' || fail 'trace: no trace for a viewer'
import json, sys
trace = json.load(open(sys.argv[1]))
assert len(trace["traceEvents"]) == trace["otherData"]["events"] > 100
assert trace["otherData"]["events_dropped"] == 0
assert all(e["ph"] == "i" and e["name"] in ("minor", "major", "failed") for e in trace["traceEvents"])
PY
# Nobody reads while it is asleep.
lost=$("$predicomp" trace --buffer 4096 --csv -- sh -c 'kill -STOP $PPID
	python3 -c "import time; [bytearray(4096 * i) for i in range(99)]"
	kill -CONT $PPID' 2>&1 >/dev/null)
[[ $lost =~ ' '[1-9][0-9]*' dropped' ]] || fail "trace: a full buffer is not told: $lost"

# --- profile: a frozen array that anybody may map, in a file system for pins of our own
"$predicomp" profile serve --csv -- bash -c 'mib 64; sleep 1' >"$scratch/p"
awk -F, 'NR > 1 && $2 != 0 { n++; if ($3 < last) bad = 1; last = $3 }
	END { exit !(n >= 5 && last >= 100 && !bad) }' "$scratch/p" || fail 'profile: not what was used'
cat >"$scratch/reader.py" <<'PY'
import ctypes, mmap, os, struct, sys
path = ctypes.create_string_buffer(sys.argv[1].encode())
attr = struct.pack("QII", ctypes.addressof(path), 0, 0)
fd = ctypes.CDLL(None, use_errno=True).syscall(321, 7, attr, len(attr))
assert fd >= 0, os.strerror(ctypes.get_errno())
size = 65536 * 40
for prot in (mmap.PROT_READ | mmap.PROT_WRITE,):
    try:
        mmap.mmap(fd, size, prot=prot)
        sys.exit("the array could be mapped for writing")
    except PermissionError:
        pass
m = mmap.mmap(fd, size, prot=mmap.PROT_READ)
magic, written, tick = struct.unpack_from("QQQ", m, 0)
assert magic == 0x31666f7270636970 and written > 0 and tick == 50000000, (magic, written, tick)
seen = [struct.unpack_from("QQQQII", m, 40 * (1 + i)) for i in range(written)]
mine = [s for s in seen if s[4] == int(sys.argv[2])]
assert len(mine) >= 3 and mine[-1][1] >= mine[0][1], mine
assert any(s[4] == 0 and s[5] == 1 for s in seen)
PY
cat >"$scratch/pinned.sh" <<'PINNED'
predicomp=$1 scratch=$2 folder=$2/bpf/p server='' target=''
trap 'kill $server $target 2>/dev/null' EXIT
mkdir "$scratch/bpf" && mount -t bpf bpf "$scratch/bpf" || exit 77
chmod 755 "$scratch/bpf"
sleep 30 & target=$!
"$predicomp" profile serve --pin "$folder" & server=$!
for i in $(seq 50); do [ -e "$folder/registered" ] && break; sleep 0.1; done
"$predicomp" profile register $target "$folder" || exit 1
"$predicomp" profile register $target "$folder" 2>/dev/null && exit 2
# until_true TRIES COMMAND...: the sampler ticks as the machine lets it
until_true() {
	local tries=$1
	shift
	while ! "$@" && [ $((tries--)) -gt 0 ]; do sleep 0.1; done
	"$@"
}
listed() { "$predicomp" profile status "$folder" | grep -q "^ *$target "; }
unlisted() { ! listed; }
until_true 100 listed || exit 3
in_json() {
	"$predicomp" profile status --json "$folder" | /usr/bin/python3 -c 'import json, sys
row, = [r for r in json.load(sys.stdin) if r["pid"] == int(sys.argv[1])]
assert row["minor"] >= 0 and row["major"] >= 0 and row["cpu_ns"] >= 0' $target 2>/dev/null
}
until_true 100 in_json || exit 10
"$predicomp" profile status "$folder" --csv | grep -Eq "^$target,[0-9]+,[0-9]+,[0-9]+$" || exit 11
sleep 30 & other=$!
"$predicomp" profile register $other "$folder" && "$predicomp" profile unregister $other "$folder" &&
	! "$predicomp" profile status --csv "$folder" | grep -q "^$other," || exit 12
kill $other
sleep 0.5
setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 "$scratch/reader.py" "$folder/samples" $target || exit 4
cp "$predicomp" "$scratch/theirs"
setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/theirs" profile status --csv "$folder" |
	grep -Eq "^$target,[0-9]+,[0-9]+,[0-9]+$" || exit 13
kill $target; wait $target 2>/dev/null
until_true 100 unlisted || exit 5
kill -9 $server; wait $server 2>/dev/null
"$predicomp" profile unpin "$folder" || exit 6
[ ! -e "$folder" ] || exit 7
"$predicomp" profile serve --pin "$folder" & server=$!
for i in $(seq 50); do [ -e "$folder/registered" ] && break; sleep 0.1; done
kill $server; wait $server || exit 8
[ ! -e "$folder" ] || exit 9
PINNED
if [ "$(id -u)" = 0 ]; then
	unshare -m bash "$scratch/pinned.sh" "$predicomp" "$scratch" 2>"$scratch/pinned"
	status=$?
	[ $status = 77 ] && echo 'note: no bpf file system can be mounted: pins are not tested'
	[ $status = 0 ] || [ $status = 77 ] || fail "profile: step $status of pinned: $(cat "$scratch/pinned")"
fi

# --- refusals
for verb in faults stall thp trace heatmap access; do
	refuses 2 'a process stands after -p' $verb $$
done
refuses 2 'either --json or --csv' faults --json --csv -p $$
refuses 2 'a format of its own' reclaim --oneline --csv
refuses 2 'shows events as they come' trace --interval 1 -p $$
refuses 1 'not in a bpf file system' profile serve --pin "$scratch/no"
refuses 2 'wants serve' profile
refuses 2 'wants --pin FOLDER' profile serve
refuses 2 'knows --json and --csv, not --xml' profile status --xml
refuses 1 'is a sampler there' profile status "$scratch"
mkdir "$scratch/own"
echo mine >"$scratch/own/samples"
refuses 1 'not in a bpf file system' profile unpin "$scratch/own"
[ -e "$scratch/own/samples" ] || fail 'profile: unpin takes what is no pin'
[ -z "$("$predicomp" profile status "$scratch" 2>/dev/null)" ] || fail 'profile: a table of nothing'
refuses 3 'no process' profile register 4194303
refuses 2 'evict after TIME' lifecycle --then 'evict soon' -- true
refuses 2 'evict, restore' lifecycle --then 'burn after 1s' -- true
refuses 2 'power of two' trace --buffer 5000 -- true
refuses 1 'No such file' trace --output "$scratch/none/x" -- true
echo old >"$scratch/old.json"
refuses 3 'no process 4194303' trace --output "$scratch/old.json" -p 4194303
[ "$(cat "$scratch/old.json")" = old ] || fail 'trace: what the file held has gone before there is more'
refuses 3 'no process 4194303' faults -p 4194303
refuses 2 'not a process number' faults -p abc
refuses 2 'wants -p PID or -- COMMAND' faults
refuses 2 'not both' faults -p $$ -- true
refuses 2 'a command after --' faults true x
refuses 2 'not a time' faults --interval never -- true
refuses 2 '.' faults --bad
refuses 127 'No such file' faults -- "$scratch/none"
refuses 2 'either --cgroup' reclaim --cgroup / -p $$
refuses 2 'No such file' reclaim --cgroup "$scratch/none"
refuses 1 'version 2 cgroup' reclaim --cgroup "$scratch"

# --- without capabilities, and with the two that are enough
if [ "$(id -u)" = 0 ]; then
	cp "$predicomp" "$scratch/predicomp"
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	out=$("${nobody[@]}" "$scratch/predicomp" faults --json -- true 2>&1)
	[[ $out =~ 'CAP_BPF and CAP_PERFMON are missing' && $out =~ setcap ]] || fail "no remedy: $out"
	[[ $out =~ '"source": "proc"' && $out =~ '"minor": '[1-9] ]] || fail "nothing from /proc: $out"
	out=$("${nobody[@]}" "$scratch/predicomp" stall -- true 2>&1)
	[ $? = 4 ] && [[ $out =~ 'CAP_BPF and CAP_PERFMON are missing' && $out =~ 'without it: predicomp stat' ]] ||
		fail "stall as nobody: $out"
	out=$("${nobody[@]}" --inh-caps=+bpf --ambient-caps=+bpf "$scratch/predicomp" stall -- true 2>&1)
	[[ $out =~ 'CAP_PERFMON is missing' && ! $out =~ 'CAP_BPF and' ]] || fail "CAP_BPF alone: $out"
	out=$("${nobody[@]}" --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon \
		"$scratch/predicomp" faults --json -- true 2>&1)
	[[ $out =~ '"source": "bpf"' ]] || fail "CAP_BPF and CAP_PERFMON are not enough: $out"
fi

# --- nothing stays
"$predicomp" faults --interval 1 -p $$ >"$scratch/w" &
watcher=$!
for _ in $(seq 100); do
	[ -s "$scratch/w" ] && break
	sleep 0.1
done
mapfile -t held < <(programs $watcher)
[ "${#held[@]}" -ge 5 ] && [ "$(alive "${held[@]}" | wc -l)" = "${#held[@]}" ] ||
	fail "no programs were seen in the kernel: ${held[*]}"
kill -9 $watcher
wait $watcher 2>/dev/null
for _ in $(seq 50); do
	[ -z "$(alive "${held[@]}")" ] && break
	sleep 0.1
done
[ -z "$(alive "${held[@]}")" ] || fail "left in the kernel after kill -9: $(alive "${held[@]}")"
exit $wrong
