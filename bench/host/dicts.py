"""dicts.py COUNT: builds COUNT dicts, says "ready", waits for a line, checks them all, says so."""
import sys
import time


def record(i):
    return {
        "id": i,
        "name": "user-%06d" % i,
        "email": "user-%06d@example.com" % i,
        "tags": ["group-%d" % (i % 97), "plan-%d" % (i % 5)],
        "balance": i * 7919 % 100003 / 100,
        "address": {"street": "%d Main Street" % (i % 900), "city": "city-%d" % (i % 211)},
    }


def main():
    count = int(sys.argv[1])
    begun = time.monotonic()
    records = [record(i) for i in range(count)]
    print("ready build_s=%.3f" % (time.monotonic() - begun), flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    for i in range(count):
        if records[i] != record(i):
            sys.exit("dict %d does not hold what was written" % i)
    print("checked=%d check_s=%.3f" % (count, time.monotonic() - begun), flush=True)


main()
