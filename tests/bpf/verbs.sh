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
"$predicomp" faults -- sh -c 'exit 9' >/dev/null
[ $? = 9 ] || fail "faults: the command's exit status is lost"
"$predicomp" faults --threads -- sh -c 'true; sh -c "exit 0"; exit 0' >"$scratch/t"
[ "$(grep -c 'ended sh' "$scratch/t")" = 2 ] || fail 'faults: does not show both processes'

# --- stall
"$predicomp" stall --json -- bash -c 'mib 64' >"$scratch/s"
python3 - "$scratch/s" <<'PY' || fail 'stall: not plausible'
import json, sys
ran = json.load(open(sys.argv[1]))["ran"]
assert ran["count"] > 100 and 0 < ran["p50_ns"] <= ran["p95_ns"] <= ran["p99_ns"] <= ran["max_ns"]
PY

# --- reclaim
"$predicomp" reclaim --oneline --interval 100ms --count 2 >"$scratch/r"
[ "$(grep -cE '^kswapd_wake=[0-9]+ kswapd_sleep=[0-9]+ direct_begin=[0-9]+ direct_end=[0-9]+ reclaim_pages=[0-9]+ write_folio=[0-9]+ last_pid=[0-9]+ last_comm=.+' \
	"$scratch/r")" = 2 ] || fail 'reclaim: not two lines'

# --- refusals
refuses 3 'no process 4194303' faults -p 4194303
refuses 2 'not a process number' faults -p abc
refuses 2 'wants -p PID or -- COMMAND' faults
refuses 2 'not both' faults -p $$ -- true
refuses 2 'stands after --' faults true x
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
	[ $? = 4 ] && [[ $out =~ 'CAP_BPF and CAP_PERFMON are missing' ]] || fail "stall as nobody: $out"
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
