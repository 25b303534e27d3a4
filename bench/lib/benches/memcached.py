"""memcached, Debian's, on a socket of its own; every value that is read is compared."""
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from ..figures import Failed, words
from ..program import PREDICOMP, Program
from ..registry import bench
from ..session import column


class Memcached(Program):
    def __init__(self, session, way, folder, mib):
        self.socket = os.path.join(folder, "socket")
        user = ["-u", pwd.getpwuid(os.geteuid()).pw_name] if os.geteuid() == 0 else []
        super().__init__(session, way, ["memcached", "-s", self.socket, "-t", "2", "-m", str(mib),
                                        "-U", "0", *user])
        for _ in range(100):
            if os.path.exists(self.socket):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.fail()

    def client(self, *argv):
        done = subprocess.run([self.session.host("memcached_client"), self.socket,
                               *map(str, argv)], capture_output=True, text=True, check=False,
                              env=self.session.environment(False))
        if done.returncode != 0:
            raise Failed("memcached: " + done.stderr.strip())
        return words(done.stdout)


def one(session, way, keys):
    with tempfile.TemporaryDirectory(prefix="predicomp-bench-") as folder:
        with Memcached(session, way, folder, 1024) as server:
            server.client("load", keys)
            figures = {"before": server.smaps("Rss")}
            wait = session.size(15, 3)
            server.leave(least=wait, most=wait)
            figures["held"] = server.held()
            for number in (1, 2):
                got = server.client("get", keys, keys, number)
                figures["pass%d" % number] = got["per_s"]
                figures["pass%d_p99" % number] = got["p99_ns"] / 1e3
            server.client("verify", keys)
            if way == PREDICOMP:
                server.check_account()
            return figures


@bench("memcached, idle 15 s, then get of random keys, twice", zram_mib=2048)
def memcached(session, ways):
    if not shutil.which("memcached"):
        raise Failed("memcached is missing: apt-get install memcached")
    keys, book = session.size(1000000, 100000), session.book
    got = session.rounds_of("memcached", ways, lambda way: one(session, way, keys))
    book.row("%d keys, loaded" % keys, "MiB", **column(got, "before"))
    book.row("idle, held", "MiB", **column(got, "held"))
    book.row("get, first pass after idling", "/s", **column(got, "pass1"))
    book.row("  p99", "us", **column(got, "pass1_p99"))
    book.row("get, second pass", "/s", **column(got, "pass2"))
    book.row("  p99", "us", **column(got, "pass2_p99"))
