"""Memory that was left alone and is touched again: what the program waits."""
from ..figures import Failed
from ..program import NONE, PREDICOMP, ZRAM
from ..registry import bench
from ..session import column, ratio

LEFT_BEHIND = 0.02  # share of the pages that may stay when everything is asked to leave


def held(stat):
    """Bytes, of what is packed and of what knows of it."""
    return stat["gauges"]["store_bytes_mapped"] + stat["gauges"]["metadata_bytes"]


def let_leave(session, program, way, pages, now):
    """All of a program's pages, or it fails; what that took and what is held of them."""
    if way == PREDICOMP:
        before = program.stat()["gauges"]["work_cpu"]
        stat = program.leave(now=now)
        gauges = stat["gauges"]
        if gauges["pages_stored"] < pages * (1 - LEFT_BEHIND):
            raise Failed("only %d of %d pages were packed" % (gauges["pages_stored"], pages))
        spent = gauges["work_cpu"] - before - stat["counters"]["repack_cpu"]
        first, stat = held(stat), program.wait_repacked()
        again = stat["counters"]["repack_cpu"]
        return {"evict_ns": spent / gauges["pages_stored"],
                "repack_ns": again / max(stat["counters"]["repacked"], 1),
                "both_ns": (spent + again) / gauges["pages_stored"],
                "held_first": first, "held": held(stat)}
    if way == ZRAM:
        figures = {"evict_ns": program.ask("pageout")["cpu_ns"] / pages,
                   "held": session.zram.share()}
        left = program.smaps("Rss") * 256 / pages
        if left > 0.1:
            raise Failed("MADV_PAGEOUT left %d %% of the pages" % (left * 100))
        return figures
    return {}


def packed_touch(session, way, mib, order, now=False, **options):
    """Fills, lets everything leave, touches every page once, checks every byte."""
    with session.start(way, [session.host("cold_touch"), mib], **options) as program:
        pages = int(program.line()["pages"])
        figures = let_leave(session, program, way, pages, now)
        figures.update(program.ask("%s %d" % (order, pages)))
        if way == PREDICOMP:
            inside = program.stat()["histograms"]
            figures["restore_ns"] = inside["restore_page"]["mean"]
            figures["fault_p99_ns"] = inside["fault_missing"]["p99"]
        program.ask("check")
        if way == PREDICOMP:
            program.check_account()
        return figures


def touch_rows(book, what, got, inside=True):
    """Rows of the touch times in us; {name: medians}."""
    middle = {}
    for name in ("mean", "p50", "p95", "p99", "p999", "max"):
        middle[name] = book.row("%s: %s of a touch" % (what, name), "us",
                                **column(got, name + "_ns", 1e-3))
    if inside:
        book.row("  restore of a page, by the pager, mean", "us",
                 **column(got, "restore_ns", 1e-3))
    return middle


def reach_ratio(book, key, middle, against=ZRAM):
    value = ratio(middle, against)
    if value is not None:
        book.reach(key, value)


@bench("256 MB packed, every page touched once: in order, and at random", zram_mib=1024, quick=True)
def cold_touch(session, ways):
    mib, book = session.size(256, 32), session.book
    beside = [way for way in ways if way != NONE]
    everything = {PREDICOMP: [], ZRAM: []}
    for order, name in (("sequential", "in order"), ("random", "at random")):
        got = session.rounds_of("cold touch, " + name, beside,
                                lambda way, order=order: packed_touch(session, way, mib, order))
        middle = touch_rows(book, name, got)
        book.reach("restore_" + order, middle["mean"][PREDICOMP])
        reach_ratio(book, order + "_mean", middle["mean"])
        if order == "random":
            reach_ratio(book, "random_p99", middle["p99"])
        for way, rounds in everything.items():
            rounds += got[way]
    reach_ratio(book, "evict_cpu", book.row("CPU of an evicted page", "us",
                                            **column(everything, "evict_ns", 1e-3)))
    book.row("  of one that is packed again, once", "us", **column(everything, "repack_ns", 1e-3))
    book.row("  of an evicted page with what was packed again of it", "us",
             **column(everything, "both_ns", 1e-3))
    book.row("held for %d MB packed, before it is packed again" % mib, "MiB",
             **column(everything, "held_first", 1 / (1 << 20)))
    reach_ratio(book, "bytes_held",
                book.row("held for %d MB packed" % mib, "MiB",
                         **column(everything, "held", 1 / (1 << 20))))


@bench("the same at random with FAULT_AROUND=1: one page at a time", zram_mib=1024)
def single_page(session, ways):
    mib = session.size(256, 32)
    beside = [way for way in ways if way != NONE]
    options = {"FAULT_AROUND": 1}
    got = session.rounds_of("single pages", beside,
                            lambda way: packed_touch(session, way, mib, "random", True, **options))
    middle = touch_rows(session.book, "single pages", got)
    reach_ratio(session.book, "single_p50", middle["p50"])
    reach_ratio(session.book, "single_p99", middle["p99"])


@bench("a million packed pages (4 GB) touched at random: the stalls a program sees",
       zram_mib=6144)
def stall(session, ways):
    mib = session.size(4096, 64)
    if not session.has_room(mib):
        session.book.note("stall", "this machine has too little memory for %d MB" % mib)
        return
    beside = [way for way in ways if way != NONE]
    got = session.rounds_of("stall", beside,
                            lambda way: packed_touch(session, way, mib, "random", True))
    touch_rows(session.book, "%d pages" % (mib * 256), got)
    session.book.row("touches that stalled", "pages", **column(got, "stalls"))


def packed_fork(session, way, mib):
    with session.start(way, [session.host("cold_touch"), mib]) as program:
        let_leave(session, program, way, int(program.line()["pages"]), now=True)
        figures = program.ask("fork 8")
        program.ask("check")
        if way == PREDICOMP:
            program.check_account()
        return figures


@bench("a program with 1 GB packed forks: how long its thread waits", zram_mib=2048)
def cold_fork(session, ways):
    mib, book = session.size(1024, 32), session.book
    got = session.rounds_of("fork", ways, lambda way: packed_fork(session, way, mib))
    book.row("first fork of %d MB packed" % mib, "ms", **column(got, "first_ns", 1e-6))
    book.row("the forks after it", "ms", **column(got, "next_ns", 1e-6))


def half_packed_one(session, way, mib, threads):
    with session.start(way, [session.host("half_packed"), mib, threads]) as program:
        pages = int(program.line()["pages"])
        if way == PREDICOMP:
            stored = program.leave()["gauges"]["pages_stored"]
            if not pages * 0.4 <= stored <= pages * 0.6:
                raise Failed("%d of %d pages are packed, that is not half of them" %
                             (stored, pages))
        elif way == ZRAM:
            program.ask("pageout")
        figures = program.ask("random %d" % pages)
        program.ask("check")
        if way == PREDICOMP:
            program.check_account()
        return figures


@bench("1 GB of which every other 4 MiB is packed: random touches, 1 and 4 threads",
       zram_mib=2048)
def half_packed(session, ways):
    mib, book = session.size(1024, 64), session.book
    for threads in (1, 4):
        got = session.rounds_of("half packed, %d threads" % threads, ways,
                                lambda way, n=threads: half_packed_one(session, way, mib, n))
        name = "%d thread%s" % (threads, "s" if threads > 1 else "")
        middle = book.row(name + ": touches", "/s", **column(got, "per_s"))
        touch_rows(book, name, got, inside=False)
        reach_ratio(book, "half_%d" % threads, middle)
