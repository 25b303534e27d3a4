#!/usr/bin/env bash
# core.sh LIBRARY: a program dies with its memory packed, and `predicomp core fix` completes the dump: every
# page then holds what the program wrote, in a new file and in place, and where the kernel had left the
# mapping out. What is no such dump is refused in words, and stays as it is.
. "$(dirname "$0")/real.bash" "$@"
here=$(cd "$(dirname "$0")" && pwd)
needs python3
pattern=$(cat /proc/sys/kernel/core_pattern)
[ "$pattern" = core ] || skip "kernel.core_pattern is '$pattern', not 'core'"
[ "$(cat /proc/sys/kernel/core_uses_pid)" = 0 ] || skip 'kernel.core_uses_pid is set'
ulimit -c unlimited 2>/dev/null || skip 'core dumps are limited (ulimit -c)'
cd "$scratch" || exit 1
df --output=avail -B1M . | awk 'NR == 2 { exit $1 < 500 }' || skip 'less than 500 MB are free for dumps'

# wrong FILE: how many pages of text, of words and of noise are not what was written, e.g. "0 0 0"
wrong() {
	# shellcheck disable=SC2086
	python3 "$here/core_reader.py" "$1" $where | awk '{ printf "%s%s", sep, $2; sep = " " }'
}

fix() {
	"$build/predicomp" core fix "$@" >fix.out 2>fix.err
}

# A dump has large holes, where the library has reserved but not used: never read it whole.
identity() {
	stat -c '%i %s %b %y' "$1"
}

# refused STATUS WORDS ARGUMENT...: says so, with that status, and the file is not touched
refused() {
	local status=$1 words=$2 before
	shift 2
	before=$(identity "${*: -1}")
	fix "$@"
	[ $? = "$status" ] || fail "core fix $* does not end with $status: $(cat fix.err)"
	grep -q "$words" fix.err || fail "core fix $* does not say '$words': $(cat fix.err)"
	[ "$(identity "${*: -1}")" = "$before" ] || fail "core fix $* has changed its input"
}

mkfifo to from
env PREDICOMP_COLD_AGE=1h PREDICOMP_MIN_RSS=0 PREDICOMP_MAX_CPU=100% LD_PRELOAD="$library" \
	"$build/tests/real/core" <to >from 2>host.err &
host=$!
exec 3>to 4<from
read -r -t 60 -u 4 where || fail 'the program does not start'
"$build/predicomp" evict "$host" >evict.out 2>evict.err || fail 'nothing could be evicted'
echo >&3
wait "$host"
[ $? = 134 ] || fail 'the program does not end by SIGABRT'
[ -s core ] || fail 'the kernel has left no core dump'
# A crash handler reads a dump from a pipe, holes as zeros: what is only reserved must not be in it.
size=$(($(stat -c %s core) >> 20))
[ "$size" -lt 2048 ] || fail "the dump is of $size MiB, most of them never used"

lost=$(wrong core)
echo "pages lost in the dump as it is (text words noise): $lost"
read -r text words noise <<<"$lost"
[ "$text" -gt 1500 ] && [ "$words" -gt 1500 ] ||
	fail 'the packed pages are in the dump without any help: this shows nothing'

refused 1 'is no core dump' -o out "$build/predicomp"
refused 1 'is no core dump' --in-place "$here/core_reader.py"
refused 2 'say where' core
refused 1 'are one file' -o core core
cp --sparse=always core half
truncate -s $(($(stat -c %s core) / 2)) half
refused 1 'cut short' -o out half
[ ! -e out ] || fail 'a dump that is refused leaves a file behind'
rm half
mv core ours
(sleep 60 & pid=$!; kill -ABRT "$pid"; wait "$pid") 2>/dev/null
[ -s core ] || fail 'the kernel has left no core dump of a program without the library'
refused 1 'no segment of the library' --in-place core

before=$(identity ours)
fix --json -o fixed ours || fail "core fix fails: $(cat fix.err)"
[ "$(identity ours)" = "$before" ] || fail 'core fix -o has changed its input'
[ "$(wrong fixed)" = '0 0 0' ] || fail "after core fix these pages are wrong: $(wrong fixed)"
[ "$(stat -c %a fixed)" = 600 ] || fail 'the completed dump may be read by others'
pages=$(sed -n 's/.*"pages": *\([0-9]*\).*/\1/p' fix.out)
[ "$pages" -ge $((text + words + noise)) ] || fail "$pages pages were put back: $(cat fix.out)"

mv fixed missing
fix --in-place ours || fail "core fix --in-place fails: $(cat fix.err)"
[ "$(wrong ours)" = '0 0 0' ] || fail "after core fix --in-place these pages are wrong: $(wrong ours)"

# The kernel may leave a mapping out. Pages that were not packed are lost then, and no others.
cut=$(awk '{ print $2 }' <<<"$where")
python3 "$here/core_reader.py" --cut missing "$cut"
fix --in-place missing || fail "core fix fails where a segment is not in the file: $(cat fix.err)"
read -r text words _ <<<"$(wrong missing)"
[ "$words" = 0 ] && [ "$text" -le $((2048 - 1500)) ] ||
	fail "where a segment was not in the file, these pages are wrong: $(wrong missing)"

if command -v gdb >/dev/null; then
	at=0x$(awk '{ print $2 }' <<<"$where")
	gdb -batch -nx -ex "p/x *(unsigned long *)($at + 5 * 4096)" "$build/tests/real/core" ours \
		>gdb.out 2>gdb.err
	expected=$(python3 -c 'print(hex((8 * 0x9e3779b97f4a7c15 % 2**64) ^ (5 * 512 >> 4)))')
	grep -q "$expected" gdb.out || fail "gdb reads $(cat gdb.out gdb.err), not $expected"
	echo "gdb reads $expected"
fi
echo "$pages pages put back, all right"
