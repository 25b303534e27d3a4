"""The list of benchmarks: a function of benches/ with @bench("what it measures") is one."""

BENCHES = {}


def bench(what, zram_mib=0):
    """`zram_mib`: size of the swap device it wants, 0 for none."""
    def register(function):
        BENCHES[function.__name__] = (function, what, zram_mib)
        return function
    return register
