"""touch.py PATTERN [FILE]: pages of one mapping are touched in a known order."""
import mmap
import random
import sys

PAGE = 4096
PAGES = 65536  # of address space; what is not touched costs nothing
TOUCHED = 4096

pattern = sys.argv[1]
if pattern.startswith('file'):
    with open(sys.argv[2], 'rb') as f:
        m = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
    pages = len(m) // PAGE
    m.madvise(mmap.MADV_RANDOM if pattern == 'file_random' else mmap.MADV_SEQUENTIAL)
else:
    m = mmap.mmap(-1, PAGES * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    m.madvise(mmap.MADV_NOHUGEPAGE)

random.seed(1)
if pattern == 'sequential':
    for i in range(TOUCHED):
        m[i * PAGE] = 1
elif pattern == 'strided':
    for i in range(TOUCHED):
        m[i * 16 * PAGE] = 1
elif pattern == 'random':
    for i in random.sample(range(PAGES), TOUCHED):
        m[i * PAGE] = 1
elif pattern == 'thrash':
    for _ in range(64):
        for i in range(256):
            m[i * PAGE] = 1
        m.madvise(mmap.MADV_DONTNEED, 0, 256 * PAGE)
elif pattern == 'file':
    for i in range(pages):
        m[i * PAGE]
elif pattern == 'file_random':
    for i in random.sample(range(pages), pages):
        m[i * PAGE]
else:
    sys.exit(f'{pattern} is no pattern')
