"""core_reader.py CORE text AT LEN words AT LEN noise AT LEN: counts pages of a core dump that are not
what core.c wrote there. An ELF reader of its own, so that nothing of the command judges itself.

core_reader.py --cut CORE AT: makes the segment at AT one of which the kernel wrote nothing.
"""
import struct
import sys

PAGE = 4096
MASK = (1 << 64) - 1


class Core:
    def __init__(self, path, mode="rb"):
        self.file = open(path, mode)
        head = self.file.read(64)
        phoff, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        self.loads = []
        for i in range(count):
            self.file.seek(phoff + i * size)
            kind, _, offset, at, _, in_file, in_memory, _ = struct.unpack("<IIQQQQQQ",
                                                                         self.file.read(56))
            if kind == 1:
                self.loads.append((at, in_memory, offset, in_file, phoff + i * size))

    def load(self, at):
        return next(l for l in self.loads if l[0] <= at < l[0] + l[1])

    def page(self, at):
        start, _, offset, in_file, _ = self.load(at)
        if at - start + PAGE > in_file:
            return bytes(PAGE)
        self.file.seek(offset + at - start)
        return self.file.read(PAGE)


def text(page):
    """host_fill() with seed 3."""
    first = (3 + page) * 0x9e3779b97f4a7c15
    return struct.pack("<512Q", *(((first & MASK) ^ (i >> 4)) for i in range(page * 512, page * 512 + 512)))


def words(page):
    return struct.pack("<I", page * 2654435761 & 0xffffffff) * 1024


def noise():
    x = 88172645463325252
    while True:
        out = []
        for _ in range(512):
            x ^= x >> 12
            x = (x ^ x << 25) & MASK
            x ^= x >> 27
            out.append(x * 2685821657736338717 & MASK)
        yield struct.pack("<512Q", *out)


def main():
    if sys.argv[1] == "--cut":
        core = Core(sys.argv[2], "r+b")
        header = core.load(int(sys.argv[3], 16))[4]
        core.file.seek(header + 32)
        core.file.write(struct.pack("<Q", 0))
        return
    core = Core(sys.argv[1])
    areas = dict(zip(sys.argv[2::3], zip(sys.argv[3::3], sys.argv[4::3])))
    noisy = noise()
    for name, (at, length) in areas.items():
        at, pages = int(at, 16), int(length, 16) // PAGE
        kinds = {"text": text, "words": words, "noise": lambda _: next(noisy)}
        wrong = sum(core.page(at + i * PAGE) != kinds[name](i) for i in range(pages))
        print(f"{name} {wrong}")


main()
