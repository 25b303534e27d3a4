"""cold.py NAP [fork]: memory that goes cold, comes back, and goes again, after a fork if asked, in naps of so
many seconds; says how many faults it took."""
import os
import resource
import sys
import time

nap = float(sys.argv[1])
blocks = [bytearray(os.urandom(1024) * 1024) for _ in range(48)]
time.sleep(nap)
for b in blocks[:32]:
    assert b[::4096]
if sys.argv[2:] == ['fork'] and os.fork() == 0:
    os._exit(0)
time.sleep(nap)
assert sum(len(b) for b in blocks) == 48 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt, flush=True)
