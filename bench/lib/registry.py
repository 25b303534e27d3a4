"""The list of benchmarks: a function of benches/ with @bench("what it measures") is one."""

BENCHES = {}


class Bench:
    """`zram_mib`: size of the swap device it wants, 0 for none. `quick`: part of a quick run."""

    def __init__(self, function, what, zram_mib, quick):
        self.function = function
        self.what = what
        self.zram_mib = zram_mib
        self.quick = quick


def bench(what, zram_mib=0, quick=False):
    def register(function):
        BENCHES[function.__name__] = Bench(function, what, zram_mib, quick)
        return function
    return register
