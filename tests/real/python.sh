#!/usr/bin/env bash
# python3: dicts, lists, threads, fork, multiprocessing and subprocesses, with pauses to get cold in.
. "$(dirname "$0")/real.bash" "$@"
needs python3
cat >"$scratch/work.py" <<'PY'
import hashlib, multiprocessing, os, subprocess, threading, time

def build(seed, n):
    return {i: {"id": i, "name": f"user-{seed}-{i}", "tags": ["a%d" % (i % 7), "b"], "v": i * seed}
            for i in range(n)}

def digest(d):
    h = hashlib.sha256()
    for k in sorted(d):
        h.update(repr((k, sorted(d[k].items()))).encode())
    return h.hexdigest()

def child(seed):
    d = build(seed, 3000)
    time.sleep(0.4)
    return digest(d)

data = build(3, 60000)
blob = bytearray(os.urandom(1) * (8 << 20))
time.sleep(1)
print(digest(data), len(set(blob)))
lists = [[i] * 100 for i in range(20000)]
results = {}
def work(n):
    mine = build(n, 5000)
    time.sleep(0.5)
    results[n] = digest(mine)
threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(results.items()))
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map(child, range(1, 7)))
pid = os.fork()
if pid == 0:
    os._exit(0 if digest(data) == digest(build(3, 60000)) else 1)
print("child", os.waitpid(pid, 0)[1])
print(subprocess.run(["sh", "-c", "echo from a shell; exit 5"], capture_output=True))
time.sleep(1)
print(digest(data), sum(map(sum, lists)))
raise SystemExit(7)
PY
same 2000 python3 "$scratch/work.py"
