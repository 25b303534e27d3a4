"""Which codec, level and block size is worth its CPU, on data as programs hold it."""
import json
import os
import subprocess
import tempfile

from ..figures import Failed
from ..program import NONE
from ..registry import bench
from ..session import PYTHON
from ..swap import anonymous
from .redis import server

MIB = 1 << 20
PAGE = 4096
# How often what is packed is read back: hardly ever, once, and again and again.
PROFILES = (("archive, 0.1", 0.1), ("cold, 1", 1.0), ("warm, 8", 8.0))
SHOWN = 6


def record(pid, most):
    """Up to `most` bytes of a process's anonymous memory as it lies there, empty pages left out."""
    taken = bytearray()
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for start, end in anonymous(pid):
            for at in range(start, end, MIB):
                try:
                    memory.seek(at)
                    piece = memory.read(min(MIB, end - at)) or b""
                except OSError:
                    continue  # a guard page: nothing lies there
                taken += b"".join(piece[i:i + PAGE] for i in range(0, len(piece), PAGE)
                                  if piece.count(0, i, i + PAGE) < PAGE)
                if len(taken) >= most:
                    return bytes(taken[:most])
    return bytes(taken)


def synthetic(most):
    """As the usual benchmarks have it."""
    unique = os.urandom(most)
    line = b"all work and no play makes a dull page of memory; "
    repetitive = (line * (most // len(line) + 1))[:most]
    mixed = b"".join((unique if i // PAGE % 2 else repetitive)[i:i + PAGE]
                     for i in range(0, most, PAGE))
    return {"repetitive": repetitive, "unique": unique, "mixed_50_50": mixed}


def heaps(session, most):
    """Recorded now, from programs that run without the library."""
    found = {}
    for name, argv in (("python", [PYTHON, session.script("dicts.py"),
                                   session.size(100000, 20000)]),
                       ("node", ["node", session.script("objects.js"),
                                 session.size(200000, 20000)])):
        with session.start(NONE, argv) as program:
            program.line()
            found[name] = record(program.pid, most)
    with server(session, NONE) as redis_server:
        redis_server.client("load", session.size(200000, 20000))
        found["redis"] = record(redis_server.pid, most)
    return found


def fair_score(cell, readback):
    """Bytes saved for a millisecond of CPU; nothing under the floor of 5 %."""
    if cell["bytes_saved"] < cell["bytes_in"] * 0.05:
        return 0
    return cell["bytes_saved"] / (cell["pack_ms"] + readback * cell["unpack_ms"])


def cells(session, datasets):
    with tempfile.TemporaryDirectory(prefix="predicomp-bench-") as folder:
        argv = [os.path.join(session.build, "bench", "micro", "bench_codecs"), "--budget-ms",
                str(session.size(100, 2))]
        for name, data in datasets.items():
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            argv.append("%s=%s" % (name, path))
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed("bench_codecs: " + done.stderr.strip())
    return json.loads(done.stdout)["results"]


def megabytes_a_second(cell, ms):
    return cell["bytes_in"] / 1e3 / cell[ms] if cell[ms] else None


@bench("lz4, lz4hc and zstd by level and block size, on real heaps and made-up data")
def codec(session):
    if not os.path.exists(os.path.join(session.build, "bench", "micro", "bench_codecs")):
        raise Failed("not built for want of zstd: apt-get install libzstd-dev, and build again")
    session.progress("codec: heaps are recorded")
    most = session.size(16 * MIB, MIB)
    datasets = {**heaps(session, most), **synthetic(most)}
    session.progress("codec: packing")
    found = cells(session, datasets)
    for dataset in datasets:
        mine = [cell for cell in found if cell["dataset"] == dataset]
        session.book.table("codec on %s, 4 KiB blocks" % dataset,
                           ["codec", "ratio", "pack MB/s", "unpack MB/s"],
                           [["%s %d" % (c["codec"], c["level"]), c["bytes_in"] / c["bytes_out"],
                             megabytes_a_second(c, "pack_ms"), megabytes_a_second(c, "unpack_ms")]
                            for c in mine if c["block"] == PAGE])
        for profile, readback in PROFILES:
            best = sorted(mine, key=lambda c: -fair_score(c, readback))[:SHOWN]
            session.book.table("  best for %s: bytes saved a ms of CPU, read back %s" %
                               (dataset, profile), ["codec", "block", "fair score", "ratio"],
                               [["%s %d" % (c["codec"], c["level"]), "%d KiB" % (c["block"] >> 10),
                                 fair_score(c, readback), c["bytes_in"] / c["bytes_out"]]
                                for c in best if fair_score(c, readback) > 0])
    session.book.keep("codec", found)
