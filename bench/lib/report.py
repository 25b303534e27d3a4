"""bench/report: one folder with report.md and its plots, from one JSON file of bench/run."""
import argparse
import json
import os
import shutil
import sys

from . import machine, plot
from .program import NONE, PREDICOMP, WAYS, ZRAM

PERCENTILES = ("mean", "p50", "p95", "p99", "p999", "max")
# Units of which more is better: what a throughput is known by.
RATES = ("/s", "page/s")


def number(value):
    return "-" if value is None else "%.0f" % value if abs(value) >= 10000 else "%.4g" % value


def row_of(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(columns, rows):
    yield row_of(columns)
    yield row_of(["---"] + ["---:"] * (len(columns) - 1))
    for row in rows:
        yield row_of([cell if isinstance(cell, str) else number(cell) for cell in row])
    yield ""


def indented(what):
    return what.strip() if what == what.lstrip() else "&nbsp;&nbsp;" + what.strip()


def measured(data):
    """The rows, each benchmark under a heading of its own."""
    section = None
    for group in dict.fromkeys(row["section"] for row in data["rows"]):
        rows = [row for row in data["rows"] if row["section"] == group]
        if group != section:
            yield "### %s" % group
            yield ""
        yield from table(["", *WAYS, "unit", "rounds"],
                         [[indented(row["what"]), *(row["median"].get(way) for way in WAYS),
                           row["unit"], str(max(map(len, row["values"].values())))]
                          for row in rows])


def bars(data):
    judged = [bar for bar in data["bars"] if bar["verdict"] != "not judged"]
    for against in dict.fromkeys(bar["against"] for bar in judged):
        yield from table([against, "reached", "bar", "verdict"],
                         [[bar["what"], bar["reached"],
                           "%s %g %s" % (bar["sense"], bar["limit"], bar["unit"]), bar["verdict"]]
                          for bar in judged if bar["against"] == against])


# --- plots: each returns (file name, caption) or None where there is nothing to show

def throughput(data, folder):
    """What a program does a second, against the same program without the library."""
    bars_of = {way: [] for way in (PREDICOMP, ZRAM)}
    names = []
    for row in data["rows"]:
        middle = row["median"]
        if row["unit"] in RATES and middle.get(NONE) and PREDICOMP in middle:
            names.append(row["section"] if row["what"].strip() in ("operations",)
                         else row["what"].strip())
            for way, values in bars_of.items():
                values.append(middle[way] / middle[NONE] if way in middle else None)
    if not names:
        return None
    plot.bars(os.path.join(folder, "throughput.svg"), "times the throughput without the library",
              names, bars_of, line=1)
    return "throughput.svg", "Throughput, against the same program left alone"


def stalls(data, folder):
    """Percentiles of touches, one curve for a benchmark and way."""
    curves = {}
    for row in data["rows"]:
        what, _, rest = row["what"].partition(": ")
        figure = rest.split(" ")[0]
        if figure in PERCENTILES and rest.endswith("of a touch"):
            for way in (PREDICOMP, ZRAM):
                if way in row["median"]:
                    curves.setdefault("%s, %s" % (what, way), {})[figure] = row["median"][way]
    if not curves:
        return None
    plot.steps(os.path.join(folder, "stalls.svg"), "us", PERCENTILES,
               {name: [points.get(p) for p in PERCENTILES] for name, points in curves.items()})
    return "stalls.svg", "What a touch takes, as the program sees it"


def memory(data, folder):
    found = []
    for i, curve in enumerate(data["curves"]):
        name = "memory-%d.svg" % i
        plot.curves(os.path.join(folder, name), "s", curve["unit"], curve["lines"])
        found.append((name, "%s: memory held over time" % curve["what"]))
    return found


def cpu(data, folder):
    names, values = [], {way: [] for way in WAYS}
    for row in data["rows"]:
        if row["what"].strip().startswith("CPU, all") or row["what"].startswith("CPU of an"):
            names.append("%s (%s)" % (row["section"] if row["what"].startswith(" ")
                                      else row["what"], row["unit"]))
            base = row["median"].get(NONE) or row["median"].get(ZRAM)
            for way in WAYS:
                values[way].append(row["median"][way] / base
                                   if base and way in row["median"] else None)
    if not names:
        return None
    plot.bars(os.path.join(folder, "cpu.svg"), "times the CPU of the first way measured", names,
              values, line=1)
    return "cpu.svg", "CPU time"


def by_size(data, folder):
    for one in data["tables"]:
        if one["what"] == "by size":
            sizes = [float(row[0].split()[0]) for row in one["rows"]]
            lines = {name: [[size, row[i]] for size, row in zip(sizes, one["rows"])]
                     for i, name in enumerate(one["columns"]) if i > 0}
            plot.curves(os.path.join(folder, "size.svg"), "MiB packed", "", lines, log=True)
            return "size.svg", "What grows with size"
    return None


def plots(data, folder):
    for made in (throughput, stalls, memory, cpu, by_size):
        what = made(data, folder)
        for one in what if isinstance(what, list) else [what] if what else []:
            yield one


def document(data, pictures):
    facts = data["machine"]
    yield "# predicomp beside the kernel's compressed swap"
    yield ""
    yield "`%s`, %s: %s; medians of %s rounds." % (facts["command"], facts["date"],
                                                  machine.line(facts), facts["rounds"])
    if facts["quick"]:
        yield "A quick run: small, short, not judged."
    yield ""
    yield from bars(data)
    for name, caption in pictures:
        yield "![%s](%s)\n" % (caption, name)
    yield "## Everything measured\n"
    yield from measured(data)
    for one in data["tables"]:
        yield "### %s\n" % one["what"]
        yield from table(one["columns"], one["rows"])
    for note in data["notes"]:
        yield "- %s: %s" % (note["what"], note["why"])


def parse():
    parser = argparse.ArgumentParser(
        prog="bench/report", description="Makes report.md and SVG plots of what bench/run --save "
        "wrote.", epilog="Exit status: 0 done, 1 no report could be made, 2 wrong usage, 77 "
        "gnuplot is missing (the Markdown is written all the same).")
    parser.add_argument("file", help="JSON file of bench/run --save")
    parser.add_argument("folder", help="where report.md and the plots go; made if need be")
    return parser.parse_args()


def main():
    arguments = parse()
    try:
        with open(arguments.file, encoding="utf-8") as f:
            data = json.load(f)
        os.makedirs(arguments.folder, exist_ok=True)
        has_gnuplot = shutil.which("gnuplot") is not None
        pictures = list(plots(data, arguments.folder)) if has_gnuplot else []
        with open(os.path.join(arguments.folder, "report.md"), "w", encoding="utf-8") as f:
            f.write("\n".join(document(data, pictures)) + "\n")
    except OSError as error:
        print("bench/report: %s" % error, file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError):
        print("bench/report: %s is not what bench/run --save writes" % arguments.file,
              file=sys.stderr)
        return 1
    print(os.path.join(arguments.folder, "report.md"))
    if not has_gnuplot:
        print("no plots: gnuplot is missing: apt-get install gnuplot-nox", file=sys.stderr)
        return 77
    return 0
