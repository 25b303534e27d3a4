"""cold.py: memory that goes cold, comes back, and goes again; says how many faults it took."""
import os
import resource
import time

blocks = [bytearray(os.urandom(1024) * 1024) for _ in range(48)]
time.sleep(1)
for b in blocks[:32]:
    assert b[::4096]
time.sleep(1)
assert sum(len(b) for b in blocks) == 48 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt, flush=True)
