"""The bars: what is promised, one line each, and by which figure it is judged.

A ratio is predicomp's figure divided by that of the way it is held against, in the same run.
"""
from collections import namedtuple

# key       what a benchmark calls it
# against   the section of the table
# limit     the figure must be at most (most) or at least (least) this
Bar = namedtuple("Bar", "key against what unit sense limit")

ZRAM = "Against zram/lz4 swap that holds the same"
NOTHING = "Against no library at all"
ITSELF = "By itself"
HEAPS = "Memory of real programs, idle"


def most(key, against, what, unit, limit):
    return Bar(key, against, what, unit, "<=", limit)


def least(key, against, what, unit, limit):
    return Bar(key, against, what, unit, ">=", limit)


BARS = [
    most("redis_idle", HEAPS, "redis, 1 M keys, idle: now / before", "x", 0.45),
    most("python_idle", HEAPS, "python3, 200 k dicts: now / before", "x", 0.35),
    most("node_idle", HEAPS, "node, 800 k objects: now / before", "x", 0.50),
    most("redis_held", HEAPS, "redis, resident + store / the same with zram", "x", 1.00),
    most("python_held", HEAPS, "python3, resident + store / the same with zram", "x", 1.00),
    most("node_held", HEAPS, "node, resident + store / the same with zram", "x", 1.00),

    least("redis_second", NOTHING, "redis GET, second pass after idling: throughput", "x", 0.95),
    least("hot_loop", NOTHING, "512 MB kept hot: throughput", "x", 0.99),
    least("hot_heap", NOTHING, "random touches of a hot heap, as fast as it goes", "x", 0.99),
    least("churn_300", NOTHING, "mmap_churn 512 KB, 300/s: 1 / time of a round", "x", 0.98),
    least("churn_1000", NOTHING, "mmap_churn 512 KB, 1 000/s: 1 / time of a round", "x", 0.98),
    least("churn_10000", NOTHING, "mmap_churn 512 KB, 10 000 a second asked", "x", 0.98),
    least("churn_unpaced", NOTHING, "mmap_churn 512 KB, as fast as it goes", "x", 0.98),
    least("fork_exit", NOTHING, "fork_exit_storm, as fast as it goes", "x", 0.98),
    least("fork_touch", NOTHING, "fork_touch_exit, as fast as it goes", "x", 0.98),
    least("fork_exec", NOTHING, "fork_exec_storm, as fast as it goes", "x", 0.98),
    most("start", NOTHING, "start of `true`, more than without", "ms", 2.0),

    most("restore_sequential", ITSELF, "restored page, in order: mean", "us", 2.2),
    most("restore_random", ITSELF, "restored page, at random: mean", "us", 6.0),
    most("idle_4g", ITSELF, "4 GB cold and packed: background CPU", "%", 1.0),
    most("idle_8g", ITSELF, "8 GB cold and packed: background CPU", "%", 0.5),
    most("tick_growth", ITSELF, "background CPU by size, 0.25 to 16 GB: exponent", "", 1.0),
    most("metadata", ITSELF, "metadata of managed memory, worst size", "%", 0.3),
    most("account", ITSELF, "evicted - restored - dropped - stored, at rest", "pages", 0),

    most("sequential_mean", ZRAM, "packed 256 MB, in order: mean of a page", "x", 0.70),
    most("random_mean", ZRAM, "the same at random: mean of a page", "x", 0.80),
    most("random_p99", ZRAM, "the same at random: p99 of a touch", "x", 2.5),
    most("single_p50", ZRAM, "one page at a time, at random: p50 of a touch", "x", 1.3),
    most("single_p99", ZRAM, "one page at a time, at random: p99 of a touch", "x", 3.0),
    least("half_1", ZRAM, "half-packed 1 GB, 1 thread: throughput", "x", 1.0),
    least("half_4", ZRAM, "half-packed 1 GB, 4 threads: throughput", "x", 1.0),
    least("redis_first", ZRAM, "redis GET, first pass after idling: throughput", "x", 1.0),
    most("redis_first_p99", ZRAM, "redis GET, first pass after idling: p99", "x", 1.5),
    most("evict_cpu", ZRAM, "CPU of an evicted page / the kernel's page-out", "x", 0.60),
    most("bytes_held", ZRAM, "store + metadata / zram's mem_used", "x", 1.0),
    least("redis_zipf", ZRAM, "redis zipf 0.99, cap of 40 %: throughput", "x", 1.0),
    most("redis_zipf_p99", ZRAM, "redis zipf 0.99, cap of 40 %: p99", "x", 1.0),
]

BY_KEY = {bar.key: bar for bar in BARS}


def met(bar, value):
    return value <= bar.limit if bar.sense == "<=" else value >= bar.limit
