"""Numbers: what programs print, and what is made of several rounds of it."""
import math
import re
import statistics

median = statistics.median


class Failed(Exception):
    """A measurement could not be made; the text says why."""


class Killed(Failed):
    """The kernel killed the program at the limit of its memory cgroup."""


def words(text):
    """name=value words of any number of lines, as numbers where they are."""
    found = {}
    for name, value in re.findall(r"(\w+)=(\S+)", text):
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value
    return found


def spread(values):
    """Half the distance between the extremes, in percent of the median."""
    middle = median(values)
    return abs((max(values) - min(values)) / 2 / middle) * 100 if middle else 0.0


def slope(points):
    """Exponent of y in x, least squares over [(x, y)]: 1 grows linearly, 0 not at all."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(logs) < 2:
        raise Failed("fewer than two sizes to compare")
    return statistics.linear_regression(*zip(*logs)).slope
