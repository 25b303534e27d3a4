"""tables.py COUNT: an SQLite database in memory of COUNT records; says "ready", waits for a line,
reads all of them by random keys, then by a scan, and compares each; says so."""
import random
import sqlite3
import sys
import time


def record(i):
    return (i, "user-%06d" % i, "user-%06d@example.com" % i, "plan-%d" % (i % 5),
            i * 7919 % 100003 / 100, "%d Main Street, city-%d" % (i % 900, i % 211))


def check(row):
    if row is None or row != record(row[0]):
        sys.exit("a record does not hold what was written: %r" % (row,))


def main():
    count = int(sys.argv[1])
    begun = time.monotonic()
    base = sqlite3.connect(":memory:")
    base.execute("create table users (id integer primary key, name text, email text, plan text, "
                 "balance real, address text)")
    base.executemany("insert into users values (?, ?, ?, ?, ?, ?)", map(record, range(count)))
    base.commit()
    print("ready build_s=%.3f" % (time.monotonic() - begun), flush=True)
    sys.stdin.readline()

    begun = time.monotonic()
    order = random.Random(1)
    for _ in range(count):
        check(base.execute("select * from users where id = ?",
                           (order.randrange(count),)).fetchone())
    spent = time.monotonic() - begun
    checked = 0
    for row in base.execute("select * from users order by id"):
        check(row)
        checked += row[0] == checked
    if checked != count:
        sys.exit("%d records instead of %d" % (checked, count))
    print("checked=%d check_s=%.3f queries_per_s=%.0f" % (checked, spent, count / spent),
          flush=True)


main()
