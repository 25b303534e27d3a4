"""One run: where the build is, what was asked for, and the kernel's swap while it is set up."""
import contextlib
import os
import random

from .figures import Failed, Killed
from .program import NONE, PREDICOMP, WAYS, ZRAM, Program
from .swap import Cgroup, Zram

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = "/usr/bin/python3"
KILLED_MOST = 3
TURN = 200  # ms


class Session:
    def __init__(self, arguments, book):
        self.build = os.path.abspath(arguments.build)
        self.library = os.path.join(self.build, "libpredicomp.so")
        self.command = os.path.join(self.build, "predicomp")
        self.quick = arguments.quick
        self.rounds = arguments.rounds or (1 if self.quick else 3)
        self.want_zram = arguments.zram
        self.book = book
        self.progress = book.progress
        self.zram = None
        self.cgroup = None
        self.accounts = []

    def size(self, full, quick):
        """The first, or the second in a quick run."""
        return quick if self.quick else full

    @staticmethod
    def has_room(mib):
        """Whether the machine has: what is made, what of it is packed so far, and all else."""
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        return mib * 1.4 + 512 < machine

    def host(self, name):
        return os.path.join(self.build, "bench", "host", name)

    def script(self, name):
        return os.path.join(TOP, "bench", "host", name)

    def environment(self, shim, options=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREDICOMP_")}
        clean.pop("LD_PRELOAD", None)
        if shim:
            clean["LD_PRELOAD"] = self.library
            if self.quick:
                clean.update(PREDICOMP_COLD_AGE="500ms", PREDICOMP_MAX_CPU="100%")
            for name, value in (options or {}).items():
                clean["PREDICOMP_" + name] = str(value)
        return clean

    def start(self, way, argv, **options):
        """A program in that way; the options, COLD_AGE="1s", are the library's."""
        return Program(self, way, [str(a) for a in argv], **options)

    @contextlib.contextmanager
    def kernel_swap(self, mib=4096):
        """Yields the ways that can be measured: with zram where it can be set up, else the reason
        is noted."""
        with contextlib.ExitStack() as stack:
            ways = [NONE, PREDICOMP]
            why = None if self.want_zram else "turned off by --no-zram"
            if not why:
                try:
                    self.zram = stack.enter_context(Zram(mib))
                    self.cgroup = stack.enter_context(Cgroup())
                    ways.append(ZRAM)
                except Failed as error:
                    why = str(error)
            if why:
                self.book.note("zram", why)
            try:
                yield ways
            finally:
                self.zram = self.cgroup = None

    def rounds_of(self, what, ways, one):
        """Calls one(way) for each way in each round, in turn and the order turned round every
        other round: {way: [what it returned]}."""
        got = {way: [] for way in WAYS}
        for i in range(self.rounds):
            for way in ways if i % 2 == 0 else reversed(ways):
                self.progress("%s: round %d of %d, %s" % (what, i + 1, self.rounds, way))
                got[way] += self.figures_of(what, way, one)
        return got

    def turns_of(self, what, ways, argv, warm, seconds):
        """Programs that take turns of TURN ms, each stopped while another works: what changes in
        the machine meanwhile meets all of them. `warm` seconds of each are not counted, the next
        `seconds` are; then new ones start, for where its memory lies makes a program fast or slow.
        {way: [for each round its figures: means over its turns, and those of finish()]}."""
        got = {way: [] for way in WAYS}
        for i in range(self.rounds):
            with contextlib.ExitStack() as stack:
                programs = {}
                for way in ways if i % 2 == 0 else reversed(ways):
                    programs[way] = stack.enter_context(self.start(way, argv))
                    programs[way].line()
                    programs[way].halt()
                figures = self.take_turns("%s: round %d of %d" % (what, i + 1, self.rounds),
                                          programs, lambda program, _: program.ask(str(TURN)),
                                          int(warm * 1000 // TURN), int(seconds * 1000 // TURN))
                for way, program in programs.items():
                    got[way].append({**program.finish(), **figures[way]})
        return got

    def take_turns(self, what, programs, work, warm, counted):
        """work(program, number of the turn) -> figures, while the others are stopped, with all their
        threads. {way: means over the turns that count}. All are stopped before and afterwards."""
        said = {way: [] for way in programs}
        for i in range(warm + counted):
            if i % 10 == 0:
                self.progress("%s, turn %d of %d" % (what, i, warm + counted))
            for way in random.sample(list(programs), len(programs)):
                programs[way].resume()
                said[way].append(work(programs[way], i))
                programs[way].halt()
        return {way: {name: sum(one[name] for one in all_said[warm:]) / counted
                      for name in all_said[-1]} for way, all_said in said.items()}

    def figures_of(self, what, way, one):
        """[one(way)]; nothing where the kernel cannot keep the program at its limit: it finds all
        of a small group's pages in use, time and again, and kills. That is a result too."""
        for _ in range(KILLED_MOST):
            try:
                return [one(way)]
            except Killed as killed:
                self.cgroup.limit(None)
                why = killed
        self.book.note(what, "%s, killed at its limit each of %d times: no figure" %
                       (why, KILLED_MOST))
        return []

    def account(self, off):
        """pages_evicted - pages_restored - pages_dropped - pages_stored of one process at rest."""
        self.accounts.append(off)


def column(got, name, scale=1.0):
    """{way: [figure of each round]} of what rounds_of() returned, for the ways that have it."""
    return {way: [one[name] * scale for one in rounds] for way, rounds in got.items()
            if rounds and name in rounds[0]}


def ratio(middle, against, way=PREDICOMP):
    """The medians of two ways divided, or None where one is missing."""
    if way not in middle or not middle.get(against):
        return None
    return middle[way] / middle[against]
