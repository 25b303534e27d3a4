"""cold.py [fork]: memory that goes cold, comes back, and goes again, after a fork if asked; says how many
faults it took."""
import os
import resource
import sys
import time

blocks = [bytearray(os.urandom(1024) * 1024) for _ in range(48)]
time.sleep(1)
for b in blocks[:32]:
    assert b[::4096]
if sys.argv[1:] == ['fork'] and os.fork() == 0:
    os._exit(0)
time.sleep(1)
assert sum(len(b) for b in blocks) == 48 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt, flush=True)
