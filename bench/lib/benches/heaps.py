"""Heaps of real programs: built, left alone, and read again."""
import shutil

from ..figures import Failed
from ..program import NONE, PREDICOMP
from ..registry import bench
from ..session import PYTHON, column
from .cold import reach_ratio


def heap_one(session, way, argv):
    """The program says ready and how long it built, waits for a line, checks all that it holds."""
    with session.start(way, argv) as program:
        figures = {"build_s": program.line()["build_s"], "before": program.smaps("Rss")}
        program.leave(least=session.size(15, 3))
        if way == PREDICOMP:
            program.wait_repacked()
        figures["held"] = program.held()
        if way == PREDICOMP:
            program.check_account()
        program.say("check")
        figures.update(program.finish())
        if "checked" not in figures:
            raise Failed("%s did not check what it holds" % program.name)
        return figures


def heap(session, ways, name, what, argv):
    """`name`: how the bars call it, None where none is set."""
    book = session.book
    got = session.rounds_of(what, ways, lambda way: heap_one(session, way, argv))
    before = book.row(what + ": built", "MiB", **column(got, "before"))
    held = book.row(what + ": idle, held", "MiB", **column(got, "held"))
    book.row(what + ": time to build", "s", **column(got, "build_s"))
    book.row(what + ": time to read it all again", "s", **column(got, "check_s"))
    if name:
        book.reach(name + "_idle", held[PREDICOMP] / before[NONE])
        reach_ratio(book, name + "_held", held)


@bench("python3 with 200 000 dicts, idle", zram_mib=2048, quick=True)
def python3(session, ways):
    count = session.size(200000, 60000)
    heap(session, ways, "python", "python3", [PYTHON, session.script("dicts.py"), count])


@bench("node with 800 000 objects, idle", zram_mib=2048)
def node(session, ways):
    if not shutil.which("node"):
        raise Failed("node is missing: apt-get install nodejs")
    count = session.size(800000, 80000)
    heap(session, ways, "node", "node", ["node", session.script("objects.js"), count])


@bench("an SQLite database in memory, idle, then read by random keys", zram_mib=2048)
def sqlite(session, ways):
    count = session.size(1000000, 500000)
    heap(session, ways, None, "sqlite", [PYTHON, session.script("tables.py"), count])
