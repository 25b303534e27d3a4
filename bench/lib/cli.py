"""bench/run: which benchmarks, how often, and what came of it."""
import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys

from . import machine
from .benches import ALL
from .book import Book
from .figures import Failed
from .session import TOP, Session
from .swap import Cgroup


def names(text):
    wanted = [name for name in text.split(",") if name]
    unknown = [name for name in wanted if name not in ALL]
    if unknown or not wanted:
        raise argparse.ArgumentTypeError("no benchmark %s; there are: %s" %
                                         (" ".join(unknown) or "named", " ".join(ALL)))
    return wanted


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1, not %s" % text)
    return int(text)


def writable(path):
    """Said before anything is measured, not after."""
    there = path if os.path.exists(path) else os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError("%s cannot be written" % path)
    return path


def parse():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures programs without the library, under it, and with the kernel's own "
        "compressed swap (zram, lz4), in turn in one run, and holds the figures to their bars.",
        epilog="Exit status: 0 every bar measured is met, 1 a bar is missed or a measurement "
        "failed, 2 wrong usage, 77 memory cannot be managed here, 130 interrupted (and cleaned "
        "up). zram needs root: a device and a memory cgroup of its own for the length of one "
        "benchmark, and only where no swap is in use.")
    parser.add_argument("--only", type=names, action="extend", metavar="NAME[,NAME]",
                        help="these benchmarks; --list names them")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and run none")
    parser.add_argument("--quick", action="store_true",
                        help="small and short, no verdicts: does it work? Those that --list says "
                        "are quick, or those of --only")
    parser.add_argument("--rounds", type=positive, metavar="N", help="interleaved rounds (3)")
    parser.add_argument("--json", action="store_true",
                        help="one JSON object on standard output; the table goes to standard error")
    parser.add_argument("--save", type=writable, metavar="FILE", help="write the JSON object there as well; "
                        "bench/report makes Markdown and plots of it")
    parser.add_argument("--no-zram", dest="zram", action="store_false",
                        help="do not set up zram for comparison")
    parser.add_argument("--build", default=os.path.join(TOP, "build"), metavar="DIR",
                        help="where it was built (default: build)")
    return parser.parse_args()


def ended(signum, _):
    raise SystemExit(128 + signum)


def run_all(session, chosen):
    """True when none failed."""
    whole = True
    for name in chosen:
        one = ALL[name]
        session.book.section(name, one.what)
        try:
            if one.zram_mib:
                with session.kernel_swap(session.size(one.zram_mib, 1024)) as ways:
                    one.function(session, ways)
            else:
                one.function(session)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            whole = False
            session.book.note(name, "FAILED: %s" % error)
    return whole


def traces():
    """What a run must not leave behind: swap, zram devices, cgroups and processes of ours."""
    with open("/proc/swaps", encoding="ascii") as f:
        found = {"swap " + line.split()[0] for line in f.readlines()[1:]}
    found |= {"device " + name for name in os.listdir("/sys/block") if name.startswith("zram")}
    with contextlib.suppress(Failed, OSError):
        folder = Cgroup.parent()[0]
        found |= {"cgroup " + name for name in os.listdir(folder) if name.startswith("predicomp")}
    with open("/proc/thread-self/children", encoding="ascii") as f:
        found |= {"process " + pid for pid in f.read().split()}
    return found


def main():
    arguments = parse()
    if arguments.list:
        for name, one in ALL.items():
            print("%-18s %s%s%s" % (name, one.what, " (beside zram)" if one.zram_mib else "",
                                    " (quick)" if one.quick else ""))
        return 0
    facts = dict(machine.facts(TOP), command="bench/run " + " ".join(sys.argv[1:]))
    book = Book(facts, not arguments.quick, sys.stderr if arguments.json else sys.stdout)
    session = Session(arguments, book)
    if not os.path.exists(session.library) or not os.path.exists(session.host("cold_touch")):
        print("bench/run: build first: cmake -S . -B build && cmake --build build", file=sys.stderr)
        return 2
    check = subprocess.run([session.command, "check"], check=False, capture_output=True, text=True)
    if check.returncode != 0:
        print(check.stdout + check.stderr, "SKIP: memory cannot be managed here (predicomp check)",
              sep="")
        return 77
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, ended)

    chosen = arguments.only or [name for name, one in ALL.items()
                                if one.quick or not arguments.quick]
    facts.update(rounds=session.rounds, quick=session.quick)
    book.heading()
    interrupted, before = False, traces()
    try:
        whole = run_all(session, chosen)
    except KeyboardInterrupt:
        whole, interrupted = False, True
    for trace in sorted(traces() - before):
        whole = False
        book.note("left behind", trace)
    if session.accounts:
        book.reach("account", max(map(abs, session.accounts)))
    book.show_bars()
    if arguments.json:
        print(json.dumps(book.data(), indent=1))
    if arguments.save:
        book.save(arguments.save)
    if interrupted:
        return 130
    return 0 if whole and not book.missed() else 1
