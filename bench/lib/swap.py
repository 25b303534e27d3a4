"""The kernel's own way: swap on a zram device with lz4, and a memory cgroup to push a program into
it. Both are ours alone, need root, and are gone when the `with` block ends, however it ends."""
import contextlib
import ctypes
import errno
import os
import platform
import re
import shutil
import signal
import subprocess
import time

from .figures import Failed

MIB = 1 << 20
SYS_PROCESS_MADVISE = 440
SYS_PIDFD_OPEN = 434
MADV_PAGEOUT = 21


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(text))


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


class Zram:
    """A device of `mib` as the machine's only swap."""

    def __init__(self, mib=4096):
        self.mib = mib
        self.number = None
        self.swapping = False
        self.empty = 0

    @property
    def block(self):
        return "/sys/block/zram%d/" % self.number

    @property
    def node(self):
        return "/dev/zram%d" % self.number

    @staticmethod
    def why_not():
        """The reason there can be none here, or None."""
        if os.geteuid() != 0:
            return "zram needs root"
        if platform.machine() != "x86_64":
            return "process_madvise is only known by its x86-64 number"
        if not os.path.exists("/sys/class/zram-control/hot_add"):
            return "this kernel has no zram"
        for tool in ("mkswap", "swapon", "swapoff"):
            if not shutil.which(tool):
                return tool + " is missing: apt-get install util-linux mount"
        if len(read("/proc/swaps").splitlines()) > 1:
            return "swap is in use on this machine; it is left alone"
        return None

    def __enter__(self):
        why = self.why_not()
        if why:
            raise Failed(why)
        try:
            with deaf():
                self.number = int(read("/sys/class/zram-control/hot_add"))
                write(self.block + "comp_algorithm", "lz4")
                write(self.block + "disksize", "%dM" % self.mib)
                subprocess.run(["mkswap", self.node], check=True, capture_output=True)
                subprocess.run(["swapon", "-p", "100", self.node], check=True, capture_output=True)
                self.swapping = True
                self.empty = self.used()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise Failed("zram could not be set up: %s" % error) from error
        except BaseException:  # ^C, which comes as soon as it is heard again
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with deaf():
            if self.swapping:
                subprocess.run(["swapoff", self.node], check=True, capture_output=True)
                self.swapping = False
            if self.number is not None:
                write(self.block + "reset", "1")
                write("/sys/class/zram-control/hot_remove", self.number)
                self.number = None

    def used(self):
        """Bytes of memory that the device holds: its pool, rounding and tables of it included."""
        return int(read(self.block + "mm_stat").split()[2])

    def share(self):
        """The same without what the empty device had: what the one program in it takes there."""
        return max(0, self.used() - self.empty)


class Cgroup:
    """A memory cgroup below our own, of either version."""

    def __init__(self):
        self.path = None
        self.limit_file = None

    @staticmethod
    def parent():
        """The folder that ours is made in, and the name of its limit."""
        own = dict(line.split(":", 2)[1:] for line in read("/proc/self/cgroup").splitlines())
        for line in read("/proc/mounts").splitlines():
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup" and "memory" in options.split(","):
                return where + own.get("memory", "/"), "memory.limit_in_bytes"
            if kind == "cgroup2" and "memory" in read(where + "/cgroup.controllers").split():
                # Ours beside our own: its leaves may have members and controllers, its inner groups
                # not both. But for the root, which may.
                return os.path.join(where, os.path.dirname(own.get("", "/"))[1:]), "memory.max"
        raise Failed("no memory controller is mounted under /sys/fs/cgroup")

    def __enter__(self):
        try:
            folder, self.limit_file = self.parent()
            if self.limit_file == "memory.max":
                with contextlib.suppress(OSError):
                    write(folder + "/cgroup.subtree_control", "+memory")
            self.path = "%s/predicomp-bench.%d" % (folder.rstrip("/"), os.getpid())
            os.mkdir(self.path)
            if not os.path.exists(os.path.join(self.path, self.limit_file)):
                raise OSError("the memory controller is not passed on to " + folder)
        except OSError as error:
            self.__exit__()
            raise Failed("no memory cgroup can be made: %s" % error) from error
        return self

    def __exit__(self, *_):
        with deaf():
            for _ in range(100):
                if not self.path or not os.path.isdir(self.path):
                    break
                with contextlib.suppress(OSError):
                    os.rmdir(self.path)
                    break
                time.sleep(0.1)
            else:
                raise Failed("%s cannot be removed: a process is left in it" % self.path)
            self.path = None

    def join(self):
        """Takes the calling process in."""
        write(os.path.join(self.path, "cgroup.procs"), os.getpid())

    def limit(self, size):
        """True when the kernel got the group below `size` bytes (None: no limit)."""
        text = {"memory.max": "max", "memory.limit_in_bytes": "-1"}[self.limit_file]
        try:
            write(os.path.join(self.path, self.limit_file), text if size is None else int(size))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def deaf():
    """A second ^C must not stop the cleaning up that the first one began."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def anonymous(pid):
    """[start, end) of the process's private writable memory that no file is behind."""
    for line in read("/proc/%d/maps" % pid).splitlines():
        match = re.match(r"(\w+)-(\w+) rw.p \w+ \w+:\w+ 0\s*(\[heap\]|\[anon.*\])?$", line)
        if match:
            yield int(match.group(1), 16), int(match.group(2), 16)


def page_out(pid):
    """Asks the kernel to swap out all anonymous memory of another process (MADV_PAGEOUT)."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    if fd < 0:
        raise Failed("pidfd_open: " + os.strerror(ctypes.get_errno()))
    try:
        for start, end in anonymous(pid):
            piece = Piece(start, end - start)
            done = libc.syscall(SYS_PROCESS_MADVISE, fd, ctypes.byref(piece), ctypes.c_size_t(1),
                                MADV_PAGEOUT, 0)
            # Locked memory says EINVAL, memory that is gone ENOMEM: neither can leave.
            if done < 0 and ctypes.get_errno() not in (errno.EINVAL, errno.ENOMEM):
                raise Failed("process_madvise: " + os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)
