"""Plots by gnuplot, as SVG."""
import subprocess

COLOURS = ("#1f6fb4", "#d9822b", "#4a8f4a", "#a33b3b", "#7b5ea7", "#6b6b6b", "#2aa5a0", "#b0a030")
WAY_COLOURS = {"none": "#8a8a8a", "predicomp": "#1f6fb4", "zram": "#d9822b"}


def colour(name, i):
    for way, its in WAY_COLOURS.items():
        if name == way:
            return its
    return COLOURS[i % len(COLOURS)]


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'").replace("_", "\\\\_") + '"'


def cell(value):
    return "NaN" if value is None else repr(float(value))


def draw(path, size, commands, blocks):
    """`blocks`: lists of lines of data, $D0, $D1 ... in the commands."""
    script = ["set terminal svg size %d,%d font 'Helvetica,12' background '#ffffff'" % size,
              "set output " + '"%s"' % path, "set grid ytics lc rgb '#dddddd'",
              "set border 3 lc rgb '#666666'", "set tics nomirror out", "set key outside below"]
    for i, block in enumerate(blocks):
        script += ["$D%d << END" % i, *block, "END"]
    done = subprocess.run(["gnuplot"], input="\n".join(script + commands) + "\n", text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise OSError("gnuplot: " + done.stderr.strip()[-300:])


def bars(path, label, names, groups, line=None):
    """`groups`: {name: [a value or None for each of `names`]}. The bars lie: names can be read."""
    groups = {name: values for name, values in groups.items() if any(v is not None for v in values)}
    count = len(groups)
    step = count + 1
    rows = [[] for _ in groups]
    tics = []
    for i, name in enumerate(names):
        top = (len(names) - 1 - i) * step
        tics.append("%s %g" % (quoted(name), top + (count - 1) / 2))
        for j, values in enumerate(groups.values()):
            if values[i] is not None:
                rows[j].append("0 %s 0 %s %g %g" % (cell(values[i]), cell(values[i]),
                                                    top + count - 1 - j - 0.45,
                                                    top + count - 1 - j + 0.45))
    commands = ["unset key" if count == 1 else "set key outside below",
                "set xlabel " + quoted(label), "set ytics (%s)" % ", ".join(tics), "unset grid",
                "set grid xtics lc rgb '#dddddd'", "set xrange [0:*]", "set style fill solid 1.0",
                "set yrange [-1:%d]" % (len(names) * step)]
    if line is not None:
        commands.append("set arrow from %g, graph 0 to %g, graph 1 nohead lc rgb '#444444' dt 2"
                        % (line, line))
    # x y xlow xhigh ylow yhigh
    commands.append("plot " + ", ".join(
        "$D%d using 2:(($5+$6)/2):1:2:5:6 with boxxyerror lc rgb '%s' title %s" %
        (j, colour(name, j), quoted(name)) for j, name in enumerate(groups)))
    draw(path, (900, 90 + 16 * len(names) * step), commands, rows)


def steps(path, label, names, lines):
    """`lines`: {"subject, way": [a value for each of `names`]}, on a logarithmic scale. Each
    subject has one colour, each way one kind of line."""
    tics = ", ".join("%s %d" % (quoted(name), i) for i, name in enumerate(names))
    blocks = [["%d %s" % (i, cell(v)) for i, v in enumerate(values)] for values in lines.values()]
    subjects = list(dict.fromkeys(name.rpartition(", ")[0] for name in lines))
    commands = ["set logscale y", "set ylabel " + quoted(label), "set xtics (%s)" % tics,
                "set xrange [-0.2:%g]" % (len(names) - 0.8), "set key outside right top",
                "plot " + ", ".join("$D%d using 1:2 with linespoints lw 2 pt %d lc rgb '%s' dt %d "
                                    "title %s" % (i, 5 if "predicomp" in name else 6,
                                                  COLOURS[subjects.index(
                                                      name.rpartition(", ")[0]) % len(COLOURS)],
                                                  1 if "predicomp" in name else 2, quoted(name))
                                    for i, name in enumerate(lines))]
    draw(path, (1000, 480), commands, blocks)


def curves(path, x_label, y_label, lines, log=False):
    """`lines`: {name: [(x, y)]}."""
    blocks = [["%s %s" % (cell(x), cell(y)) for x, y in points] for points in lines.values()]
    commands = ["set xlabel " + quoted(x_label), "set ylabel " + quoted(y_label),
                "set logscale xy 2" if log else "set yrange [0:*]", "set key outside right top",
                "set format y '%g'", "set format x '%g'",
                "plot " + ", ".join("$D%d using 1:2 with %s lw 2 lc rgb '%s' title %s" %
                                    (i, "linespoints pt 7 ps 0.5" if log else "lines",
                                     colour(name, i), quoted(name))
                                    for i, name in enumerate(lines))]
    draw(path, (900, 420), commands, blocks)
