"""Fills 256 MB, keeps 16 MB of it in use for SECONDS, prints what is resident, and checks it all.

Prints "resident SECONDS BYTES" lines (anonymous memory, whatever packs it included) and at the end
"ok" if every byte is what was written.
"""
import mmap
import sys
import time

MB = 1 << 20
SIZE, HOT, PART = 256 * MB, 16 * MB, 4 * MB


def pattern():
    line = b'{"id": %09d, "name": "user", "tags": ["alpha", "beta"], "active": true}\n'
    return b"".join(line % i for i in range(PART // 60))[:PART]


def anonymous():
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    seconds = float(sys.argv[1])
    memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    part = pattern()
    for at in range(0, SIZE, PART):
        memory[at:at + PART] = part
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        for at in range(0, HOT, 4096):
            memory[at]
        print("resident %.1f %d" % (time.monotonic() - start, anonymous()), flush=True)
        time.sleep(0.1)
    right = all(memory[at:at + PART] == part for at in range(0, SIZE, PART))
    print("ok" if right else "wrong")


main()
