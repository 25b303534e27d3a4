"""From 0.25 to 16 GB packed: what grows with size, and how."""
import time

from ..figures import Failed, slope
from ..program import PREDICOMP
from ..registry import bench

COLUMNS = ["managed", "tick CPU us", "background %", "metadata %", "store/packed", "slots used",
           "touch mean us", "touch p99 us"]


def one(session, mib, seconds):
    """Figures of `mib` MiB, all packed and then touched at random in part."""
    with session.start(PREDICOMP, [session.host("cold_touch"), mib], MAX_CPU="100%") as program:
        program.line()
        before, spent = program.leave(now=True), program.others_cpu()
        time.sleep(seconds)
        after, spent = program.stat(), program.others_cpu() - spent
        g, managed = after["gauges"], mib << 20
        if g["pages_stored"] * 4096 < managed * 0.95:
            raise Failed("only %d of %d MiB were packed" % (g["pages_stored"] >> 8, mib))
        ticks = after["counters"]["ticks"] - before["counters"]["ticks"]
        cpu = g["work_cpu"] - before["gauges"]["work_cpu"]
        touch = program.ask("random %d" % min(mib << 8, 65536))
        program.ask("check")
        program.check_account()
        return {"mib": mib, "tick_us": cpu / max(ticks, 1) / 1e3,
                "share": spent / seconds * 100,
                "metadata": g["metadata_bytes"] / managed * 100,
                "packed": g["store_bytes_mapped"] / (g["pages_stored"] * 4096),
                "slots": g["store_bytes_used"] / max(g["store_bytes_mapped"], 1),
                "mean": touch["mean_ns"] / 1e3, "p99": touch["p99_ns"] / 1e3}


@bench("0.25 to 16 GB packed: tick cost, metadata, restore, fragmentation")
def scale(session):
    sizes = [s for s in session.size((256, 512, 1024, 2048, 4096, 8192, 16384), (32, 64))
             if session.has_room(s)]
    found = []
    for mib in sizes:
        session.progress("scale: %d MiB" % mib)
        found.append(one(session, mib, session.size(10, 2)))
    names = ("tick_us", "share", "metadata", "packed", "slots", "mean", "p99")
    session.book.table("by size", COLUMNS,
                       [["%d MiB" % f["mib"]] + [f[name] for name in names] for f in found])
    session.book.reach("tick_growth", slope([(f["mib"], f["share"]) for f in found]))
    session.book.reach("metadata", max(f["metadata"] for f in found))
