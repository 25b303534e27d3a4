"""What a process holds from phase to phase, by what lies in it."""
import os
import tempfile

from ..figures import Failed
from ..program import PREDICOMP, ZRAM
from ..registry import bench
from ..swap import MIB
from .codec import heaps

HOT, PARTIAL, RANDOM, DISTANCE = 20, 25, 5, 0  # percent, percent, percent, pages (0: anywhere)
SEED = 12345
# What happens to the memory between two looks at it.
MODELS = {
    "single-bulk": ("post_comp", "post_final"),
    "hot-idle-full-reread": ("post_comp", "post_idle", "post_final"),
    "hot-idle-partial-random": ("post_comp", "post_idle", "post_partial", "post_random",
                                "post_final"),
}
POINTS = ("pre", "post_comp", "post_idle", "post_partial", "post_random", "post_final")


def step(session, program, point, hot):
    """Brings the process to a point; what its touches took on the way, if it did any."""
    if point == "post_comp":
        if hot:
            program.ask("hot %d %d" % (HOT, session.size(8000, 2000)))
        program.leave(least=session.size(8, 2), now=not hot, needed=False)
    elif point == "post_idle":
        program.ask("hot %d %d" % (HOT, session.size(3000, 1000)))
    elif point == "post_partial":
        return program.ask("reread %d" % PARTIAL)
    elif point == "post_random":
        return program.ask("random %d %d" % (RANDOM, DISTANCE))
    elif point == "post_final":
        return program.ask("reread 100")
    return {}


def ratios(session, way, program, before):
    """e2e, admitted, codec and admit rate, by the same definitions for both."""
    if way == PREDICOMP:
        stat = program.stat()
        gauges, codec = stat["gauges"], stat["ratios"]["ratio_codec"]
        left = gauges["pages_stored"] * 4096 / MIB
        share = (gauges["store_bytes_mapped"] + gauges["metadata_bytes"]) / MIB
    else:
        left, share, codec = program.smaps("Swap"), session.zram.share() / MIB, None
    return [before / max(before - left + share, 1), left / share if share else None, codec,
            left / before]


def one(session, way, name, argv, model):
    """[row of the table of sizes, ratios, touches by point]."""
    with session.start(way, argv) as program:
        program.line()
        sizes = {"pre": (program.held(), program.smaps("Pss"))}
        took, found = {}, None
        for point in MODELS[model]:
            session.progress("process memory: %s, %s, %s: %s" % (name, model, way, point))
            took[point] = step(session, program, point, "hot" in model)
            sizes[point] = (program.held(), program.smaps("Pss"))
            if point == "post_comp":
                found = ratios(session, way, program, sizes["pre"][0])
        program.ask("check")
        if way == PREDICOMP:
            program.check_account()
        return sizes, found, took


def show(book, model, results):
    book.table("%s: MiB held, the store or its part of zram included" % model,
               ["dataset, way", *[p for p in POINTS if p == "pre" or p in MODELS[model]]],
               [["%s, %s" % key] + [sizes[p][0] for p in POINTS if p in sizes]
                for key, (sizes, _, _) in results.items()])
    book.table("  PSS, MiB", ["dataset, way",
                              *[p for p in POINTS if p == "pre" or p in MODELS[model]]],
               [["%s, %s" % key] + [sizes[p][1] for p in POINTS if p in sizes]
                for key, (sizes, _, _) in results.items()])
    book.table("  ratios", ["dataset, way", "e2e", "admitted", "codec", "admit rate"],
               [["%s, %s" % key, *found] for key, (_, found, _) in results.items()])
    book.table("  touches, us", ["dataset, way, phase", "p50", "p95", "p99", "max"],
               [["%s, %s, %s" % (*key, point), *(t[p + "_ns"] / 1e3
                                                for p in ("p50", "p95", "p99", "max"))]
                for key, (_, _, took) in results.items() for point, t in took.items() if t])


@bench("PSS and RSS through three models of phases: repetitive, unique, mixed and real heaps",
       zram_mib=2048)
def process_memory(session, ways):
    mib = session.size(256, 32)
    recorded = heaps(session, session.size(32 * MIB, MIB))
    if not all(recorded.values()):
        raise Failed("a heap could not be recorded")
    with tempfile.TemporaryDirectory(prefix="predicomp-bench-") as folder:
        programs = {name: [name, mib, SEED] for name in ("repetitive", "unique", "mixed_50_50")}
        for name, data in recorded.items():
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            programs[name + " heap"] = ["heap", mib, SEED, path]
        for model in MODELS:
            results = {}
            for name, argv in programs.items():
                for way in (PREDICOMP, ZRAM):
                    if way in ways:
                        results[name, way] = one(session, way, name,
                                                 [session.host("phases"), *argv], model)
            show(session.book, model, results)
