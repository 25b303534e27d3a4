"""redis-server, Debian's, on a socket of its own; every value that is read is compared."""
import contextlib
import os
import subprocess
import tempfile

from ..figures import Failed, words
from ..program import NONE, PREDICOMP, ZRAM, Program
from ..registry import bench
from ..session import column, ratio
from .cold import reach_ratio


class Redis(Program):
    """A server that answers when the `with` block begins."""

    def __init__(self, session, way, folder, **options):
        self.socket = os.path.join(folder, "socket")
        super().__init__(session, way, [
            "redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", folder, "--save",
            "", "--appendonly", "no", "--daemonize", "no"], **options)
        while "ready to accept" not in self.process.stdout.readline().lower():
            if self.process.poll() is not None:
                self.fail()

    def client(self, *argv):
        done = subprocess.run([self.session.host("redis_client"), self.socket, *map(str, argv)],
                              capture_output=True, text=True, check=False,
                              env=self.session.environment(False))
        if done.returncode != 0:
            raise Failed("redis: " + done.stderr.strip())
        return words(done.stdout)


@contextlib.contextmanager
def server(session, way, **options):
    with tempfile.TemporaryDirectory(prefix="predicomp-bench-") as folder:
        with Redis(session, way, folder, **options) as redis_server:
            yield redis_server


def zram_like(redis_server, mib):
    """Out of memory until no more than `mib` is held, as predicomp holds; all of it if that is not
    to be had. What comes back is not pushed out again."""
    try:
        redis_server.shrink(mib)
    except Failed:
        redis_server.leave()
    redis_server.session.cgroup.limit(None)


def idle_one(session, way, keys, target):
    """Loads, lets it idle, reads all keys at random twice. target["mib"] is what predicomp came to
    last and zram is to come to."""
    with server(session, way) as redis_server:
        session.progress("redis, %s: load" % way)
        redis_server.client("load", keys)
        figures = {"before": redis_server.smaps("Rss")}
        if way == PREDICOMP:
            redis_server.leave(least=session.size(15, 8), most=session.size(15, 8))
            target["mib"] = redis_server.held()
        elif way == ZRAM:
            zram_like(redis_server, target["mib"])
        figures["idle"] = redis_server.held()
        for number in (1, 2):
            session.progress("redis, %s: GET pass %d" % (way, number))
            one = redis_server.client("get", keys, keys, number)
            figures["pass%d" % number] = one["per_s"]
            figures["pass%d_p99" % number] = one["p99_ns"] / 1e3
        session.progress("redis, %s: verify" % way)
        redis_server.client("verify", keys)
        figures["least"] = figures["idle"]
        if way == PREDICOMP:
            redis_server.check_account()
        elif way == ZRAM:
            redis_server.leave()
            figures["least"] = redis_server.held()
        return figures


@bench("redis-server, idle 15 s, then GET of random keys, twice", zram_mib=2048)
def redis(session, ways):
    keys, book, target = session.size(1000000, 100000), session.book, {}
    got = session.rounds_of("redis", ways, lambda way: idle_one(session, way, keys, target))
    before = book.row("%d keys, loaded" % keys, "MiB", **column(got, "before"))
    held = book.row("idle, held when the GETs begin", "MiB", **column(got, "idle"))
    lowest = book.row("  the least that was held", "MiB", **column(got, "least"))
    book.reach("redis_idle", held[PREDICOMP] / before[NONE])
    reach_ratio(book, "redis_held", lowest)
    first = book.row("GET, first pass after idling", "/s", **column(got, "pass1"))
    first_p99 = book.row("  p99", "us", **column(got, "pass1_p99"))
    second = book.row("GET, second pass", "/s", **column(got, "pass2"))
    book.row("  p99", "us", **column(got, "pass2_p99"))
    reach_ratio(book, "redis_first", first)
    reach_ratio(book, "redis_first_p99", first_p99)
    book.reach("redis_second", ratio(second, NONE))
