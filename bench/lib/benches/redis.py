"""redis-server, Debian's, on a socket of its own; every value that is read is compared."""
import contextlib
import os
import subprocess
import tempfile

from ..figures import Failed, median, words
from ..program import NONE, PREDICOMP, ZRAM, Program
from ..registry import bench
from ..session import column
from .capped import settle
from .cold import reach_ratio


class Redis(Program):
    """A server that answers when the `with` block begins."""

    def __init__(self, session, way, folder, **options):
        self.socket = os.path.join(folder, "socket")
        self.dump = os.path.join(folder, "dump.rdb")
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
    """Loads, lets it idle, reads as many keys at random as there are. target["mib"] is what
    predicomp came to last and zram is to come to."""
    with server(session, way) as redis_server:
        session.progress("redis, %s: load" % way)
        redis_server.client("load", keys)
        figures = {"before": redis_server.smaps("Rss")}
        if way == PREDICOMP:
            redis_server.leave(least=session.size(15, 3), most=session.size(15, 3))
            redis_server.wait_repacked()
            target["mib"] = redis_server.held()
        elif way == ZRAM:
            zram_like(redis_server, target["mib"])
        figures["idle"] = redis_server.held()
        session.progress("redis, %s: GET" % way)
        one = redis_server.client("get", keys, keys)
        figures["pass1"] = one["per_s"]
        figures["pass1_p99"] = one["p99_ns"] / 1e3
        session.progress("redis, %s: verify" % way)
        redis_server.client("verify", keys)
        figures["least"] = figures["idle"]
        if way == PREDICOMP:
            redis_server.check_account()
        elif way == ZRAM:
            redis_server.leave()
            figures["least"] = redis_server.held()
        return figures


SECOND_TURNS = 25


def second_pass(session, keys):
    """{way: GETs a second} of two servers that have idled and been read once, in turns."""
    part = keys // SECOND_TURNS
    with contextlib.ExitStack() as stack:
        servers = {way: stack.enter_context(server(session, way)) for way in (NONE, PREDICOMP)}
        for way, one in servers.items():
            session.progress("redis, second pass, %s: load" % way)
            one.client("load", keys)
        servers[PREDICOMP].leave(least=session.size(15, 3), most=session.size(15, 3))
        for way, one in servers.items():
            session.progress("redis, second pass, %s: the first" % way)
            one.client("get", keys, keys)
            one.halt()
        figures = session.take_turns("redis, second pass", servers, lambda one, turn:
                                     one.client("get", keys, part, turn + 2), 0, SECOND_TURNS)
        for one in servers.values():
            one.resume()
            one.client("verify", keys)
        servers[PREDICOMP].check_account()
        return {way: part / one["seconds"] for way, one in figures.items()}


@bench("redis-server, idle until all is packed again, then GET of random keys, twice",
       zram_mib=2048, quick=True)
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
    reach_ratio(book, "redis_first", first)
    reach_ratio(book, "redis_first_p99", first_p99)
    rates = [second_pass(session, keys) for _ in range(session.rounds)]
    book.row("GET, second pass, in turns", "/s",
             **{way: [one[way] for one in rates] for way in (NONE, PREDICOMP)})
    book.reach("redis_second", median(one[PREDICOMP] / one[NONE] for one in rates))


ZIPF_CAP = 0.4
ZIPF_PASSES = 3


def capped_one(session, way, keys, target):
    """Loads, comes down to the cap, then reads by zipf 0.99: the last pass counts. `target`: what
    is allowed, and what predicomp held in the end."""
    options = {"SOFT_CAP": "%dM" % target["cap"]} if way == PREDICOMP else {}
    with server(session, way, **options) as redis_server:
        session.progress("redis zipf, %s: load" % way)
        redis_server.client("load", keys)
        if way == PREDICOMP:
            settle(session, redis_server, target["cap"])
        elif way == ZRAM:
            redis_server.shrink(target["held"])
        held = []
        for number in range(1, ZIPF_PASSES + 1):
            session.progress("redis zipf, %s: pass %d" % (way, number))
            figures = redis_server.client("zipf", keys, keys, number)
            held.append(redis_server.held())
        figures["held"] = sum(held) / len(held)
        if way == PREDICOMP:
            target["held"] = figures["held"]
        session.progress("redis zipf, %s: verify" % way)
        if way == ZRAM:
            session.cgroup.limit(None)
        redis_server.client("verify", keys)
        if way == PREDICOMP:
            redis_server.check_account()
        return figures


@bench("redis-server read by zipf 0.99 with 40 % of its memory allowed", zram_mib=2048)
def redis_zipf(session, ways):
    keys, book = session.size(1000000, 100000), session.book
    with server(session, NONE) as redis_server:
        redis_server.client("load", keys)
        target = {"cap": max(int(redis_server.smaps("Rss") * ZIPF_CAP), 16)}
    got = session.rounds_of("redis zipf", ways,
                            lambda way: capped_one(session, way, keys, target))
    book.row("held, mean of passes; cap %d MiB" % target["cap"], "MiB", **column(got, "held"))
    throughput = book.row("GET, zipf 0.99", "/s", **column(got, "per_s"))
    book.row("  p50", "us", **column(got, "p50_ns", 1e-3))
    tail = book.row("  p99", "us", **column(got, "p99_ns", 1e-3))
    book.row("  p99.9", "us", **column(got, "p999_ns", 1e-3))
    reach_ratio(book, "redis_zipf", throughput)
    reach_ratio(book, "redis_zipf_p99", tail)


def save_one(session, way, keys):
    """SETs right after idling, then a BGSAVE of what idled again: every value is in the file."""
    with server(session, way) as redis_server:
        redis_server.client("load", keys)
        redis_server.leave(least=session.size(15, 3), most=session.size(15, 3))
        session.progress("redis, %s: SET" % way)
        one = redis_server.client("set", keys, keys, 1)
        figures = {"set": one["per_s"], "set_p99": one["p99_ns"] / 1e3}
        redis_server.leave(least=session.size(15, 3), most=session.size(15, 3))
        session.progress("redis, %s: BGSAVE" % way)
        saved = redis_server.client("bgsave")
        figures.update(bgsave=saved["seconds"], stood_still=saved["started_us"] / 1e3)
        checked = subprocess.run(["redis-check-rdb", redis_server.dump], check=False,
                                 capture_output=True, text=True)
        if checked.returncode != 0 or "%d keys read" % keys not in checked.stdout:
            raise Failed("redis-check-rdb: " + checked.stdout.strip()[-300:])
        redis_server.client("verify", keys)
        return figures


@bench("redis-server: SET right after idling, and BGSAVE", zram_mib=2048)
def redis_save(session, ways):
    keys, book = session.size(500000, 100000), session.book
    got = session.rounds_of("redis save", ways, lambda way: save_one(session, way, keys))
    book.row("SET, first pass after idling", "/s", **column(got, "set"))
    book.row("  p99", "us", **column(got, "set_p99"))
    book.row("BGSAVE until the file is written", "s", **column(got, "bgsave"))
    book.row("  the server stood still for its fork", "ms", **column(got, "stood_still"))
