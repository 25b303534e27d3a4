"""A program under measurement, in one of the three ways.

NONE        as it is
PREDICOMP   under the library
ZRAM        as it is, in a memory cgroup, with zram as swap
"""
import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time

from .figures import Failed, Killed, words
from .swap import MIB, page_out

NONE, PREDICOMP, ZRAM = WAYS = ("none", "predicomp", "zram")
PR_SET_PDEATHSIG = 1


def samplers():
    """Folders of the threads in which DAMON looks at memory: the kernel starts one on request."""
    found = set()
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open("/proc/%s/comm" % number, "rb") as f:
                if f.read().startswith(b"kdamond."):
                    found.add("/proc/" + number)
    return found


class Program:
    """Obeys lines on standard input and answers with lines of name=value words."""

    def __init__(self, session, way, argv, **options):
        self.session = session
        self.way = way
        self.name = os.path.basename(argv[0])
        self.said = tempfile.TemporaryFile()
        self.usage = None
        self.started = time.monotonic()
        self.samplers_before = samplers()
        libc = ctypes.CDLL(None)
        cgroup = session.cgroup if way == ZRAM else None

        def in_the_child():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if cgroup:
                cgroup.join()

        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.said, text=True, preexec_fn=in_the_child,
                                        env=session.environment(way == PREDICOMP, options))
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.signal(signal.SIGKILL)
        self.reap()
        for file in (self.process.stdin, self.process.stdout, self.said):
            with contextlib.suppress(OSError):
                file.close()

    def reap(self):
        """Waits for its end and keeps what it used."""
        if self.process.returncode is None:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)

    def fail(self):
        self.signal(signal.SIGKILL)
        self.reap()
        self.said.seek(0)
        said = self.said.read().decode(errors="replace").strip()[-300:]
        killed = self.way == ZRAM and self.process.returncode == -signal.SIGKILL
        raise (Killed if killed else Failed)("%s (%s) ended with status %s: %s" %
                                             (self.name, self.way, self.process.returncode, said))

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            self.fail()
        return words(text)

    def say(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail()

    def ask(self, text):
        self.say(text)
        return self.line()

    def finish(self):
        """Ends its input and waits; it must end well. What it printed, and its CPU seconds."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.resume()
        out = words(self.process.stdout.read())
        self.reap()
        if self.process.returncode != 0:
            self.fail()
        out["elapsed_s"] = time.monotonic() - self.started
        out["cpu_s"] = self.usage.ru_utime + self.usage.ru_stime
        return out

    # --- turns

    def signal(self, number):
        """Popen.send_signal() would reap it first where it has ended, and its usage be lost."""
        if self.process.returncode is None:
            os.kill(self.pid, number)

    def halt(self):
        """Stops all its threads, and waits until they are."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self):
        self.signal(signal.SIGCONT)

    # --- memory

    def smaps(self, field):
        """MiB, of /proc/PID/smaps_rollup."""
        try:
            with open("/proc/%d/smaps_rollup" % self.pid, encoding="ascii") as f:
                return int(re.search(r"^%s:\s+(\d+)" % field, f.read(), re.M).group(1)) / 1024
        except (OSError, AttributeError):
            return self.fail()

    def held(self):
        """MiB of memory it takes: resident, with the store that lies in it, or its part of zram."""
        share = self.session.zram.share() / MIB if self.way == ZRAM else 0
        return self.smaps("Rss") + share

    def held_roughly(self):
        """The same without walking its page tables, for looking often; 0 when it has ended."""
        try:
            with open("/proc/%d/statm" % self.pid, encoding="ascii") as f:
                rss = int(f.read().split()[1]) / 256
        except OSError:
            return 0
        return rss + (self.session.zram.share() / MIB if self.way == ZRAM else 0)

    def watch(self, every=0.25):
        """Until it prints something or ends: [(seconds, MiB held)]."""
        begun, seen = time.monotonic(), []
        while not select.select([self.process.stdout], [], [], every)[0]:
            seen.append((round(time.monotonic() - begun, 2), round(self.held_roughly(), 1)))
        return seen

    def leave(self, least=0, most=300, now=False, needed=True):
        """Lets what is cold leave. PREDICOMP: by itself, or `now`, on request. ZRAM: on request."""
        if self.way == PREDICOMP:
            if now:
                self.command("evict", str(self.pid))
            return self.wait_packed(least, most, needed)
        if self.way == ZRAM:
            page_out(self.pid)
            time.sleep(1)
        return None

    def shrink(self, mib, patience=40):
        """ZRAM: lowers the cgroup's limit until no more than `mib` is held; the limit stays."""
        target, limit = mib * MIB, self.held() * MIB
        for _ in range(patience):
            over = self.held() * MIB - target
            if over <= target * 0.005:
                return
            # A page that leaves comes back as a third of itself in zram or so: half a step more.
            limit = min(limit, self.smaps("Rss") * MIB) - max(over * 1.2, MIB / 4)
            if limit <= MIB or not self.session.cgroup.limit(limit):
                break
            self.session.progress("%s: limit %d MiB, holds %d" %
                                  (self.name, limit // MIB, self.held()))
        if self.held() > mib * 1.02:
            raise Failed("%s holds %.0f MiB in zram and memory and cannot be brought to %.0f" %
                         (self.name, self.held(), mib))

    # --- what the pager says

    def command(self, *argv):
        done = subprocess.run([self.session.command, *argv], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failed("predicomp %s: %s" % (argv[0], done.stderr.strip()))
        return done.stdout

    def stat(self):
        return json.loads(self.command("stat", "--json", str(self.pid)))

    def wait_packed(self, least=0, most=300, needed=True):
        """Until nothing more leaves for 3 s; at least `least` and at most `most` seconds. Fails if
        nothing left at all, unless that is not `needed`: then there is nothing to measure."""
        begun = time.monotonic()
        before, calm, enough = -1, 0, self.session.size(3, 1)
        while True:
            time.sleep(1)
            stat = self.stat()
            stored, staged = stat["gauges"]["pages_stored"], stat["gauges"]["pages_staged"]
            spent = time.monotonic() - begun
            self.session.progress("%s: %d pages packed after %d s" % (self.name, stored, spent))
            calm = calm + 1 if staged == 0 and stored - before <= stored // 200 else 0
            before = stored
            if spent >= least and calm >= enough and (stored or not needed or spent >= 20):
                break
            if spent >= most:
                break
        if needed and not stored:
            raise Failed("%s: no page was packed; state %s" % (self.name, stat.get("state")))
        return stat

    def wait_repacked(self, most=300):
        """Until what was packed has been packed again, and nothing more is for 3 s."""
        begun = time.monotonic()
        before, calm = -1, 0
        while calm < self.session.size(3, 1) and time.monotonic() - begun < most:
            time.sleep(1)
            stat = self.stat()
            repacked = stat["counters"]["repacked"]
            old_enough = time.monotonic() - begun > 10 * stat["gauges"]["cold_age_now"] / 1e9
            calm = calm + 1 if old_enough and repacked == before else 0
            before = repacked
            self.session.progress("%s: %d pages packed again" % (self.name, repacked))
        return stat

    def check_account(self):
        """evicted - restored - dropped = stored, asked again for pages may be on their way."""
        for _ in range(20):
            stat = self.stat()
            c = stat["counters"]
            off = (c["pages_evicted"] - c["pages_restored"] - c["pages_dropped"]
                   - stat["gauges"]["pages_stored"])
            if off == 0:
                self.session.account(0)
                return stat
            time.sleep(0.5)
        self.session.account(off)
        return stat

    def others_cpu(self):
        """CPU seconds of all threads but the first: the host has one, the pager has the rest; and of
        the kernel's sampler, where it was started since."""
        threads = {"/proc/%d/task/%s" % (self.pid, tid)
                   for tid in os.listdir("/proc/%d/task" % self.pid) if int(tid) != self.pid}
        total = 0
        for folder in threads | (samplers() - self.samplers_before):
            with contextlib.suppress(OSError):
                with open(folder + "/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
        return total / 1e9
