"""What a figure is worth nothing without: the machine and the commit."""
import contextlib
import os
import platform
import re
import subprocess
import time


def first(path, pattern):
    with contextlib.suppress(OSError, AttributeError):
        with open(path, encoding="ascii", errors="replace") as f:
            return re.search(pattern, f.read(), re.M).group(1)
    return "unknown"


def facts(top):
    git = subprocess.run(["git", "-C", top, "describe", "--always", "--dirty"], check=False,
                         capture_output=True, text=True).stdout.strip()
    memory = first("/proc/meminfo", r"MemTotal:\s+(\d+)")
    return {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "commit": git or "none",
            "kernel": platform.release(),
            "cpu": first("/proc/cpuinfo", r"^model name\s*:\s*(.*)"),
            "cpus": len(os.sched_getaffinity(0)),
            "memory_mib": int(memory) // 1024 if memory.isdigit() else None,
            "hypervisor": first("/proc/cpuinfo", r"^flags\s*:.*\b(hypervisor)\b") == "hypervisor",
            "thp": first("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]"),
            "governor": first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", r"(\w+)"),
            "load": first("/proc/loadavg", r"^(\S+)")}


def line(f):
    return "%s on Linux %s, %d CPUs (%s%s), %s MiB, THP %s, load %s" % (
        f["commit"], f["kernel"], f["cpus"], f["cpu"], ", virtual" if f["hypervisor"] else "",
        f["memory_mib"], f["thp"], f["load"])
