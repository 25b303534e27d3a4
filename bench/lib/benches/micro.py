"""One room of the pager at a time, on its own."""
import json
import os
import subprocess

from ..figures import Failed
from ..registry import bench


def run(session, name):
    done = subprocess.run([os.path.join(session.build, "bench", "micro", name), "--json"],
                          capture_output=True, text=True, check=False,
                          env=session.environment(False))
    if done.returncode == 77:
        raise Failed(done.stdout.strip())
    if done.returncode != 0:
        raise Failed("%s: %s" % (name, done.stderr.strip()))
    return json.loads(done.stdout)["results"]


@bench("codec, store, UFFDIO_MOVE and COPY by batch, wake-ups, registering: ns", quick=True)
def micro(session):
    steps = ("pack", "unpack", "put", "peek_free")
    session.book.table("codec and store, ns a page",
                       ["page", "packed bytes", *steps],
                       [[r["page"], r["packed_bytes"], *(r.get(step) for step in steps)]
                        for r in run(session, "bench_codec_store")])
    session.book.table("kernel, ns a page or call", ["step", "ns"],
                       [[r["what"], r["ns"]] for r in run(session, "bench_uffd")])
