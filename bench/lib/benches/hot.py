"""Programs that leave nothing alone: what being managed costs where nothing can be gained."""
import os
import shutil
import time

from ..figures import Failed, median
from ..program import NONE, PREDICOMP
from ..registry import bench
from ..session import column, ratio

WITH_AND_WITHOUT = (NONE, PREDICOMP)


def compare(session, what, argv):
    """A program that runs by itself to its end, with and without."""
    def one(way):
        with session.start(way, argv) as program:
            return program.finish()
    return session.rounds_of(what, WITH_AND_WITHOUT, one)


@bench("`true`: what a short program pays", quick=True)
def start(session):
    program, times = shutil.which("true"), {NONE: [], PREDICOMP: []}
    for _ in range(session.size(50, 5)):
        for way in WITH_AND_WITHOUT:
            environment = session.environment(way == PREDICOMP)
            begun = time.perf_counter_ns()
            pid = os.posix_spawn(program, [program], environment)
            _, status = os.waitpid(pid, 0)
            times[way].append((time.perf_counter_ns() - begun) / 1e6)
            if status != 0:
                raise Failed("true ended with status %d" % status)
    session.book.row("start and end of `true`", "ms", **times)
    session.book.reach("start", median(times[PREDICOMP]) - median(times[NONE]))


@bench("512 MB that is written all the time", quick=True)
def hot_loop(session):
    mib = session.size(512, 64)
    argv = [session.host("hot_loop"), "--region-mb", mib, "--turns"]
    got = session.turns_of("hot loop", WITH_AND_WITHOUT, argv, *session.size((7, 15), (1, 1)))
    middle = session.book.row("%d MB kept hot" % mib, "page/s", **column(got, "pages_per_s"))
    session.book.row("  CPU, all of the process", "s", **column(got, "cpu_s"))
    session.book.reach("hot_loop", ratio(middle, NONE))
