"""Programs whose memory does not fit in what they are allowed to hold: the soft cap against a
memory cgroup that comes to the same."""
import time

from ..figures import Failed, median
from ..program import PREDICOMP, ZRAM
from ..registry import bench
from ..session import column

CAP = 0.5
SETTLE_S = 20


def settle(session, program, cap_mib):
    """Until the soft cap is reached, or SETTLE_S: caps never block, so it may not be."""
    begun = time.monotonic()
    while program.held() > cap_mib * 1.02 and time.monotonic() - begun < SETTLE_S:
        session.progress("%s: holds %d MiB, cap %d" % (program.name, program.held(), cap_mib))
        time.sleep(0.5)


def capped_one(session, way, name, flags, target):
    """`target`: what predicomp held while it ran, MiB; zram is brought to the same."""
    argv = [session.host(name), "--wait", "--duration-sec", session.size(12, 2), *flags]
    options = {"SOFT_CAP": "%dM" % target["cap"]} if way == PREDICOMP else {}
    if way == ZRAM:
        session.cgroup.limit(None)  # that of the round before
    with session.start(way, argv, **options) as program:
        program.line()
        if way == PREDICOMP:
            settle(session, program, target["cap"])
        elif way == ZRAM:
            program.shrink(target["held"])
        program.say("go")
        seen = program.watch()
        figures = program.finish()
        if not seen:
            raise Failed("%s ended before its memory was looked at" % name)
        figures["held"] = median([mib for _, mib in seen])
        figures["seen"] = seen
        if way == PREDICOMP:
            target["held"] = figures["held"]
        return figures


def capped(session, ways, name, mib, *flags):
    book, target = session.book, {"cap": int(mib * CAP)}
    got = session.rounds_of(name, ways,
                            lambda way: capped_one(session, way, name, flags, target))
    book.row("%s, cap %d MiB: held meanwhile" % (name, target["cap"]), "MiB",
             **column(got, "held"))
    book.row("  operations", "/s", **column(got, "ops_per_s"))
    for figure in ("p50", "p99", "p999", "max"):
        book.row("  %s" % figure, "us", **column(got, figure + "_ns", 1e-3))
    book.row("  CPU, all of the process", "s", **column(got, "cpu_s"))
    book.over_time(name, "MiB", {way: rounds[-1]["seen"] for way, rounds in got.items() if rounds})


@bench("a key-value store read by zipf 0.99, half of it allowed", zram_mib=2048, quick=True)
def zipf_store(session, ways):
    keys = session.size(1000000, 100000)
    capped(session, ways, "zipf_store", keys * 360 // 1000000, "--keys", keys)


@bench("work that moves on to another quarter of 512 MB every 3 s, half of it allowed",
       zram_mib=2048)
def phase_change(session, ways):
    mib = session.size(512, 64)
    capped(session, ways, "phase_change", mib, "--region-mb", mib, "--phase-ms",
           session.size(3000, 500))


@bench("64 MB in use while the other 448 MB are scanned, half of all allowed", zram_mib=2048)
def scan(session, ways):
    mib = session.size(512, 64)
    capped(session, ways, "scan", mib, "--region-mb", mib, "--hot-mb", mib // 8)
