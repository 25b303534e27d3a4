"""The seven workloads of bench/host, at a pace and as fast as they go, with and without."""
from ..program import NONE
from ..registry import bench
from ..session import column, ratio
from .hot import WITH_AND_WITHOUT, compare


def workload(session, name, figure, *flags, key=None, label="", turns=False, paced=False):
    """One row, and one of the time that an operation took; `key`: the bar. It is of the throughput as
    fast as it goes; `paced`, which hides what one costs, of what the time of one would allow."""
    what = (name + " " + label).strip()
    seconds = session.size(8, 1)
    if turns:
        argv = [session.host(name), "--turns", *flags]
        got = session.turns_of(what, WITH_AND_WITHOUT, argv, session.size(7, 1), seconds)
    else:
        argv = [session.host(name), "--duration-sec", seconds, *flags]
        got = compare(session, what, argv)
    middle = session.book.row(what, "/s", **column(got, figure[0]))
    took = session.book.row("  time of one", figure[1][:2], **column(got, figure[1]))
    session.book.row("  CPU, all of the process", "s", **column(got, "cpu_s"))
    if key:
        session.book.reach(key, 1 / ratio(took, NONE) if paced else ratio(middle, NONE))


ROUNDS = ("rounds_per_s", "us_per_round")
FORKS = ("forks_per_s", "us_per_fork")


@bench("maps, fills, checks and unmaps 512 KB beside 256 MB that are left alone", quick=True)
def mmap_churn(session):
    common = ("--workers", 1, "--map-kb", 512, "--ballast-mb", session.size(256, 64))
    for rate in session.size((300, 1000, 10000), (300,)):
        workload(session, "mmap_churn", ROUNDS, "--ops-per-sec", rate, *common,
                 key="churn_%d" % rate, label="%d/s" % rate, turns=True, paced=rate <= 1000)
    workload(session, "mmap_churn", ROUNDS, "--ops-per-sec", 0, *common, key="churn_unpaced",
             label="unpaced", turns=True)


@bench("forks whose children end, write to 64 pages, or run /bin/true; 64 MB in the parent")
def fork_storms(session):
    common = ("--workers", 1, "--ballast-mb", 64)
    for name, key, paced in (("fork_exit_storm", "fork_exit", 40),
                             ("fork_touch_exit", "fork_touch", 20),
                             ("fork_exec_storm", "fork_exec", 10)):
        workload(session, name, FORKS, "--fork-rate", paced, *common, label="%d/s" % paced)
        workload(session, name, FORKS, "--fork-rate", 0, *common, key=key, label="unpaced",
                 turns=True)


@bench("random blocks of a malloc heap, paced and not")
def random_touch_heap(session):
    common = ("--workers", 1, "--region-mb", session.size(512, 64))
    figure = ("touches_per_s", "ns_per_touch")
    workload(session, "random_touch_heap", figure, "--ops-per-sec", 200000, *common,
             label="200 k/s")
    workload(session, "random_touch_heap", figure, "--ops-per-sec", 0, *common, key="hot_heap",
             label="unpaced", turns=True)


@bench("a region used in bursts or in passes, with and without rests")
def bursts_and_streams(session):
    size = session.size(256, 64)
    workload(session, "interactive_burst", ("uses_per_s", "ns_per_use"), "--workers", 1,
             "--region-mb", size, label="100 ms of 500")
    workload(session, "interactive_burst", ("uses_per_s", "ns_per_use"), "--workers", 1,
             "--region-mb", size, "--idle-ms", 0, label="unpaced")
    workload(session, "anon_streamer", ("pages_per_s", "ns_per_page"), "--workers", 1,
             "--region-mb", 2 * size, label="300 ms rests")
    workload(session, "anon_streamer", ("pages_per_s", "ns_per_page"), "--workers", 1,
             "--region-mb", 2 * size, "--idle-ms", 0, label="unpaced")


@bench("malloc and free of all sizes, four threads, as fast as it goes")
def storm(session):
    got = compare(session, "storm", [session.host("storm"), "--duration-sec", session.size(8, 1)])
    session.book.row("blocks replaced", "/s", **column(got, "ops_per_s"))
    session.book.row("  p99 of one", "us", **column(got, "p99_ns", 1e-3))
