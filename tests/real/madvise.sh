#!/usr/bin/env bash
# EVICT=madvise: python3, whose objects lie in arenas that it maps through libc, keeps them; and each
# kind of descriptor that may pin memory makes the library leave the process alone.
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

# pinned NAME STATEMENT: memory has left, STATEMENT comes, and none leaves from then on.
pinned() {
	cat >"$scratch/pinned.py" <<-PY
		import ctypes, mmap, os, time
		libc = ctypes.CDLL(None, use_errno=True)
		m = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
		for at in range(0, len(m), 4096):
		    m[at:at + 8] = b"12345678"
		$2
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
pinned 'a file with O_DIRECT' "fd = os.open('$scratch/dicts.py', os.O_RDONLY | os.O_DIRECT)"
direct=$(sum pages_evicted)
pinned 'a ring' 'libc.syscall(425, 4, ctypes.create_string_buffer(120))'
ring=$(sum pages_evicted)
# Some of it may have left before the descriptor came.
for left in "$direct" "$ring"; do
	[ "$left" -lt 8000 ] || fail "$left pages left in spite of a descriptor that may pin them"
done
echo "beside O_DIRECT $direct and beside a ring $ring pages left, before they came"
