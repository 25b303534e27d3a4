#!/usr/bin/env bash
# Where there is swap, which few machines of tests have: faults from it are counted to the last, and a
# program whose memory the kernel pages out beside the library reads what it wrote.
. "$(dirname "$0")/lab.bash"

PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || skip "it needs root, to set up swap"
[ -e /sys/block/zram0 ] || skip "Linux $(uname -r) has no zram"
echo 256M >/sys/block/zram0/disksize
{ mkswap /dev/zram0 && swapon /dev/zram0; } >"$scratch/said" 2>&1 || fail "no swap: $(cat "$scratch/said")"

if [ -x "$build/tests/bpf/phases" ]; then
	"$build/tests/bpf/phases" swap || fail "faults from swap: exit status $?"
else
	echo 'note: built without BPF: faults from swap are not counted'
fi

# Half of 8 MB is written, and asked to leave by the kernel; the library has the rest, and what is swapped
# too. Turn by turn, until the kernel has paged something out that the library had not taken yet.
cat >"$scratch/both.py" <<'PY'
import mmap, sys, time
page, half = 4096, 4 << 20
m = mmap.mmap(-1, 2 * half, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(mmap.MADV_NOHUGEPAGE)
swapped = turn = 0
while turn < 4 or not swapped and turn < 50:
    start = turn % 2 * half
    written = b"".join(b"%08d" % (turn + i) * 8 + bytes(page - 64) for i in range(half // page))
    m[start:start + half] = written
    m.madvise(21, start, half)  # MADV_PAGEOUT
    swapped += next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmSwap"))
    time.sleep(0.5)
    assert m[start:start + half] == written, turn
    turn += 1
sys.exit(0 if swapped else "the kernel paged nothing out")
PY
evict=auto
case $(uname -r) in 6.1.*) evict=madvise ;; esac
LD_PRELOAD=$library PREDICOMP_MIN_RSS=0 PREDICOMP_COLD_AGE=100ms PREDICOMP_EVICT=$evict \
	PREDICOMP_VERIFY=always PREDICOMP_MAX_CPU=100% PREDICOMP_CSV=$scratch/csv \
	python3 "$scratch/both.py" || fail "beside what the kernel pages out: exit status $?"
packed=$(column pages_evicted "$scratch/csv")
[ "${packed:-0}" -ge 100 ] || fail "only ${packed:-no} pages were packed"

[ $lab_failed = 0 ] && echo "swap: faults counted, $packed pages packed beside what was paged out"
exit $lab_failed
