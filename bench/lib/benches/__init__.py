"""One file a subject; the order here is the order in which they run."""
from . import cold, hot, workloads, capped, heaps, redis, memcached  # noqa: F401
from . import idle, scale, process_memory, micro, codec  # noqa: F401
from ..registry import BENCHES as ALL  # noqa: F401
