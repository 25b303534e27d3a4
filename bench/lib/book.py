"""What was measured: each row is printed as soon as it is known, the table of bars at the end."""
import json
import sys

from . import bars, machine
from .figures import median, spread
from .program import WAYS

HEADING = "%-46s %12s %12s %12s  %-6s %s" % ("", *WAYS, "unit", "spread")


def number(value):
    return "%.0f" % value if abs(value) >= 10000 else "%.4g" % value


class Book:
    """Rows, figures for the bars, notes. `verdicts` off: nothing is judged."""

    def __init__(self, facts, verdicts, out=sys.stdout):
        self.facts = facts
        self.verdicts = verdicts
        self.out = out
        self.rows = []
        self.tables = []
        self.curves = []
        self.reached = {}
        self.notes = []
        self.headed = False
        self.name = ""
        self.raw = {}

    def say(self, text):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(text, file=self.out, flush=True)

    def progress(self, text):
        tty = sys.stderr.isatty()
        print(("\r\033[K" if tty else "") + text[:100], end="" if tty else "\n",
              file=sys.stderr, flush=True)

    def section(self, name, what):
        self.headed, self.name = False, name
        self.say("\n%s: %s" % (name, what))

    def row(self, what, unit, **values):
        """values: for each way the figures of all rounds. Returns their medians."""
        values = {way: list(v) for way, v in values.items() if v}
        middle = {way: median(v) for way, v in values.items()}
        widest = max(map(spread, values.values()))
        self.rows.append({"section": self.name, "what": what, "unit": unit, "median": middle,
                          "values": values})
        if not self.headed:
            self.say(HEADING)
            self.headed = True
        cells = [number(middle[way]) if way in middle else "-" for way in WAYS]
        self.say("%-46s %12s %12s %12s  %-6s %s" %
                 (what, *cells, unit, "" if widest == 0 else "+-%.1f %%" % widest))
        return middle

    def table(self, what, columns, rows):
        """A table of its own, as it is: `columns` are names, `rows` lists of as many cells."""
        self.tables.append({"what": what, "columns": columns, "rows": rows})
        shown = [[c if isinstance(c, str) else "-" if c is None else number(c) for c in row]
                 for row in rows]
        widths = [max(map(len, column)) for column in zip(columns, *shown)]
        self.say(what)
        for row in [columns, *shown]:
            self.say("  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                                      for i, (cell, w) in enumerate(zip(row, widths))).rstrip())

    def over_time(self, what, unit, lines):
        """Curves for the plots: {way: [(seconds, value)]}."""
        self.curves.append({"what": what, "unit": unit, "lines": lines})

    def keep(self, name, what):
        """Everything measured, for the JSON alone."""
        self.raw[name] = what

    def reach(self, key, value):
        """A figure that a bar judges."""
        self.reached[key] = value
        if self.verdicts:
            self.say("  " + self.bar_line(bars.BY_KEY[key]))

    def note(self, what, why):
        self.notes.append({"what": what, "why": why})
        self.say("%s: %s" % (what, why))

    # --- the end

    def verdict(self, bar):
        if bar.key not in self.reached:
            return "not measured"
        return "met" if bars.met(bar, self.reached[bar.key]) else "MISSED"

    def bar_line(self, bar):
        value = self.reached.get(bar.key)
        reached = "-" if value is None else "%.3f" % value
        return "%-52s %9s  %s %-5g %-5s %s" % (bar.what, reached, bar.sense, bar.limit, bar.unit,
                                               self.verdict(bar))

    def show_bars(self):
        if not self.verdicts:
            return
        for against in dict.fromkeys(bar.against for bar in bars.BARS):
            self.say("\n%-52s %9s  bar" % (against, "reached"))
            for bar in bars.BARS:
                if bar.against == against:
                    self.say(self.bar_line(bar))

    def missed(self):
        return self.verdicts and any(self.verdict(bar) == "MISSED" for bar in bars.BARS)

    def data(self):
        judged = [{**bar._asdict(), "reached": self.reached.get(bar.key),
                   "verdict": self.verdict(bar) if self.verdicts else "not judged"}
                  for bar in bars.BARS]
        return {"machine": self.facts, "rows": self.rows, "tables": self.tables,
                "curves": self.curves, "bars": judged,
                "notes": self.notes, "raw": self.raw}

    def heading(self):
        self.say(machine.line(self.facts))

    def save(self, path):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.data(), f, indent=1)
            f.write("\n")
