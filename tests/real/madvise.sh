#!/usr/bin/env bash
# EVICT=madvise: python3, whose objects lie in arenas that it maps through libc, keeps them; and each
# kind of descriptor or socket that may pin memory makes the library leave the process alone.
. "$(dirname "$0")/real.bash" "$@"
export PREDICOMP_EVICT=madvise
needs /usr/bin/python3
cat >"$scratch/dicts.py" <<'PY'
import hashlib, os, threading, time

def digest(d):
    h = hashlib.sha256()
    for k in sorted(d):
        h.update(repr((k, sorted(d[k].items()))).encode())
    return h.hexdigest()

data = {i: {"id": i, "name": "user-%d" % i, "tags": ["a%d" % (i % 7)]} for i in range(60000)}
time.sleep(1)
print(digest(data))
for i in range(0, 60000, 3):
    del data[i]
threads = [threading.Thread(target=lambda: [list(range(50)) for _ in range(20000)]) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
time.sleep(1)
print(digest(data))
pid = os.fork()
if pid == 0:
    os._exit(0 if data[1]["name"] == "user-1" else 1)
print("child", os.waitpid(pid, 0)[1])
PY
same 2000 /usr/bin/python3 "$scratch/dicts.py"
[ "$(sum take_madvise_pages)" -ge 2000 ] || fail 'pages left in another way than was asked for'
[ "$(sum take_pages)" = 0 ] || fail 'pages were moved'

# pinned NAME STATEMENT [SECONDS]: STATEMENT comes when memory is filled. The program waits until half
# of it has left or the library says that it leaves it alone, SECONDS (60) at most.
pinned() {
	cat >"$scratch/pinned.py" <<-PY
		import ctypes, mmap, os, time
		libc = ctypes.CDLL(None, use_errno=True)
		m = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
		for at in range(0, len(m), 4096):
		    m[at:at + 8] = b"12345678"
		$2
		there = (ctypes.c_ubyte * (len(m) // 4096))()
		begin = ctypes.addressof(ctypes.c_char.from_buffer(m))
		until = time.monotonic() + ${3-60}
		while time.monotonic() < until:
		    assert libc.mincore(ctypes.c_void_p(begin), ctypes.c_size_t(len(m)), there) == 0
		    if bytes(there).count(0) > 8000 or "go with" in open("$scratch/pinned.err").read():
		        break
		    time.sleep(.1)
		time.sleep(1)
		for at in range(0, len(m), 4096):
		    assert m[at:at + 8] == b"12345678"
	PY
	rm -f "$scratch/csv"
	under_library env PREDICOMP_LOG=info /usr/bin/python3 "$scratch/pinned.py" \
		2>"$scratch/pinned.err" || fail "$1: the program failed"
}

pinned nothing 'pass'
[ "$(sum pages_evicted)" -ge 8000 ] || fail 'without a pin, nothing leaves'
# Some of it may have left before the descriptor came.
pinned_by() {
	pinned "$@"
	# Before it was managed at all, or when it was.
	[ -n "${3-}" ] || grep -q 'does not go with' "$scratch/pinned.err" ||
		fail "beside $1 the library does not say that it does nothing"
	left=$(sum pages_evicted)
	[ "$left" -lt 8000 ] || fail "$left pages left in spite of $1, which may pin them"
	echo "$left pages left before $1 came"
}
# Not every file system knows O_DIRECT.
direct=$(mktemp /var/tmp/predicomp-madvise-XXXXXX)
trap 'rm -rf "$scratch" "$direct"' EXIT
if dd if="$direct" of=/dev/null iflag=direct 2>/dev/null; then
	pinned_by 'a file with O_DIRECT' "fd = os.open('$direct', os.O_RDONLY | os.O_DIRECT)"
else
	echo 'note: no file can be opened with O_DIRECT in /var/tmp: not tested'
fi
# The call itself ends it, and nothing is said.
pinned_by 'a ring' 'libc.syscall(425, 4, ctypes.create_string_buffer(120))' 5
# So does that for a socket whose buffers the kernel writes to at any time, and be it refused.
pinned_by 'a socket of AF_XDP' 'libc.socket(44, 1, 0)' 5
pinned_by 'a socket of AF_RDS' 'libc.socket(21, 1, 0)' 5
pinned_by 'a socket of AF_SMC by number' 'libc.syscall(41, 43, 1, 0)' 5
# As those of GPU and RDMA are: a device with calls of its own.
for device in /dev/loop-control /dev/fuse none; do
	[ -r $device ] && break
done
if [ $device != none ]; then
	pinned_by "the device $device" "fd = os.open('$device', os.O_RDONLY)"
else
	echo 'note: neither /dev/loop-control nor /dev/fuse is here: devices are not tested'
fi
